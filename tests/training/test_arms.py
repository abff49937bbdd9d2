"""Arms of a campaign. Oracle: the paper's table of conditions, by hand."""

from __future__ import annotations

import math

import pytest

from gradstudy.errors import OptionError
from gradstudy.training.arms import Member, arms


def test_the_five_arms():
    names = ["SGD", "SGD-C", "SGD-R", "SGD-CR", "SGD-L2"]
    found = arms(names, [3], rate=0.01, threshold=2.0, alpha=5.0, l2=0.1)
    assert found == (
        Member(3, "SGD", 0.01, math.inf, 0.0, 0.0),
        Member(3, "SGD-C", 0.01, 2.0, 0.0, 0.0),
        Member(3, "SGD-R", 0.01, math.inf, 5.0, 0.0),
        Member(3, "SGD-CR", 0.01, 2.0, 5.0, 0.0),
        Member(3, "SGD-L2", 0.01, math.inf, 0.0, 0.1),
    )


def test_every_arm_has_the_same_indices():
    found = arms(["SGD", "SGD-C"], iter(range(4)), rate=0.01)
    assert [(member.arm, member.index) for member in found] == [(a, i) for a in ("SGD", "SGD-C") for i in range(4)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 0.0),
        ("threshold", -1.0),
        ("threshold", math.nan),
        ("rate", 0.0),
        ("alpha", -1.0),
        ("l2", math.inf),
    ],
)
def test_conditions_out_of_range_are_refused(name, value):
    with pytest.raises(OptionError, match=f"{name}={value} of member 0"):
        Member(0, "SGD-CR", **{"rate": 0.01, name: value})


def test_an_unknown_arm_is_refused():
    with pytest.raises(OptionError, match="an arm 'Adam'"):
        arms(["Adam"], [0], rate=0.01)

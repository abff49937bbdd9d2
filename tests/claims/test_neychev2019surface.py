"""Statements L3 and L5 of the lecture, at the wall.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find


def descents(**columns):
    base = {
        "side": "valley", "learning_rate": 0.1, "start": range(4), "start_error": 0.04, "thrown": True,
        "error_after": [0.4, 0.39, 0.41, 0.4], "plain_end": [0.3, 0.31, 0.29, 0.3], "clipped_end": 0.0,
        "clipped_steps": 3, "deviation": 1e-15,
    }  # fmt: skip
    return {"descents": pd.DataFrame({**base, **columns})}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


@pytest.mark.parametrize("claim", ["L3a", "L3b"])
def test_where_a_too_long_step_lands(claim):
    assert verdict(claim, descents()) == Verdict.SUPPORTED
    assert verdict(claim, descents(error_after=[0.089, 0.09, 0.091, 0.09])) == Verdict.SUPPORTED  # 10^0.35
    assert verdict(claim, descents(error_after=[0.071, 0.07, 0.072, 0.071])) == Verdict.REFUTED  # 10^0.25
    assert verdict(claim, descents(error_after=[0.01, 0.8, 0.02, 0.4])) == Verdict.INCONCLUSIVE
    # Who takes no such step is not asked; nobody at all decides nothing.
    one = descents(thrown=[True, True, True, False], error_after=[0.4, 0.39, 0.41, math.nan])
    (estimate,) = find(claim).measure(one)
    assert estimate.n == 3
    assert "3 of 4 descents are thrown" in estimate.condition
    assert verdict(claim, one) == Verdict.SUPPORTED
    assert verdict(claim, descents(thrown=False)) == Verdict.INCONCLUSIVE
    both = pd.concat([descents()["descents"], descents(learning_rate=0.3, error_after=0.02)["descents"]])
    assert verdict(claim, {"descents": both}) == Verdict.REFUTED


def test_where_descents_end():
    assert verdict("L5a", descents()) == Verdict.SUPPORTED
    assert verdict("L5a", descents(plain_end=[0.0149, 0.015, 0.0151, 0.015])) == Verdict.SUPPORTED
    assert verdict("L5a", descents(plain_end=[0.0049, 0.005, 0.0051, 0.005])) == Verdict.REFUTED
    assert verdict("L5a", descents(clipped_end=0.5)) == Verdict.REFUTED
    assert verdict("L5a", descents(plain_end=[0.0, 0.5, 0.0, 0.0])) == Verdict.INCONCLUSIVE
    assert verdict("L5a", descents(plain_end=[0.3, math.nan, 0.3, 0.3])) == Verdict.INCONCLUSIVE
    both = pd.concat([descents()["descents"], descents(side="plateau", plain_end=0.0)["descents"]])
    found = find("L5a").measure({"descents": both})
    assert [e.condition for e in found] == ["from the plateau, learning rate 0.1", "from the valley, learning rate 0.1"]


def test_which_way_a_clipped_step_goes():
    assert verdict("L5b", descents()) == Verdict.SUPPORTED
    assert verdict("L5b", descents(deviation=[0.0, 0.005, 0.0, 0.0])) == Verdict.SUPPORTED
    assert verdict("L5b", descents(deviation=[0.0, 0.015, 0.0, 0.0])) == Verdict.REFUTED  # one is enough
    assert verdict("L5b", descents(clipped_steps=0, deviation=math.nan)) == Verdict.INCONCLUSIVE  # nothing was clipped
    assert verdict("L5b", descents(deviation=[0.0, math.nan, 0.0, 0.0])) == Verdict.INCONCLUSIVE
    mixed = descents(clipped_steps=[3, 0, 3, 3], deviation=[0.0, math.nan, 0.0, 0.0])
    assert verdict("L5b", mixed) == Verdict.SUPPORTED
    assert find("L5b").measure(mixed)[0].n == 3

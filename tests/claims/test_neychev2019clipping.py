"""Claims L3c-e, L4, L5c and L5d.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

OFFSETS = (-2e-3, -1e-3, 0.0, 1e-3, 2e-3, 1e-3, 0.0, -1e-3)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def landings(largest, clipped=0.0, ordinary=0.0, rate=0.05):
    return pd.DataFrame(
        {
            "rate": rate,
            "gradient_norm": 20.0,
            "budget": 100,
            "considered": 40 if offset < 0 else 100,
            "update": 40 if offset == OFFSETS[0] else 30,
            "log10_ratio_largest": largest + offset,
            "log10_ratio_clipped": clipped,
            "log10_ratio_ordinary": ordinary,
        }
        for offset in OFFSETS
    )


@pytest.mark.parametrize(
    ("largest", "expected"), [(0.35, Verdict.SUPPORTED), (0.25, Verdict.REFUTED), (math.inf, Verdict.INCONCLUSIVE)]
)
def test_a_bad_landing_doubles_the_loss(largest, expected):
    assert verdict("L3c", {"landings": landings(largest)}) == expected


@pytest.mark.parametrize(("difference", "expected"), [(0.06, Verdict.SUPPORTED), (0.02, Verdict.REFUTED)])
def test_a_worse_landing_is_a_difference(difference, expected):
    assert verdict("L3d", {"landings": landings(0.1, clipped=0.1 - difference)}) == expected
    assert verdict("L3e", {"landings": landings(0.1, ordinary=0.1 - difference)}) == expected


def test_one_learning_rate_that_lies_outside_refutes():
    table = pd.concat([landings(0.4), landings(0.2, rate=0.2)])
    assert [round(e.value, 2) for e in find("L3c").measure({"landings": table})] == [0.4, 0.2]
    assert verdict("L3c", {"landings": table}) == Verdict.REFUTED


def test_how_many_trainings_are_spoilt_and_how_many_by_this_step_is_told():
    (estimate,) = find("L3c").measure({"landings": landings(0.4)})
    assert estimate.condition.endswith("of 8 trainings 3 are spoilt, 1 by this step")


def test_a_training_that_was_spoilt_from_the_first_decides_nothing():
    table = landings(0.4)
    table.loc[0, ["log10_ratio_largest", "update", "considered"]] = [math.nan, 0, 0]
    assert verdict("L3c", {"landings": table}) == Verdict.INCONCLUSIVE


def endings(plain, clipped):
    """Build a training a rate for each letter: n(ot finite), r(uined), h(igh), k(ept); eight members alike."""
    names = {"n": "not finite", "r": "ruined", "h": "high", "k": "kept"}
    return pd.DataFrame(
        {"task": "adding", "cell": "tanh", "arm": arm, "member": member, "learning_rate": place, "end": names[letter]}
        for arm, word in (("plain", plain), ("clipped", clipped))
        for place, letter in enumerate(word)
        for member in range(8)
    )


def test_numbers_lost_are_counted_without_clipping_alone():
    (estimate,) = find("L4").measure({"endings": endings("kkrn", "kknn")})
    assert (estimate.value, estimate.low, estimate.n) == (8, 8, 8)
    assert "of 32 trainings; 8 more are ruined" in estimate.condition
    assert verdict("L4", {"endings": endings("kkrn", "kkkk")}) == Verdict.SUPPORTED
    assert verdict("L4", {"endings": endings("kkrr", "nnnn")}) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("plain", "expected"),
    [("k" * 17 + "nrh", Verdict.SUPPORTED), ("k" * 19 + "n", Verdict.REFUTED), ("k" * 20, Verdict.REFUTED)],
)
def test_bad_ends_of_all_kinds_are_compared(plain, expected):
    assert verdict("L5d", {"endings": endings(plain, "k" * 20)}) == expected
    assert verdict("L5d", {"endings": endings(plain, plain)}) == Verdict.REFUTED


def directions(deviations, steps=5):
    return pd.DataFrame({"rate": 0.05, "clipped_steps": steps, "deviation": deviation} for deviation in deviations)


def test_the_largest_deviation_decides():
    assert verdict("L5c", {"directions": directions([1e-14, 1e-13])}) == Verdict.SUPPORTED
    assert verdict("L5c", {"directions": directions([1e-14, 0.015])}) == Verdict.REFUTED
    assert verdict("L5c", {"directions": directions([1e-14, math.nan])}) == Verdict.INCONCLUSIVE
    assert verdict("L5c", {"directions": directions([math.nan], steps=0)}) == Verdict.INCONCLUSIVE
    some = pd.concat([directions([1e-14]), directions([math.nan], steps=0)])
    assert [e.n for e in find("L5c").measure({"directions": some})] == [1]

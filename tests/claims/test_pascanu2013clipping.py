"""Claims P17 and P18.

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


def times(norm, elements=None, outcome="solved"):
    """Build times from {factor: time}, the same for all members but for a small offset of the average norm's."""
    kinds = {"norm": norm, "element-wise": elements if elements is not None else {1.0: norm[1.0]}}
    return pd.DataFrame(
        {
            "clipping": kind,
            "factor": factor,
            "member": member,
            "outcome": outcome,
            "time": time + offset * (kind == "norm" and factor == 1.0),
        }
        for kind, by_factor in kinds.items()
        for factor, time in by_factor.items()
        for member, offset in enumerate(OFFSETS)
    )


@pytest.mark.parametrize(
    ("late", "expected"), [(0.2, Verdict.SUPPORTED), (0.3, Verdict.REFUTED), (-0.1, Verdict.SUPPORTED)]
)
def test_thresholds_of_the_recommendation_are_asked_and_no_others(late, expected):
    table = times({0.02: 1.0, 0.5: 0.2, 1.0: 0.2, 10.0: 0.2 + late, math.inf: 1.0})
    estimates = find("P17a").measure({"times": table})
    assert [round(e.value, 6) for e in estimates] == [0, round(late, 6)]
    assert verdict("P17a", {"times": table}) == expected


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(1.8, Verdict.SUPPORTED), (0.6, Verdict.SUPPORTED), (2.2, Verdict.REFUTED), (0.42, Verdict.REFUTED)],
)
def test_speeds_within_a_factor_of_two_are_similar(factor, expected):
    assert verdict("P17b", {"times": times({0.5: 0.2 * factor, 1.0: 0.2})}) == expected
    table = times({0.5: 0.3, 1.0: 0.2}, {0.5: 0.3 * factor, 1.0: 0.2 * factor})
    assert [round(math.exp(e.value), 6) for e in find("P18").measure({"times": table})] == [factor, factor]
    assert verdict("P18", {"times": table}) == expected


@pytest.mark.parametrize("claim", ["P17a", "P17b", "P18"])
def test_a_budget_that_is_too_small_decides_nothing(claim):
    table = times({0.5: 1.0, 1.0: 1.0}, {0.5: 1.0, 1.0: 1.0}, outcome="censored")
    assert verdict(claim, {"times": table}) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("claim", "usual", "never"),
    [("P17a", 0.8, 1.0), ("P17b", 0.55, 1.0), ("P17b", 0.6, 1.0)],
)
def test_a_threshold_at_which_nobody_succeeds_is_not_said_to_do_as_well(claim, usual, never):
    """A time restricted to the budget is at most 1: beside a slow training even one without end looks alike."""
    table = times({1.0: usual, 10.0: never})
    table.loc[table["factor"] == 10.0, "outcome"] = "censored"
    assert verdict(claim, {"times": table}) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("norm", "elements", "expected"),
    [
        (1.0, 1.0, Verdict.INCONCLUSIVE),
        (0.6, 1.0, Verdict.INCONCLUSIVE),
        (1.0, 0.6, Verdict.INCONCLUSIVE),
        (0.4, 1.0, Verdict.REFUTED),
        (0.4, 0.6, Verdict.SUPPORTED),
    ],
)
def test_two_clippings_that_both_never_end_are_not_alike(norm, elements, expected):
    table = times({1.0: 0.2, 10.0: norm}, {1.0: 0.2, 10.0: elements})
    table.loc[table["time"] == 1.0, "outcome"] = "censored"
    assert verdict("P18", {"times": table}) == expected

"""Claims P17-P20.

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


def finite(train, test, epoch=2):
    columns = {"epoch": epoch, "rate_plain": 0.05, "rate_clipped": 0.1, "train_clipped": 0.1, "test_clipped": 0.7}
    return pd.DataFrame(
        {**columns, "train_plain": 0.1 * train * (1 + offset), "test_plain": 0.7 * test * (1 + offset)}
        for offset in OFFSETS
    )


def by_rate(table):
    return {"finite": table, "learning_rates": pd.DataFrame({"learning_rate": [0.05, 0.1, 0.2]})}


def test_both_folds_are_decided_each_by_itself():
    table = finite(1.15, 1.05)
    assert verdict("P19a", by_rate(table)) == Verdict.SUPPORTED
    assert verdict("P19b", by_rate(table)) == Verdict.REFUTED
    (estimate,) = find("P19a").measure(by_rate(table))
    assert estimate.value == pytest.approx(math.log10(1.15), abs=1e-5)
    assert estimate.condition.startswith(
        "40 sequences, learning rates 0.05 (the least tried) and 0.1: 0.115 and 0.1 nats"
    )
    both = pd.concat([table, finite(0.9, 1.2, epoch=5)])
    assert verdict("P19a", by_rate(both)) == Verdict.REFUTED


def learning_rates(*rows):
    """Build losses from (arm, rate, training loss, test loss) of members that choose and of those that are judged."""
    return pd.DataFrame(
        {
            "epoch": 2,
            "arm": arm,
            "learning_rate": rate,
            "member": 1000 * chooses + member,
            "chooses": chooses,
            "train_loss": train * (1 + offset * (arm == "plain")),
            "test_loss": test,
        }
        for arm, rate, train, test in rows
        for chooses in (False, True)
        for member, offset in enumerate(OFFSETS)
    )


@pytest.mark.parametrize(("plain", "expected"), [(0.115, Verdict.SUPPORTED), (0.105, Verdict.REFUTED)])
def test_each_arm_is_judged_at_the_rate_that_fits_best(plain, expected):
    table = learning_rates(
        ("plain", 0.1, plain, 0.9), ("plain", 0.2, 0.3, 0.5), ("clipped", 0.1, 0.5, 0.4), ("clipped", 0.4, 0.1, 0.8)
    )
    (estimate,) = find("P19c").measure({"learning_rates": table})
    assert estimate.condition.startswith(
        "40 sequences, learning rates 0.1 (the least tried) and 0.4 (the greatest tried):"
    )
    assert estimate.n == len(OFFSETS)
    assert verdict("P19c", {"learning_rates": table}) == expected


def test_rates_are_not_chosen_by_those_that_are_judged():
    table = learning_rates(("plain", 0.1, 0.2, 0.9), ("plain", 0.2, 0.3, 0.9), ("clipped", 0.1, 0.1, 0.9))
    table.loc[~table["chooses"] & (table["learning_rate"] == 0.2), "train_loss"] = 0.01
    assert (
        "learning rates 0.1 (the least tried) and 0.1 (the least tried)"
        in find("P19c").measure({"learning_rates": table})[0].condition
    )


def vanishing(rate=0.0, loss=0.0, plain=-0.5):
    columns = {"cell": "tanh", "length": 20, "clipped_at": 1.0, "clipped": 0.3, "trivial_loss": 1.3863}
    return pd.DataFrame(
        {
            **columns,
            "rate_plain": plain + offset,
            "rate_clipped": plain + offset + rate + offset / 10,
            "loss_plain": 1.386 + offset,
            "loss_clipped": 1.386 + offset + loss + offset / 10,
        }
        for offset in OFFSETS
    )


@pytest.mark.parametrize(("change", "expected"), [(0.006, Verdict.SUPPORTED), (-0.015, Verdict.REFUTED)])
def test_what_clipping_changes_where_gradients_vanish(change, expected):
    assert verdict("P20a", {"vanishing": vanishing(rate=change)}) == expected
    assert verdict("P20b", {"vanishing": vanishing(loss=change)}) == expected


def test_what_was_learnt_stands_beside_the_rate():
    (estimate,) = find("P20b").measure({"vanishing": vanishing()})
    assert estimate.condition.endswith("plain loss 1.386 nats, of a constant answer 1.386")


@pytest.mark.parametrize("claim", ["P20a", "P20b"])
def test_nothing_is_decided_where_gradients_do_not_vanish(claim):
    assert verdict(claim, {"vanishing": vanishing(plain=-0.01)}) == Verdict.INCONCLUSIVE

"""Claims P19.

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

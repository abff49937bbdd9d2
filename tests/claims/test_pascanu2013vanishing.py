"""Claims P20.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

OFFSETS = (-2e-3, -1e-3, 0.0, 1e-3, 2e-3, 1e-3, 0.0, -1e-3)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


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

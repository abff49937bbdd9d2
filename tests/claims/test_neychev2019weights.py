"""Claims L17b and L17c.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

OFFSETS = np.linspace(-1, 1, 16)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def networks(ratio, jitter=0.05, **columns):
    rows = [
        {"block": block, "sharing": sharing, "steps": steps, "spread": spread * math.exp(sign * jitter * offset)}
        for block, offset in enumerate(OFFSETS)
        for sharing, sign in (("tied", 1), ("independent", -1))
        for steps, spread in ((10, 1.0), (100, 2.0 * (ratio if sharing == "tied" else 1.0)))
    ]
    return {"spreads": pd.DataFrame(rows).assign(**{"scheme": "gaussian", "gain": 1.0, "drive": 0.1, **columns})}


@pytest.mark.parametrize("claim", ["L17b1", "L17b2"])
def test_spread_at_initialisation_at_the_largest_lag(claim):
    assert verdict(claim, networks(4.0)) == Verdict.SUPPORTED
    assert verdict(claim, networks(1.6)) == Verdict.SUPPORTED
    assert verdict(claim, networks(1.0)) == Verdict.REFUTED
    assert verdict(claim, networks(1.25)) == Verdict.INCONCLUSIVE
    both = pd.concat([networks(4.0)["spreads"], networks(1.0, scheme="orthogonal")["spreads"]])
    assert verdict(claim, {"spreads": both}) == Verdict.REFUTED
    (one,) = find(claim).measure(networks(4.0))
    assert one.value == pytest.approx(math.log(4))
    assert one.condition == "gaussian, gain 1.0, inputs 0.1"


def trainings(outcome, difference, jitter=0.02, **columns):
    rows = [
        {"network": i, "sharing": sharing, outcome: 0.3 + added + jitter * offset * (sharing == "tied")}
        for i, offset in enumerate(OFFSETS)
        for sharing, added in (("tied", difference), ("independent", 0.0))
    ]
    return {"trainings": pd.DataFrame(rows).assign(**{"scheme": "gaussian", "length": 10, **columns})}


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        ("L17c1", "jumped"),
        ("L17c2", "ruined"),
        ("L17c3", "ruined"),
        ("L17c4", "failed"),
        ("L17c5", "failed"),
        ("L17c6", "failed"),
    ],
)
def test_training(claim, outcome):
    assert verdict(claim, trainings(outcome, 0.1)) == Verdict.SUPPORTED
    assert verdict(claim, trainings(outcome, 0.0)) == Verdict.REFUTED
    assert verdict(claim, trainings(outcome, -0.3)) == Verdict.REFUTED
    assert verdict(claim, trainings(outcome, 0.03)) == Verdict.INCONCLUSIVE
    assert verdict(claim, trainings(outcome, math.nan)) == Verdict.INCONCLUSIVE
    deeper = trainings(outcome, -0.3, length=40)["trainings"]
    both = {"trainings": pd.concat([trainings(outcome, 0.1)["trainings"], deeper])}
    assert verdict(claim, both) == Verdict.REFUTED  # turns with depth
    shallow, deep = find(claim).measure(both)
    assert shallow.value == pytest.approx(0.1)
    assert shallow.condition == "gaussian, 10 steps: 0.400 and 0.300"
    assert deep.n == 16

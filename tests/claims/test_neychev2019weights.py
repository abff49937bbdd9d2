"""Claims L17a to L17c.

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
STEPS = (50, 200, 800)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def products(tied=1.0, independent=0.5, gap=0.0, jitter=1e-3, **columns):
    """Spreads of a known exponent in 16 blocks, and a known distance from the law a factor."""
    rows = [
        {
            "width": 50,
            "sharing": sharing,
            "block": block,
            "steps": steps,
            "spread": 0.1 * steps ** (exponent + jitter * offset),
            "law_gap": steps * (gap + 1e-5 * offset) - 1.5 * (sharing == "tied"),
        }
        for sharing, exponent in (("tied", tied), ("independent", independent))
        for block, offset in enumerate(OFFSETS)
        for steps in STEPS
    ]
    return {"spreads": pd.DataFrame(rows).assign(**columns)}


def test_exponents():
    assert verdict("L17a1", products()) == Verdict.SUPPORTED
    assert verdict("L17a1", products(1.03, 0.47)) == Verdict.SUPPORTED
    assert verdict("L17a1", products(tied=0.5)) == Verdict.REFUTED  # no difference between the two
    assert verdict("L17a1", products(independent=0.58)) == Verdict.REFUTED
    assert verdict("L17a1", products(tied=1.06)) == Verdict.REFUTED
    assert verdict("L17a1", products(jitter=0.3)) == Verdict.INCONCLUSIVE
    assert verdict("L17a1", products(spread=0.0)) == Verdict.INCONCLUSIVE  # orthogonal matrices have none
    independent, tied = find("L17a1").measure(products(1.02, 0.49))
    assert (tied.value, independent.value) == pytest.approx((0.02, -0.01))
    assert tied.condition == "n = 50, tied: 1.020 for 1"
    assert tied.n == 16


def test_rates():
    assert verdict("L17a2", products()) == Verdict.SUPPORTED  # a prefactor of e^-1.5 is -0.0019 over 800 factors
    assert verdict("L17a2", products(gap=0.002)) == Verdict.SUPPORTED
    assert verdict("L17a2", products(gap=-0.004)) == Verdict.REFUTED
    assert verdict("L17a2", products(gap=math.nan)) == Verdict.INCONCLUSIVE
    independent, tied = find("L17a2").measure(products(gap=0.001))
    assert (tied.value, independent.value) == pytest.approx((0.001 - 1.5 / 800, 0.001))


def bulk(ratio, jitter=0.01):
    rows = [
        {"law_share": law, "draw": draw, "sharing": sharing, "share": law * factor * (1 + jitter * offset)}
        for law in (0.25, 0.5)
        for draw, offset in enumerate(OFFSETS)
        for sharing, factor in (("tied", ratio), ("independent", 1.0))
    ]
    return {"bulk": pd.DataFrame(rows)}


def test_bulk():
    assert verdict("L17a3", bulk(1.0)) == Verdict.SUPPORTED
    assert verdict("L17a3", bulk(1.02)) == Verdict.SUPPORTED
    assert verdict("L17a3", bulk(0.92)) == Verdict.REFUTED
    assert verdict("L17a3", bulk(1.085)) == Verdict.REFUTED
    assert verdict("L17a3", bulk(1.05)) == Verdict.INCONCLUSIVE
    assert [e.value for e in find("L17a3").measure(bulk(1.02))] == pytest.approx([0.02, 0.02])


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

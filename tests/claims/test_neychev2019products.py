"""Claims L17a.

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

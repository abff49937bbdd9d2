"""Claim P9 in three parts.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find


def attractors(*rows):
    columns = ["period", "log_radius", "rate", "separation"]
    return {"attractors": pd.DataFrame(rows, columns=columns)}


def settled(gap, period=1, law=-0.1):
    return (period, law, law + gap, 0.0)


def chaotic(*rates, separation=5.0):
    return attractors(*[(0, math.nan, rate, separation) for rate in rates])


def distances(slope, spread=1e-3):
    rows = [
        {"unit": i, "decade": d, "rate": -0.5 + (slope + spread * offset) * d}
        for i, offset in enumerate((-1, 0, 1, 0))
        for d in range(1, 7)
    ]
    return {"distances": pd.DataFrame(rows)}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def test_the_rate_at_fixed_points_and_cycles():
    cycle = settled(0.0, period=4)
    assert verdict("P9a", attractors(settled(0.0), cycle)) == Verdict.SUPPORTED
    assert verdict("P9a", attractors(settled(0.005), cycle)) == Verdict.SUPPORTED
    assert verdict("P9a", attractors(settled(0.0), settled(0.015), cycle)) == Verdict.REFUTED  # one is enough
    assert verdict("P9a", attractors(settled(0.0), settled(-0.015, period=2))) == Verdict.REFUTED
    assert verdict("P9a", attractors(settled(0.04, law=-1.0), cycle)) == Verdict.SUPPORTED  # 5 % of the rate
    assert verdict("P9a", attractors(settled(0.0))) == Verdict.INCONCLUSIVE  # no cycle was found
    # Not hyperbolic, or no attractor known: not asked.
    assert verdict("P9a", attractors(settled(0.0), cycle, settled(0.5, law=-0.005))) == Verdict.SUPPORTED
    assert verdict("P9a", attractors(settled(0.0), cycle, (0, math.nan, 0.3, 9.0))) == Verdict.SUPPORTED
    assert verdict("P9a", attractors(settled(0.0), cycle, (2, math.nan, 0.3, 0.0))) == Verdict.INCONCLUSIVE


def test_chaotic_networks_explode():
    assert verdict("P9b", chaotic(0.2, 0.25, 0.22)) == Verdict.SUPPORTED
    assert verdict("P9b", chaotic(0.015, 0.0151)) == Verdict.SUPPORTED
    assert verdict("P9b", chaotic(0.005, 0.0051)) == Verdict.REFUTED
    assert verdict("P9b", chaotic(0.2, 0.25, separation=1e-7)) == Verdict.INCONCLUSIVE  # twins together: no chaos
    assert verdict("P9b", chaotic(0.2, math.nan)) == Verdict.INCONCLUSIVE
    (estimate,) = find("P9b").measure(
        {"attractors": pd.concat([chaotic(0.2, 0.3)["attractors"], attractors(settled(0.0))["attractors"]])}
    )
    assert (estimate.n, estimate.condition) == (2, "2 of 3 networks")


def test_the_trend_over_decades():
    assert verdict("P9c", distances(0.08)) == Verdict.SUPPORTED
    assert verdict("P9c", distances(0.015)) == Verdict.SUPPORTED
    assert verdict("P9c", distances(0.005)) == Verdict.REFUTED
    assert verdict("P9c", distances(-0.1)) == Verdict.REFUTED
    assert verdict("P9c", distances(0.01)) == Verdict.INCONCLUSIVE
    (estimate,) = find("P9c").measure(distances(0.08))
    assert np.isclose(estimate.value, 0.08)
    assert estimate.n == 4

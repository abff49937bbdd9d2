"""Claim P8 in four parts.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import pandas as pd

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

LENGTHS = (50, 100, 200, 400)


def folds(*peaks, points=(1, 3)):
    """One start for each function of T at the lower fold, and one at the upper."""
    rows = [
        {
            "fold": fold,
            "start": float(i),
            "steps": t,
            "log_peak": peak(t),
            "points_below": points[0],
            "points_above": points[1],
        }
        for fold in ("lower", "upper")
        for i, peak in enumerate(peaks)
        for t in LENGTHS
    ]
    return {"folds": pd.DataFrame(rows)}


def crossings(*rates, law=0.2, distance=0.1, width=0.0, weight=5.0):
    rows = [
        {
            "run": "r",
            "weight": weight,
            "unit": i,
            "start": 0.1 * i,
            "b": -2.5,
            "steps": t,
            "log_derivative_low": rate * t - width,
            "log_derivative_high": rate * t + width,
            "fold_distance": distance,
            "saddle_rate": law,
        }
        for i, rate in enumerate(rates)
        for t in LENGTHS
    ]
    return {"crossings": pd.DataFrame(rows)}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def power(exponent):
    return lambda t: exponent * math.log(t)


def test_one_bounded_crossing_of_a_fold_is_enough():
    assert verdict("P8a", folds(power(3), power(0))) == Verdict.SUPPORTED
    assert verdict("P8a", folds(power(3), lambda t: 0.09 * t / 400)) == Verdict.SUPPORTED
    assert verdict("P8a", folds(power(3), power(1))) == Verdict.INCONCLUSIVE
    assert verdict("P8a", folds(power(0), points=(3, 3))) == Verdict.INCONCLUSIVE  # nothing bifurcates in the window
    assert verdict("P8a", folds(lambda t: math.nan)) == Verdict.INCONCLUSIVE
    (best,) = find("P8a").measure(folds(power(3), power(0.01)))
    assert (best.n, best.condition) == (4, "lower fold, x₀ = 1.00")


def test_one_explosion_off_the_folds_is_enough():
    assert verdict("P8b", crossings(0.0, 0.2)) == Verdict.SUPPORTED
    assert verdict("P8b", crossings(0.009)) == Verdict.INCONCLUSIVE
    assert verdict("P8b", crossings(0.2, distance=0.005)) == Verdict.INCONCLUSIVE
    assert verdict("P8b", crossings(0.2, distance=math.inf)) == Verdict.SUPPORTED  # no fold at all
    assert verdict("P8b", crossings(0.02, width=2.0)) == Verdict.INCONCLUSIVE  # known only to 0.02
    assert verdict("P8b", crossings(math.nan)) == Verdict.INCONCLUSIVE


def test_the_rate_of_the_saddle():
    assert verdict("P8c", crossings(0.2, 0.2)) == Verdict.SUPPORTED
    assert verdict("P8c", crossings(0.2, 0.205)) == Verdict.SUPPORTED
    assert verdict("P8c", crossings(0.2, 0.215)) == Verdict.REFUTED  # one start is enough
    assert verdict("P8c", crossings(0.2, 0.185)) == Verdict.REFUTED
    assert verdict("P8c", crossings(0.515, law=0.5)) == Verdict.SUPPORTED  # 5 % of 0.5 is 0.025
    assert verdict("P8c", crossings(0.2, width=2.0)) == Verdict.INCONCLUSIVE
    assert verdict("P8c", crossings(0.2, math.nan)) == Verdict.INCONCLUSIVE
    both = pd.concat([crossings(0.2)["crossings"], crossings(0.25, weight=6.0)["crossings"]])
    assert verdict("P8c", {"crossings": both}) == Verdict.REFUTED


def test_the_power_of_the_ghost():
    assert verdict("P8d", folds(power(3), power(2.9))) == Verdict.SUPPORTED
    assert verdict("P8d", folds(power(3), power(2.8))) == Verdict.REFUTED
    assert verdict("P8d", folds(power(3), power(3.2))) == Verdict.REFUTED
    assert verdict("P8d", folds(lambda t: 0.1 * t)) == Verdict.REFUTED  # an exponential
    assert verdict("P8d", folds(power(3), lambda t: math.nan)) == Verdict.INCONCLUSIVE
    (lower, _) = find("P8d").measure(folds(power(3), power(2.9)))
    assert abs(lower.value + 0.1) < 1e-9

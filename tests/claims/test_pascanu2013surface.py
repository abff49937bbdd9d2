"""Claim P7 in two parts.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import pandas as pd

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

ON, OFF = ("low", "high"), ("below", "above")


def wall(gradient=0.2, curvature=0.4, off=0.0, weights=(5.0, 6.0), **places):
    """Rates of both logarithms on the wall, and of the curvature off it; single places may differ."""
    rates = dict.fromkeys(ON, (gradient, curvature)) | dict.fromkeys(OFF, (0.0, off)) | places
    rows = [
        {"w": w, "place": place, "steps": t, "log_gradient": g * t, "log_curvature": 1 + c * t}
        for w in weights
        for place, (g, c) in rates.items()
        for t in (25, 50)
    ]
    return {"wall": pd.DataFrame(rows)}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def test_the_curvature_must_grow_more_on_the_wall_than_off_it():
    assert verdict("P7a", wall()) == Verdict.SUPPORTED
    assert verdict("P7a", wall(curvature=0.015)) == Verdict.SUPPORTED
    assert verdict("P7a", wall(curvature=0.005)) == Verdict.REFUTED
    assert verdict("P7a", wall(curvature=0.4, off=0.4)) == Verdict.REFUTED  # explodes, but everywhere
    assert verdict("P7a", wall(above=(0.0, 0.4))) == Verdict.REFUTED  # the larger of the two points counts
    assert verdict("P7a", wall(low=(0.2, 0.005))) == Verdict.INCONCLUSIVE  # the wall's two neighbours disagree
    assert verdict("P7a", wall(gradient=0.005)) == Verdict.INCONCLUSIVE  # nothing explodes
    assert verdict("P7a", wall(curvature=math.nan)) == Verdict.INCONCLUSIVE


def test_one_weight_without_curvature_refutes():
    tables = {"wall": pd.concat([wall(weights=(5.0,))["wall"], wall(curvature=0.0, weights=(6.0,))["wall"]])}
    assert verdict("P7a", tables) == Verdict.REFUTED
    assert [e.condition[:5] for e in find("P7a").measure(tables)] == ["w = 5", "w = 6"]


def test_twice_the_gradients_rate():
    assert verdict("P7b", wall(0.2, 0.4)) == Verdict.SUPPORTED
    assert verdict("P7b", wall(0.2, 0.41)) == Verdict.SUPPORTED  # 5 % of 0.4 is 0.02
    assert verdict("P7b", wall(0.2, 0.43)) == Verdict.REFUTED
    assert verdict("P7b", wall(0.2, 0.2)) == Verdict.REFUTED  # the same rate, as in the linear model
    assert verdict("P7b", wall(0.05, 0.109)) == Verdict.SUPPORTED  # 0.01 is more than 5 % of 0.1
    assert verdict("P7b", wall(0.2, 0.4, high=(0.2, 0.43))) == Verdict.INCONCLUSIVE
    assert verdict("P7b", wall(0.005, 0.01)) == Verdict.INCONCLUSIVE
    (five, _) = find("P7b").measure(wall(0.2, 0.41))
    assert abs(five.value - 0.5) < 1e-9

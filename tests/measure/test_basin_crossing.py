"""Crossing a basin boundary.

Oracles: the linearised map at the saddle in 150 digits (mpmath), whose bias is known in closed form; float64 where it
suffices; the dossier's figures at w = 5, x_0 = 0.5.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gradstudy.errors import ConvergenceError
from gradstudy.measure import basin_crossing
from gradstudy.measure.basin_crossing import basin_crossings
from gradstudy.measure.one_unit import bias_derivatives
from gradstudy.theory.one_unit import boundary_bias, folds

LENGTHS = [50, 100, 200, 400]


def log_saddle_derivative(weight, start, steps):
    """log of 1 + s + ... + s^(T-1), s = w sigma'(x_0): dx_T/db where x_0 is the saddle."""
    with mpmath.workdps(150):
        value = 1 / (1 + mpmath.exp(-mpmath.mpf(start)))
        s = weight * value * (1 - value)
        return float(mpmath.log((s**steps - 1) / (s - 1)))


@pytest.mark.parametrize("weight", [4.8, 5.0, 7.0])
def test_against_the_closed_form(weight):
    table = basin_crossings(weight, 3, LENGTHS, seed=3)
    assert len(table) == 12
    for row in table.itertuples():
        assert row.b == pytest.approx(boundary_bias(weight, row.start), abs=1e-15)
        want = log_saddle_derivative(weight, row.start, row.steps)
        # What is left of the distance to the crossing has grown up to e^-25 of the derivative at the last length.
        assert row.log_derivative_low == pytest.approx(want, abs=1e-6)
        assert 0 < row.log_derivative_high - row.log_derivative_low < 1e-8
        assert row.fold_distance == min(abs(row.b - fold.bias) for fold in folds(weight))


def test_the_dossiers_figures():
    # Its 3.5e4 and 1.1e8 are the largest derivative across the crossing; that at the saddle is about half of it.
    for steps, largest in ((50, 3.5e4), (100, 1.1e8)):
        at_saddle = math.exp(log_saddle_derivative(5.0, 0.5, steps))
        width = 10 / at_saddle

        def negative(u, steps=steps, width=width):
            return -float(bias_derivatives(5.0, boundary_bias(5.0, 0.5) + u * width, 0.5, [steps])[0])

        peak = -minimize_scalar(negative, bounds=(-1, 1), method="bounded").fun
        assert peak == pytest.approx(largest, rel=0.02)
        assert 0.4 < at_saddle / peak < 0.6


def test_a_planted_weight_moves_the_rate_by_its_logarithm():
    rates = {}
    for scale in (1.0, 1.01):
        table = basin_crossings(5.0, 2, [100, 200], weight_scale=scale, seed=5)
        wide = table.pivot(index="unit", columns="steps", values="log_derivative_low")
        rates[scale] = (wide[200] - wide[100]) / 100
        assert table["saddle_rate"].nunique() == 2
    np.testing.assert_allclose(rates[1.01] - rates[1.0], math.log(1.01), atol=1e-3)


def test_one_basin_has_a_bounded_derivative():
    table = basin_crossings(3.9, 2, LENGTHS, seed=0)
    assert table["log_derivative_high"].max() < math.log(1 / (1 - 3.9 / 4))
    assert np.isinf(table["fold_distance"]).all()


def test_a_side_that_rounding_leaves_open_is_refused(monkeypatch):
    monkeypatch.setattr(basin_crossing, "_GUARD_BITS", -8)
    with pytest.raises(ConvergenceError, match=r"uncertain in \d+ bits"):
        basin_crossings(5.0, 1, [200], seed=0)

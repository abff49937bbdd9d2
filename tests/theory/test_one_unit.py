"""Fixed points, folds and rates of one sigmoid unit.

Oracles: residuals and derivatives in 50 digits (mpmath); long runs of the map itself.
"""

from __future__ import annotations

import math

import mpmath
import pytest

from gradstudy.measure.one_unit import final_state, log_start_derivative
from gradstudy.theory.one_unit import (
    boundary_bias,
    fixed_points,
    folds,
    rate_per_decade,
    saddle_rate,
    slope,
)


def mp_map(weight, bias):
    return lambda x: weight / (1 + mpmath.exp(-x)) + bias


@pytest.mark.parametrize("weight", [4.05, 5.0, 7.0, 20.0])
def test_at_a_fold_the_slope_is_1_at_a_fixed_point(weight):
    with mpmath.workdps(50):
        for fold in folds(weight):
            assert abs(mp_map(weight, fold.bias)(mpmath.mpf(fold.state)) - fold.state) < 1e-14
            assert abs(mpmath.diff(mp_map(weight, fold.bias), fold.state) - 1) < 1e-13
    lower, upper = (fold.bias for fold in folds(weight))
    inside = 1e-3 * (upper - lower)
    assert [len(fixed_points(weight, b)) for b in (lower - inside, lower + inside)] == [1, 3]
    assert [len(fixed_points(weight, b)) for b in (upper - inside, upper + inside)] == [3, 1]


def test_there_is_no_fold_up_to_the_weight_4():
    assert folds(4.0) == folds(1.0) == ()
    assert len(fixed_points(4.0, -1.9)) == 1
    # The biases of the paper's Fig. 3, as b = x - w sigma(x) at sigma' = 1/5.
    assert [round(fold.bias, 4) for fold in folds(5.0)] == [-2.6556, -2.3444]


@pytest.mark.parametrize(("weight", "bias"), [(5.0, -2.5), (5.0, -2.61), (7.0, -3.0), (3.0, -1.0), (5.0, 1.0)])
def test_fixed_points_against_50_digits_and_the_map(weight, bias):
    found = fixed_points(weight, bias)
    with mpmath.workdps(50):
        assert all(abs(mp_map(weight, bias)(mpmath.mpf(x)) - x) < 1e-13 for x in found)
    assert final_state(weight, bias, -20.0, 5000) == pytest.approx(found[0])
    assert final_state(weight, bias, 20.0, 5000) == pytest.approx(found[-1])
    if len(found) == 3:
        saddle = found[1]
        ends = final_state(weight, bias, [saddle - 1e-6, saddle + 1e-6], 5000)
        assert list(ends) == pytest.approx([found[0], found[2]])


def test_a_start_is_the_saddle_at_its_boundary_bias():
    bias = boundary_bias(5.0, 0.5)
    assert fixed_points(5.0, bias)[1] == pytest.approx(0.5, abs=1e-13)
    with mpmath.workdps(50):
        derivative = mpmath.diff(mp_map(5.0, bias), mpmath.mpf("0.5"))
        assert slope(5.0, 0.5) == pytest.approx(float(derivative), rel=1e-14)
        assert saddle_rate(5.0, 0.5) == pytest.approx(float(mpmath.log(derivative)), abs=1e-14)
    assert saddle_rate(3.9, 0.0) < 0


@pytest.mark.parametrize("side", [1, -1])
def test_the_gain_of_a_decade_against_the_map(side):
    weight, bias, steps = 6.0, boundary_bias(6.0, 0.2), 200
    starts = [0.2 + side * 10.0**-decade for decade in (3, 4, 5)]
    rates = log_start_derivative(weight, bias, starts, steps) / steps
    gains = rates[1:] - rates[:-1]
    assert list(gains) == pytest.approx([rate_per_decade(weight, bias, side, steps)] * 2, rel=5e-3)
    assert math.log(10) / steps < gains.min()

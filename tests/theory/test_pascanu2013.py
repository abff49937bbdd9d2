"""Bounds and closed forms of Pascanu et al. 2013.

Oracles: numerical maximum of the activations' slopes; 50-digit derivatives of w^t (mpmath); gradients of the network
that grows fastest, one relu unit, in closed form.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from gradstudy.models.pascanu import STEEPEST
from gradstudy.theory.pascanu2013 import GAMMA, log10_reach, log_bound, log_scalar_derivatives


def test_gamma_is_the_largest_slope():
    x = np.linspace(-10, 10, 200001)
    sigmoid = 1 / (1 + np.exp(-x))
    assert pytest.approx((sigmoid * (1 - sigmoid)).max(), abs=1e-12) == GAMMA["sigmoid"]
    assert pytest.approx((1 - np.tanh(x) ** 2).max(), abs=1e-12) == GAMMA["tanh"]
    assert GAMMA == STEEPEST  # written down in both wings, which meet only in records


def test_log_bound():
    assert log_bound("sigmoid", 4.0) == 0.0
    assert log_bound("tanh", math.e) == pytest.approx(1.0)
    assert log_bound("tanh", 0.0) == -math.inf


@pytest.mark.parametrize("weight", [0.9, 1.1, -1.2])
@pytest.mark.parametrize("steps", [2, 7, 100])
def test_derivatives_of_the_scalar_model(weight, steps):
    with mpmath.workdps(50):
        w = mpmath.mpf(weight)
        first = mpmath.diff(lambda v: v**steps, w)
        second = mpmath.diff(lambda v: v**steps, w, 2)
        got = log_scalar_derivatives(weight, steps)
        assert got == pytest.approx((float(mpmath.log(abs(first))), float(mpmath.log(abs(second)))), abs=1e-9)


@pytest.mark.parametrize(("largest", "steps"), [(1.0, 5), (3.0, 20), (300.0, 20)])
def test_no_gradient_of_the_fastest_unit_is_beyond_its_reach(largest, steps):
    # h_t = w (h_{t-1} + x) with x = 1 and a read-out of w h_T, w as large as all weights together may be.
    w, h, dh = mpmath.mpf(largest), mpmath.mpf(0), mpmath.mpf(0)
    for _ in range(steps):
        h, dh = w * (h + 1), (h + 1) + w * dh
    slope = 2 * (w * h + 1)
    squared = (slope * w * dh) ** 2 + (slope * h) ** 2
    reach = log10_reach(1.0, largest - 1.0, steps, 1.0)
    assert float(mpmath.log10(squared)) < reach
    assert reach < float(mpmath.log10(squared)) + 2 * math.log10(12 * steps**3 * 4) + 3


def test_a_path_without_end_reaches_everything():
    assert log10_reach(1.0, math.inf, 20, 1.0) == math.inf

"""Bounds and closed forms of Pascanu et al. 2013.

Oracles: numerical maximum of the activations' slopes; 50-digit derivatives of w^t (mpmath).
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from gradstudy.models.pascanu import STEEPEST
from gradstudy.theory.pascanu2013 import GAMMA, log_bound, log_scalar_derivatives


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

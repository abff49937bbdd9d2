"""Derivatives of one unit and of its error.

Oracles: autograd twice over a loop in torch; differences in 60 digits (mpmath); the largest gradients on the dossier's
grids.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from gradstudy.measure.error_surface import START, TARGET, error_and_gradient, error_surface, grid_maxima, surface_map
from gradstudy.measure.one_unit import (
    bias_derivatives,
    final_state,
    log_start_derivative,
    state_gradient,
    unroll,
)

POINTS = [(5.0, -2.6, 0.5, 30), (4.69, -2.42, 0.5, 50), (6.5, -3.6, -0.3, 12), (-2.0, 0.7, 0.1, 9), (1.0, 0.0, 3.0, 1)]


def torch_state(point, start, steps):
    x = torch.as_tensor(start, dtype=torch.float64)
    for _ in range(steps):
        x = point[0] * torch.sigmoid(x) + point[1]
    return x


def mp_state(weight, bias, start, steps):
    x = mpmath.mpf(start)
    for _ in range(steps):
        x = weight / (1 + mpmath.exp(-x)) + bias
    return x


def mp_error(weight, bias, steps):
    return (1 / (1 + mpmath.exp(-mp_state(weight, bias, START, steps))) - mpmath.mpf("0.7")) ** 2


@pytest.mark.parametrize(("weight", "bias", "start", "steps"), POINTS)
def test_the_unit_against_autograd_and_differences(weight, bias, start, steps):
    found = unroll(weight, bias, start, steps)
    point = torch.tensor([weight, bias], dtype=torch.float64)

    def last(p):
        return torch_state(p, start, steps)

    assert found.state == pytest.approx(float(last(point)), rel=1e-13)
    want = torch.autograd.functional.jacobian(last, point).numpy()
    np.testing.assert_allclose(found.gradient, want, rtol=1e-10, atol=1e-14)
    want = torch.autograd.functional.hessian(last, point).numpy()
    np.testing.assert_allclose(found.hessian, want, rtol=1e-9, atol=1e-12)
    with mpmath.workdps(60):
        for order, value in (((1, 0), found.gradient[0]), ((0, 1), found.gradient[1]), ((1, 1), found.hessian[0, 1])):
            want = mpmath.diff(lambda w, b: mp_state(w, b, start, steps), (weight, bias), order)
            assert value == pytest.approx(float(want), rel=1e-10, abs=1e-13)


@pytest.mark.parametrize(("weight", "bias", "start", "steps"), POINTS)
def test_short_cuts_agree_with_the_whole(weight, bias, start, steps):
    found = unroll(weight, bias, start, steps)
    state, gradient = state_gradient(weight, bias, start, steps)
    assert state == found.state == final_state(weight, bias, start, steps)
    np.testing.assert_allclose(gradient, found.gradient, rtol=1e-13)
    np.testing.assert_allclose(bias_derivatives(weight, [bias], start, [1, steps])[-1], found.gradient[1], rtol=1e-13)
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    (want,) = torch.autograd.grad(torch_state((weight, bias), x, steps), x)
    if weight > 0:
        assert log_start_derivative(weight, bias, start, steps) == pytest.approx(float(want.log()), rel=1e-12)


def test_saturated_units_keep_their_logarithm():
    with mpmath.workdps(500):
        x, derivative = mpmath.mpf(800), mpmath.mpf(1)
        for _ in range(3):
            s = 1 / (1 + mpmath.exp(-x))
            x, derivative = 50 * s + 100, derivative * 50 * s * (1 - s)
        assert log_start_derivative(50.0, 100.0, 800.0, 3) == pytest.approx(float(mpmath.log(derivative)), rel=1e-12)


@pytest.mark.parametrize(("weight", "bias"), [(4.69, -2.42), (5.0, -2.612296656), (6.0, -3.2), (2.0, 0.3)])
def test_the_error_against_autograd_and_differences(weight, bias):
    found = error_surface(weight, bias)
    point = torch.tensor([weight, bias], dtype=torch.float64)

    def error(p):
        return (torch.sigmoid(torch_state(p, START, 50)) - TARGET) ** 2

    assert found.error == pytest.approx(float(error(point)), rel=1e-9)
    want = torch.autograd.functional.jacobian(error, point).numpy()
    np.testing.assert_allclose(found.gradient, want, rtol=1e-8)
    want = torch.autograd.functional.hessian(error, point).numpy()
    np.testing.assert_allclose(found.hessian, want, rtol=1e-7)
    with mpmath.workdps(60):
        value = mpmath.diff(lambda w, b: mp_error(w, b, 50), (weight, bias), (0, 2))
        assert found.hessian[1, 1] == pytest.approx(float(value), rel=1e-7)
    v = found.gradient / np.linalg.norm(found.gradient)
    assert found.curvature == pytest.approx(v @ found.hessian @ v)
    values, vectors = np.linalg.eigh(found.hessian)
    assert found.alignment == pytest.approx(abs(vectors[:, np.abs(values).argmax()] @ v))
    np.testing.assert_allclose(error_and_gradient(weight, bias)[1], found.gradient, rtol=1e-13)


def test_the_largest_gradient_on_a_grid_is_an_artefact_of_the_grid():
    found = grid_maxima([200, 400, 800])
    assert found["largest"].tolist() == pytest.approx([96, 247, 912], abs=0.6)
    assert found["median"].tolist() == pytest.approx([0.048] * 3, abs=5e-4)
    for row in found.itertuples():
        assert error_surface(row.w, row.b).norm == pytest.approx(row.largest)


def test_the_map_holds_the_error_of_every_point():
    table = surface_map(np.array([4.0, 5.0]), np.array([-2.0, -1.0, 0.0]))
    assert len(table) == 6
    row = table[(table["w"] == 5.0) & (table["b"] == -1.0)].iloc[0]
    assert row["log10_error"] == pytest.approx(np.log10(error_surface(5.0, -1.0).error), abs=1e-4)

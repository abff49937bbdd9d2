"""The wall, followed by bisection.

Oracles: the closed form of the basin boundary (theory); derivatives in 60 digits at the same bits (mpmath); the growth
of the linearised map; autograd on the planted ramp.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch

from gradstudy.measure.error_surface import START, error_surface
from gradstudy.measure.wall import Ramp, across_wall, along_wall, basin_boundary, wall_growth
from gradstudy.theory.one_unit import boundary_bias, saddle_rate

WEIGHTS = np.array([4.6, 5.0, 6.0, 7.0])


@pytest.mark.parametrize("start", [START, -0.2])
def test_the_boundary_to_the_last_bit(start):
    low, high = basin_boundary(WEIGHTS, start)
    np.testing.assert_array_equal(np.nextafter(low, 0), high)
    np.testing.assert_allclose(high, [boundary_bias(w, start) for w in WEIGHTS], rtol=0, atol=2e-15)


@pytest.mark.parametrize(("weight", "tolerance"), [(5.0, 1e-10), (6.0, 1e-6), (7.0, 2e-4)])
def test_gradient_and_curvature_on_the_wall_against_60_digits(weight, tolerance):
    (bias,) = basin_boundary(weight)[1]
    found = error_surface(weight, bias)
    with mpmath.workdps(60):

        def error(w, b):
            x = mpmath.mpf(START)
            for _ in range(50):
                x = w / (1 + mpmath.exp(-x)) + b
            return (1 / (1 + mpmath.exp(-x)) - mpmath.mpf("0.7")) ** 2

        point = (mpmath.mpf(weight), mpmath.mpf(bias))
        gradient = [float(mpmath.diff(error, point, order)) for order in ((1, 0), (0, 1))]
        second = [float(mpmath.diff(error, point, order)) for order in ((2, 0), (1, 1), (0, 2))]
    # Rounding, 1e-16 a step, grows as the gradient does: to 3e3, 3e8 and 3e11 times that. The claims on rates from 25
    # to 50 steps allow for 1e-5 * 25 in the logarithms.
    np.testing.assert_allclose(found.gradient, gradient, rtol=tolerance)
    np.testing.assert_allclose(found.hessian[[0, 0, 1], [0, 1, 1]], second, rtol=tolerance)


def test_the_gradient_grows_at_the_saddles_rate_and_the_curvature_at_twice_it():
    table = wall_growth(WEIGHTS[1:], [25, 50])
    for weight in WEIGHTS[1:]:
        rows = table[(table["w"] == weight) & (table["place"] == "high")].set_index("steps")
        gradient, curvature = (np.diff(rows[f"log_{name}"])[0] / 25 for name in ("gradient", "curvature"))
        law = saddle_rate(weight, START)
        # (s^T - 1) / (s - 1) is s^T but for e^-4 at w = 5, T = 25.
        assert gradient == pytest.approx(law, abs=2e-3)
        assert curvature == pytest.approx(2 * law, abs=5e-3)
        off = table[(table["w"] == weight) & table["place"].isin(["below", "above"])]
        assert off.groupby("place")[["log_gradient", "log_curvature"]].agg(np.ptp).to_numpy().max() < 0.05
        assert off["alignment"].min() > 0.99  # and so alignment tells nothing of the wall


def test_the_planted_ramp_against_autograd():
    weights, biases, rates = np.array([5.0, 6.0]), np.array([-2.6, -3.2]), np.array([0.02, 0.03])
    ramp, steps = Ramp(weights, biases, rates), 40
    for away in (0.0, 0.004, 0.05, -0.1):
        found = ramp(weights, biases + away, steps)
        for i, (weight, bias, rate) in enumerate(zip(weights, biases, rates, strict=True)):
            factor = math.exp(steps * saddle_rate(weight, START))
            extra = math.expm1(steps * rate)

            def error(b, bias=bias, factor=factor, extra=extra):
                u = b - bias
                return factor * u + u**2 / 2 * (1 + extra * torch.exp(-100 * u**2 / 0.1**2))

            point = torch.tensor(bias + away, dtype=torch.float64)
            want = torch.autograd.functional.jacobian(error, point)
            assert found.gradient[i] == pytest.approx([0.0, float(want)], rel=1e-9)
            want = torch.autograd.functional.hessian(error, point)
            assert found.curvature[i] == pytest.approx(float(want), rel=1e-7)
            assert found.error[i] == pytest.approx(float(error(point)), rel=1e-9, abs=1e-15)


def test_what_is_planted_is_found():
    for plant, law in (
        ({"curvature": 0.015}, lambda w: 0.015),
        ({"doubling": 0.05}, lambda w: 2.1 * saddle_rate(w, START)),
    ):
        table = wall_growth([5.0, 6.0], [25, 50], **plant)
        for weight in (5.0, 6.0):
            rows = table[(table["w"] == weight) & (table["place"] == "low")].set_index("steps")
            assert np.diff(rows["log_curvature"])[0] / 25 == pytest.approx(law(weight), abs=1e-9)
            assert np.diff(rows["log_gradient"])[0] / 25 == pytest.approx(saddle_rate(weight, START), abs=1e-6)


def test_pictures_of_the_wall():
    along = along_wall([5.0, 6.0])
    assert list(along["place"]) == ["high", "high", "above", "above"]
    across = across_wall(5.0)
    assert across["offset"].is_monotonic_increasing
    top = across.loc[across["log_gradient"].idxmax()]
    # Where the gradient is largest on this line the curvature along it changes its sign.
    beside = across[across["offset"].abs().between(abs(top["offset"]) / 5, abs(top["offset"]) * 5)]
    assert set(beside["curvature_sign"]) == {-1.0, 1.0}

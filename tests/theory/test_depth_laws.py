"""Laws of deep random networks.

Oracles: closed forms (linear networks, arcsine slopes of relu, the paper's limit for large batches); Monte Carlo of the
definitions, with its own standard error.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from gradstudy.theory import balduzzi2017, he2015init, saxe2014, schoenholz2017, yang2019


def one_layer(batch, relu, draws, seed):
    """Samples of the factor that one BN layer puts on a gradient, from its definition, and their standard error."""
    rng = np.random.default_rng(seed)
    h = rng.standard_normal((draws, batch))
    centred = h - h.mean(1, keepdims=True)
    u = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    y = math.sqrt(batch) * u
    phi, slope = (np.maximum(y, 0), (y > 0).astype(float)) if relu else (y, np.ones_like(y))
    variance = ((phi - phi.mean(1, keepdims=True)) ** 2).sum(1).mean() / (batch - 1)
    g = rng.standard_normal((draws, batch))  # a gradient with covariance G
    g = slope * (g - g.mean(1, keepdims=True))
    back = g - g.mean(1, keepdims=True) - u * (u * g).sum(1, keepdims=True)
    factors = (back**2).sum(1) / (batch - 1) * batch / (variance * (batch - 3))
    return factors.mean(), factors.std() / math.sqrt(draws)


@pytest.mark.parametrize("batch", [5, 8, 32])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_batch_norm_against_monte_carlo_of_one_layer(activation, batch):
    mean, error = one_layer(batch, activation == "relu", 200_000, 1)
    assert yang2019.squared_rate(activation, batch) == pytest.approx(mean, abs=5 * error)


def test_batch_norm_limits():
    assert yang2019.squared_rate("linear", 8) == pytest.approx(6 / 5)
    assert yang2019.squared_rate("relu", 10**6) == pytest.approx(math.pi / (math.pi - 1), rel=1e-5)
    rates = [yang2019.squared_rate("relu", batch) for batch in (4, 8, 32, 256)]
    assert rates == sorted(rates, reverse=True)
    with pytest.raises(ValueError, match="infinite below 4"):
        yang2019.squared_rate("relu", 3)
    with pytest.raises(ValueError, match="no closed form for 'tanh'"):
        yang2019.squared_rate("tanh", 8)


@pytest.mark.parametrize("q", [0.1, 2.0])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "linear"])
def test_quadrature_against_adaptive_integration(activation, q):
    slope = {
        "tanh": lambda z: 1 / np.cosh(z) ** 2,
        "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        "relu": lambda z: float(z > 0),
        "linear": lambda z: 1.0,
    }[activation]
    exact = integrate.quad(
        lambda z: slope(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -10, 10, points=[0]
    )[0]
    assert schoenholz2017.mean_square_slope(activation, q) == pytest.approx(exact, rel=1e-6)


def test_fixed_points():
    q = schoenholz2017.fixed_point("tanh", 1.5, 0.1)
    assert q == pytest.approx(1.5**2 * schoenholz2017.mean_square("tanh", q) + 0.01, rel=1e-12)
    assert schoenholz2017.fixed_point("relu", 1.2, 0.3) == pytest.approx(0.09 / (1 - 0.72))  # q = sw^2 q / 2 + sb^2
    assert schoenholz2017.chi_1("relu", 1.2, 7.0) == pytest.approx(0.72)
    assert math.isnan(schoenholz2017.fixed_point("relu", 1.6, 0.1))
    sigma_w, sigma_b = schoenholz2017.critical_point("tanh", 0.1)
    assert schoenholz2017.chi_1("tanh", sigma_w, 0.1) == pytest.approx(1)
    assert schoenholz2017.fixed_point("tanh", sigma_w, sigma_b) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(ValueError, match="no critical point"):
        schoenholz2017.critical_point("sigmoid", 0.1)


@pytest.mark.parametrize("width", [8, 32])
def test_typical_rectifier_layer_against_monte_carlo(width):
    rng = np.random.default_rng(0)
    active = rng.binomial(width, 0.5, 400_000)
    factors = 2 / width * rng.chisquare(active[active > 0])
    logs = np.log(factors)
    assert he2015init.quenched_rate(width) == pytest.approx(logs.mean(), abs=5 * logs.std() / math.sqrt(len(logs)))


def test_typical_rectifier_layer_to_first_order():
    assert he2015init.quenched_rate(1000) == pytest.approx(-5 / 2000, rel=0.01)


def test_theorem_of_branches_telescopes():
    for depth in (1, 7, 40):
        closed = math.gamma(depth + 1.5) / math.gamma(1.5) / math.gamma(depth + 2)  # beta = 1: prod (l + 1/2) / (l + 1)
        assert balduzzi2017.normalised_residual(depth, 1.0) == pytest.approx(closed)
    slope = math.log(balduzzi2017.normalised_residual(40_000, 0.5) / balduzzi2017.normalised_residual(10_000, 0.5))
    assert slope / math.log(4) == pytest.approx(-0.5, abs=1e-3)
    centred = [balduzzi2017.normalised_residual(depth, 1.0, growth=balduzzi2017.CENTRED) for depth in (10_000, 40_000)]
    assert math.log(centred[1] / centred[0]) / math.log(4) == pytest.approx(-math.pi / (2 * (math.pi - 1)), abs=1e-3)


def test_mean_field_of_shattering_against_monte_carlo_of_one_layer():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 400_000))
    both = ((a > 0) & (b > 0)).mean()
    assert balduzzi2017.mean_field_plain(1) == pytest.approx(2 * both, abs=0.01) == pytest.approx(0.5, abs=0.01)
    c = 2 * (np.maximum(a, 0) * np.maximum(b, 0)).mean()  # correlation of the next layer's pre-activations
    second = c * a + math.sqrt(1 - c * c) * b
    again = 2 * ((a > 0) & (second > 0)).mean()
    assert balduzzi2017.mean_field_plain(2) == pytest.approx(2 * both * again, abs=0.01)
    # A power law: each doubling of a large depth takes a factor of 2^3.
    assert balduzzi2017.mean_field_plain(2000) / balduzzi2017.mean_field_plain(4000) == pytest.approx(8, rel=0.02)
    assert balduzzi2017.mean_field_residual(1) == pytest.approx(balduzzi2017.residual(1))
    assert balduzzi2017.mean_field_residual(8) > balduzzi2017.residual(8)


def test_eigenvalues_within_a_square_against_points_drawn_from_the_law():
    rng = np.random.default_rng(0)
    for depth in (1, 5, 100):
        modulus, angle = rng.random(400_000) ** (depth / 2), rng.random(400_000) * 2 * math.pi
        inside = (np.abs(modulus * np.cos(angle)) < 0.05) & (np.abs(modulus * np.sin(angle)) < 0.05)
        assert saxe2014.share_in_square(0.05, depth) == pytest.approx(inside.mean(), abs=3e-3)
    assert saxe2014.share_in_square(0.05, 1) == pytest.approx(0.01 / math.pi)  # the area of the bin over the disc's
    assert saxe2014.share_in_square(0.05, 5) == pytest.approx(0.316, abs=1e-3)
    assert saxe2014.share_within(0.5, 2) == 0.5
    assert saxe2014.share_within(2.0, 2) == 1.0

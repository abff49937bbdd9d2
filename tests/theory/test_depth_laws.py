"""Laws of deep random networks.

Oracles: closed forms (linear networks, arcsine slopes of relu, the paper's limit for large batches); Monte Carlo of the
definitions, with its own standard error.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from gradstudy.theory import he2015init, schoenholz2017, yang2019


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

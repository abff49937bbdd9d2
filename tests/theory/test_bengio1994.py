"""The minimal latch of Bengio, Simard and Frasconi 1994.

Oracles: iteration of the map itself; the reference values of a second derivation; adaptive integration and
Gauss-Legendre rules for small numbers of steps; Monte Carlo with its own standard error.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special

from gradstudy.theory import bengio1994


def iterate(weight, a, drive=0.0, steps=5000):
    for _ in range(steps):
        a = weight * math.tanh(a) + drive
    return a


@pytest.mark.parametrize("weight", [1.05, 1.25, 2.0, 4.0])
def test_fixed_points_against_iteration(weight):
    assert bengio1994.fixed_point(weight) == pytest.approx(iterate(weight, 5.0), abs=1e-12)
    threshold = bengio1994.input_threshold(weight)
    for share in (-0.9, 0.5):
        drive = share * threshold
        assert bengio1994.fixed_point(weight, drive) == pytest.approx(iterate(weight, 5.0, drive), abs=1e-9)


@pytest.mark.parametrize("weight", [1.25, 2.0])
def test_the_threshold_is_where_the_second_attractor_goes(weight):
    threshold = bengio1994.input_threshold(weight)
    assert iterate(weight, 5.0, -0.999 * threshold) > 0
    assert iterate(weight, 5.0, -1.001 * threshold) < 0
    border = bengio1994.gamma_border(weight)  # the saddle and the attractor meet there
    assert weight * math.tanh(border) - threshold == pytest.approx(border)
    assert bengio1994.log_slope(weight, np.array([border, -border])) == pytest.approx(0.0, abs=1e-12)


def test_reference_values():
    assert bengio1994.input_threshold(1.25) == pytest.approx(0.078, abs=5e-4)
    assert bengio1994.input_threshold(2.0) == pytest.approx(0.533, abs=5e-4)
    flips = [bengio1994.flip_probability(w, 0.2, 100) for w in (1.05, 1.25, 1.5, 1.75, 2.0)]
    assert flips == pytest.approx([0.50, 0.31, 0.0018, 1.5e-7, 6e-13], rel=0.05)
    assert bengio1994.resting_rate(1.05) == pytest.approx(-0.099, abs=5e-4)
    assert bengio1994.resting_rate(1.25) == pytest.approx(-0.479, abs=5e-4)
    assert bengio1994.noisy_rate(1.05, 0.2) == pytest.approx(-0.1696, abs=5e-4)


def test_no_latch_below_one_and_beyond_the_threshold():
    assert math.isnan(bengio1994.fixed_point(1.0))
    assert math.isnan(bengio1994.gamma_border(0.9))
    assert math.isnan(bengio1994.input_threshold(0.9))
    assert math.isnan(bengio1994.resting_rate(0.9))
    assert math.isnan(bengio1994.resting_rate(1.25, -0.1))
    assert bengio1994.resting_rate(1.25, -0.07) > bengio1994.resting_rate(1.25)


def test_log_slope_where_tanh_saturates():
    a = np.array([0.0, 1.0, -30.0])
    exact = np.log(2.0) - 2 * np.array([0.0, math.log(math.cosh(1.0)), 30 - math.log(2)])
    assert bengio1994.log_slope(2.0, a) == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize("weight", [1.25, 2.0, 4.0])
def test_two_steps_against_adaptive_integration(weight):
    noise, start = 0.2, weight * math.tanh(bengio1994.fixed_point(weight))

    def integrand(a):
        density = math.exp(-(((a - start) / noise) ** 2) / 2) / (noise * math.sqrt(2 * math.pi))
        return density * special.ndtr(-weight * math.tanh(a) / noise)

    exact = integrate.quad(integrand, start - 30 * noise, start + 12 * noise, limit=500, epsabs=0, points=[0.0])[0]
    assert bengio1994.flip_probability(weight, noise, 2) == pytest.approx(exact, rel=1e-7)


def legendre_flip(weight, noise, steps, nodes=400):
    """Another rule on another interval, half the line at a time."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    top = weight + 10 * noise
    grid = np.concatenate([(x - 1) / 2 * top, (x + 1) / 2 * top])
    weights = np.concatenate([w, w]) / 2 * top
    density = np.exp(-(((grid[None] - weight * np.tanh(grid)[:, None]) / noise) ** 2) / 2)
    kernel = density / (noise * math.sqrt(2 * math.pi)) * weights
    wrong = (grid < 0).astype(float)
    for _ in range(steps - 1):
        wrong = kernel @ wrong
    start = bengio1994.fixed_point(weight)
    first = np.exp(-(((grid - weight * np.tanh(start)) / noise) ** 2) / 2) / (noise * math.sqrt(2 * math.pi))
    return float(first * weights @ wrong)


@pytest.mark.parametrize("weight", [1.05, 1.5, 2.0, 3.0])
def test_small_probabilities_by_another_rule(weight):
    assert bengio1994.flip_probability(weight, 0.2, 100) == pytest.approx(legendre_flip(weight, 0.2, 100), rel=1e-8)


def walk(weight, noise, count, steps, seed):
    rng = np.random.default_rng(seed)
    a = np.full(count, bengio1994.fixed_point(weight))
    for _ in range(steps):
        a = weight * np.tanh(a) + noise * rng.standard_normal(count)
        yield a


@pytest.mark.parametrize(("weight", "noise"), [(1.05, 0.2), (1.25, 0.2), (1.5, 0.3)])
def test_flips_and_rates_against_trajectories(weight, noise):
    count = 40_000
    states = list(walk(weight, noise, count, 400, 1))
    flip = bengio1994.flip_probability(weight, noise, 100)
    assert (states[99] < 0).mean() == pytest.approx(flip, abs=5 * math.sqrt(flip * (1 - flip) / count))
    rates = np.stack([bengio1994.log_slope(weight, a) for a in states[200:]]).mean(0)
    assert rates.mean() == pytest.approx(bengio1994.noisy_rate(weight, noise), abs=5 * rates.std() / math.sqrt(count))


def test_the_first_hundred_links_from_the_attractor_are_not_yet_stationary():
    weight, count = 1.25, 40_000
    rates = np.stack([bengio1994.log_slope(weight, a) for a in walk(weight, 0.2, count, 100, 2)]).mean(0)
    assert rates.mean() == pytest.approx(-0.392, abs=2e-3)
    assert bengio1994.noisy_rate(weight, 0.2) == pytest.approx(-0.3857, abs=1e-4)


def test_a_law_that_is_not_found_is_refused(monkeypatch):
    monkeypatch.setattr(bengio1994, "_MOST_STEPS", 3)
    with pytest.raises(ValueError, match="no stationary law after 3 steps"):
        bengio1994.noisy_rate(1.05, 0.2)

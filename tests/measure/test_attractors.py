"""Attractors of drawn networks and the rate of their gradient.

Oracles: eigenvalues of W at the fixed point 0; a two-cycle of one unit in closed form; gs.lyapunov_exponents; the
exact exponent of the planted maps.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

import gradstudy as gs
from gradstudy.measure.attractors import Watch, attractors, expanding_maps, log_radius, period
from gradstudy.models.networks import Family, draw_network
from gradstudy.models.randomness import generator

WATCH = Watch(1500, 500)


def test_below_gain_1_the_rate_is_the_spectral_radius_of_the_weights():
    family = Family("tanh", "gaussian", 6, rho=0.8)
    table = attractors(family, 4, WATCH, seed=2)
    assert set(table["period"]) <= {1, 2}  # W may have the eigenvalue -0.8: still the fixed point 0
    np.testing.assert_allclose(table["log_radius"], math.log(0.8), atol=1e-12)
    # A tangent that turns towards a pair of complex eigenvalues wavers by its condition, over 500 links.
    np.testing.assert_allclose(table["rate"], math.log(0.8), atol=5e-3)
    assert table["separation"].max() < 1e-12


def test_a_planted_weight_is_said_to_be_what_it_is_not():
    table = attractors(Family("tanh", "gaussian", 6, rho=0.8, weight_scale=1.01), 2, WATCH, seed=2)
    np.testing.assert_allclose(table["log_radius"], math.log(0.8), atol=1e-12)
    np.testing.assert_allclose(table["rate"], math.log(0.808), atol=5e-3)


def test_a_two_cycle_in_closed_form():
    # h -> tanh(-2 h) goes to and fro between +-h with h = tanh(2 h).
    h = brentq(lambda x: math.tanh(2 * x) - x, 0.5, 1)
    states = torch.tensor([[-h], [h]], dtype=torch.float64)
    weight = torch.tensor([[-2.0]], dtype=torch.float64)
    assert log_radius(weight, states) == pytest.approx(math.log(2 * (1 - h**2)))


def test_against_lyapunov_exponents_of_the_same_networks():
    family = Family("tanh", "gaussian", 8, scale=3.0)
    table = attractors(family, 6, WATCH, seed=1)
    assert (table["period"] > 1).any()
    compared = 0
    for row in table[table["log_radius"] < -0.01].itertuples():
        stream = generator(1, row.network, "attractors")
        network = draw_network(family, stream)
        start = torch.randn(8, generator=stream, dtype=torch.float64)
        chain = gs.time_chain(network.module, torch.zeros(2000, 1, 1, dtype=torch.float64), start[None, None])
        # Alone a network is rounded otherwise than beside its twin: after a chaotic transient it may be elsewhere.
        if (chain.states[1500] - chain.states[1500 - row.period]).abs().max() > 1e-9:
            continue
        compared += 1
        (top,) = gs.lyapunov_exponents(chain, k=1, burn_in=1500).exponents.tolist()
        assert row.log_radius == pytest.approx(top, abs=0.01)
        assert row.rate == pytest.approx(top, abs=0.01)
    assert compared >= 2


def test_planted_maps_have_their_rate_and_part():
    table = expanding_maps(0.02, 3, 2, WATCH, seed=0)
    np.testing.assert_allclose(table["rate"], 0.02, atol=1e-12)
    assert (table["period"] == 0).all()
    assert (table["separation"] > 1e-6).all()


def test_twins_part_on_a_chaotic_attractor_and_stay_together_on_a_torus():
    chaotic = attractors(Family("tanh", "gaussian", 32, scale=4.0), 2, WATCH, seed=0)
    assert (chaotic["period"] == 0).all()
    assert chaotic["separation"].min() > 1e-2
    assert chaotic["rate"].min() > 0.05
    mild = attractors(Family("tanh", "gaussian", 8, scale=1.5), 5, WATCH, seed=1)
    torus = mild[mild["period"] == 0]
    assert len(torus) > 0
    assert torus["separation"].max() < 1e-7
    assert torus["rate"].abs().max() < 5e-3


def test_a_rotation_by_an_irrational_angle_has_no_period():
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    states = [torch.tensor([0.1, 0.0], dtype=torch.float64)]
    for _ in range(3000):
        states.append(torch.tanh(1.5 * turn @ states[-1]))
    assert period(torch.stack(states)[2000:]) == 0


def test_a_period_is_the_first_return():
    states = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 2.0]] * 50, dtype=torch.float64)
    assert period(states) == 3
    assert period(states[:3]) == 0
    assert period(torch.zeros(5, 2, dtype=torch.float64)) == 1


def test_more_networks_leave_the_first_ones():
    family = Family("tanh", "gaussian", 4, scale=1.5)
    one, two = (attractors(family, n, Watch(200, 100), seed=0) for n in (1, 2))
    assert one.iloc[0].equals(two.iloc[0])

"""Gradients along trajectories of the minimal latch.

Oracles: the recursion and its derivative in 50 digits (mpmath); finite differences; closed forms of the theory.
"""

from __future__ import annotations

import math

import mpmath
import pytest
import torch

from gradstudy.measure import latch_rates
from gradstudy.measure.latch_rates import Walk, chain_rate, identity, latch_cell, latched_rates, rates
from gradstudy.theory import bengio1994


def in_digits(weight, start, inputs):
    """log |dx_T/dx_0| in 50 digits."""
    with mpmath.workdps(50):
        x, total = mpmath.mpf(start), mpmath.mpf(0)
        for u in inputs:
            x = mpmath.tanh(mpmath.mpf(weight) * x + mpmath.mpf(u))
            total += mpmath.log(mpmath.mpf(weight) * (1 - x * x))
        return float(total)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_derivatives_against_fifty_digits(noise):
    walk = Walk([1.05, 2.0], noise, 60, 3, seed=5)
    table = identity(walk)
    assert list(table.columns) == ["weight", "trajectory", "log_derivative", "gap", "rounding"]
    for index, weight in enumerate(walk.weights):
        x, drives = latch_rates._start(walk, index, weight)
        rows = table[table["weight"] == weight]
        for i in range(3):
            exact = in_digits(weight, x[i, 0].item(), drives[:, i, 1].tolist())
            assert rows["log_derivative"].iloc[i] == pytest.approx(exact, abs=1e-12)


def test_the_identity_holds_to_its_rounding_and_a_planted_slip_is_seen():
    walk = Walk([1.05, 1.25, 2.0], 0.2, 100, 20, seed=1)
    exact, slipped = identity(walk), identity(walk, slip=1e-13)
    assert (exact["gap"].abs() <= exact["rounding"]).all()
    assert (exact["rounding"] < 1e-12).all()
    assert slipped["gap"].to_numpy() == pytest.approx(1e-11, rel=0.05)


def test_the_chain_s_rate_is_autograd_s():
    walk = Walk([1.5], 0.2, 80, 4, seed=2)
    x, drives = latch_rates._start(walk, 0, 1.5)
    assert chain_rate(x, drives, latch_cell()).tolist() == pytest.approx(
        (identity(walk)["log_derivative"] / 80).tolist(), abs=1e-12
    )


def test_a_planted_gain_leaves_values_alone_and_scales_the_gradient():
    drive = torch.tensor([[1.5, 0.1]], dtype=torch.float64)
    state = torch.tensor([[0.3]], dtype=torch.float64, requires_grad=True)
    plain, gained = latch_cell()(drive, state), latch_cell(math.log(2))(drive, state)
    assert gained.item() == pytest.approx(plain.item(), abs=1e-15)
    slopes = [torch.autograd.grad(value.sum(), state)[0].item() for value in (plain, gained)]
    assert slopes[1] == pytest.approx(2 * slopes[0])
    step = 1e-6
    moved = [latch_cell()(drive, state.detach() + h).item() for h in (step, -step)]
    assert slopes[0] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-8)


def test_settled_latches_have_the_closed_form_s_rate():
    table = rates(Walk([1.05, 2.0], 0.0, 50, 5, seed=3))
    assert (table["rate"] - table["predicted"]).abs().max() < 1e-12
    assert table["predicted"].tolist() == [bengio1994.resting_rate(w) for w in (1.05, 2.0) for _ in range(5)]
    planted = rates(Walk([1.05, 2.0], 0.0, 50, 5, seed=3), excess=0.1)
    assert (planted["rate"] / planted["predicted"]).to_numpy() == pytest.approx(1.1, rel=1e-9)


def test_noisy_latches_have_the_stationary_law_s_rate():
    table = rates(Walk([1.25], 0.2, 600, 200, seed=4))
    error = table["rate"].sem()
    assert table["rate"].mean() == pytest.approx(bengio1994.noisy_rate(1.25, 0.2), abs=5 * error)
    assert error < 0.01


def test_starts_lie_in_gamma_on_both_sides():
    x = latch_rates.start_in_gamma(1.25, 500, torch.Generator().manual_seed(0))
    border = math.tanh(bengio1994.gamma_border(1.25))
    assert (x.abs() > border).all()
    assert 0.3 < (x > 0).double().mean() < 0.7


def test_bounded_inputs_keep_a_latch_in_gamma_and_above_the_slowest_rate():
    table = latched_rates([1.25, 2.0], 0.9, links=100, rows=3, seed=6)
    assert table["inside"].all()
    worst = table[table["inputs"] == "against"]
    assert worst["rate"].tolist() == pytest.approx(worst["slowest"].tolist(), abs=1e-9)
    assert (table["rate"] <= table["slowest"] + 1e-9).all()
    assert (table["rate"] < -0.01).all()
    beyond = latched_rates([2.0], 1.05, links=20, rows=3, seed=6)
    assert not beyond.loc[beyond["inputs"] == "against", "inside"].any()

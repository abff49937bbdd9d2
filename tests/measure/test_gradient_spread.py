"""Spread over draws of the gradients of nonlinear networks.

Oracles: autograd; the adjoint recursion of a chain over time on torch's RNN; closed forms of what is planted.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import gradstudy as gs
from gradstudy.measure.gradient_spread import Population, gradient_spread, log_gradients
from gradstudy.measure.product_spread import BLOCK
from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import Matrices
from gradstudy.models.unfolded import Design, draw_unfolded, isometries

DESIGN = Design(Matrices(5, gain=1.5), length=8)


def stream():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("sharing", ["tied", "independent"])
def test_against_autograd(sharing):
    network = draw_unfolded(DESIGN, sharing, 3, stream())
    inputs = torch.randn(8, 3, 2, 1, generator=stream(), dtype=torch.float64)
    cotangent = torch.randn(3, 2, 5, generator=stream(), dtype=torch.float64)
    states = [torch.zeros(3, 2, 5, dtype=torch.float64, requires_grad=True)]
    for step in range(1, 9):
        at = network.at(step)
        drive = inputs[step - 1] @ network.input[at].mT + network.bias[at][:, None]
        states.append(states[-1].tanh() @ network.recurrent[at].mT + drive)
    gradients = torch.autograd.grad((states[-1] * cotangent).sum(), states)
    expected = torch.stack([g.norm(dim=2).log() for g in reversed(gradients)])
    found = log_gradients(network, [state.detach() for state in states], cotangent)
    torch.testing.assert_close(found, expected - expected[0])


def test_against_a_chain_over_time():
    network = draw_unfolded(DESIGN, "tied", 1, stream())
    inputs = torch.randn(8, 1, 2, 1, generator=stream(), dtype=torch.float64)
    rnn = torch.nn.RNN(1, 5, bias=False).double()
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(network.recurrent[0, 0])
        rnn.weight_ih_l0.copy_(network.input[0, 0])
    chain = gs.time_chain(rnn, inputs[:, 0])
    cotangent = torch.randn(2, 5, generator=stream(), dtype=torch.float64)
    # dF/da = dF/dh phi'(a), so at the last step the chain over h begins with F's gradient at h there.
    states = network.states(inputs)
    slopes = [1 - state[0].tanh() ** 2 for state in states]
    norms = gs.gradient_norms(chain, lambda out: (out[-1] * cotangent / slopes[-1]).sum())
    found = log_gradients(network, states, cotangent[None])[:, 0]
    # At t = 0 phi' is 1 and both are the same vector, so is the gradient at a_T by construction.
    expected = norms.log_norm[0] - cotangent.norm(dim=1).log()
    torch.testing.assert_close(found[-1], expected)


def test_long_chains_neither_underflow_nor_overflow_and_dead_ones_say_so():
    design = Design(Matrices(4), length=2000)
    network = isometries([-1.0, 1.0], design, stream())
    states = [torch.zeros(2, 1, 4, dtype=torch.float64)] * 2001
    found = log_gradients(network, states, torch.ones(2, 1, 4, dtype=torch.float64))
    torch.testing.assert_close(found[-1, :, 0], torch.tensor([-2000.0, 2000.0]).double())
    network.recurrent[0, 0] = 0
    dead = log_gradients(network, states[:4], torch.ones(2, 1, 4, dtype=torch.float64))
    assert torch.isneginf(dead[1:, 0]).all()
    assert torch.isfinite(dead[:, 1]).all()


def test_the_tables_by_hand():
    spreads, rates = gradient_spread(Population(DESIGN, 2, rows=3, seed=4), [2, 6])
    network = draw_unfolded(DESIGN, "independent", BLOCK, generator(4, 0, "networks"))
    numbers = generator(4, 0, "inputs")
    inputs = torch.randn(8, BLOCK, 3, 1, generator=numbers, dtype=torch.float64)
    states = network.states(inputs)
    logs = log_gradients(network, states, torch.randn(BLOCK, 3, 5, generator=numbers, dtype=torch.float64)).mean(2)
    rows = spreads[(spreads["block"] == 0) & (spreads["sharing"] == "independent")]
    np.testing.assert_allclose(rows["spread"], [logs[2].std(), logs[6].std()], atol=1e-6)
    np.testing.assert_allclose(rows["mean"], [logs[2].mean(), logs[6].mean()], atol=1e-6)
    np.testing.assert_allclose(rates[rates["sharing"] == "independent"]["rate"], logs[6] / 6, atol=1e-6)
    assert len(spreads) == 8
    assert len(rates) == 2 * BLOCK


def test_planted_ratio():
    spreads, _ = gradient_spread(Population(DESIGN, 30, rows=1, planted_ratio=1.6), [4, 8])
    both = spreads.pivot(index=["block", "steps"], columns="sharing", values="spread")
    ratio = np.log(both["tied"] / both["independent"]).groupby("steps").mean()
    np.testing.assert_allclose(ratio, math.log(1.6), atol=0.12)
    lag_twice = both.groupby("steps").mean()
    np.testing.assert_allclose(lag_twice.loc[8] / lag_twice.loc[4], 2, rtol=1e-5)

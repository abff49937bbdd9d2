"""Networks of equal steps with shared weights and without.

Oracles: torch's own RNN for shared weights; the equation written out for a matrix a step; autograd for what is planted.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.models.shared_matrices import Matrices
from gradstudy.models.unfolded import Design, Unfolded, draw_unfolded, isometries

DESIGN = Design(Matrices(6), length=5, inputs=2, drive=0.7)


def draw(sharing, count=3):
    return draw_unfolded(DESIGN, sharing, count, torch.Generator().manual_seed(1))


def with_bias(network):
    bias = torch.randn(network.bias.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return Unfolded(network.recurrent, network.input, bias)


def inputs(count=3, rows=4):
    return torch.randn(5, count, rows, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def test_shared_weights_are_torchs_rnn():
    network, x = with_bias(draw("tied")), inputs()
    states = network.states(x)
    for member in range(3):
        rnn = torch.nn.RNN(2, 6).double()
        with torch.no_grad():
            rnn.weight_hh_l0.copy_(network.recurrent[0, member])
            rnn.weight_ih_l0.copy_(network.input[0, member])
            rnn.bias_ih_l0.copy_(network.bias[0, member])
            rnn.bias_hh_l0.zero_()
            expected = rnn(x[:, member])[0]
        torch.testing.assert_close(torch.stack(states[1:])[:, member].tanh(), expected)
    assert not states[0].any()


def test_a_matrix_a_step_is_the_equation_written_out():
    network, x = with_bias(draw("independent")), inputs()
    assert [each.shape[0] for each in network.parameters] == [5, 5, 5]
    states = network.states(x)
    for member in range(3):
        for row in range(4):
            a = torch.zeros(6, dtype=torch.float64)
            for step in range(5):
                w, u, b = (each[step, member] for each in network.parameters)
                a = w @ a.tanh() + u @ x[step, member, row] + b
                torch.testing.assert_close(states[step + 1][member, row], a)


def test_draws():
    tied, independent = draw("tied", 400), draw("independent", 400)
    assert torch.equal(tied.recurrent[0], independent.recurrent[0])
    assert tied.recurrent.shape == (1, 400, 6, 6)
    assert float(independent.input.std()) == pytest.approx(0.7 / math.sqrt(2), rel=0.02)
    assert not tied.bias.any()
    assert [tied.at(step) for step in (1, 2, 5)] == [0, 0, 0]
    assert [independent.at(step) for step in (1, 2, 5)] == [0, 1, 4]


def test_isometries_change_gradients_by_their_rate():
    rates = [0.3, -0.2, 0.0]
    network, x = isometries(rates, DESIGN, torch.Generator().manual_seed(5)), inputs()
    states = network.states(x)
    (states[1]).requires_grad_()
    later = states[1]
    for _ in range(4):
        later = later @ network.recurrent[0].mT
    (gradient,) = torch.autograd.grad(later[..., 0].sum(), states[1])
    expected = torch.tensor(rates, dtype=torch.float64).mul(4).exp()[:, None].expand(3, 4)
    torch.testing.assert_close(gradient.norm(dim=2), expected)
    assert network.activation == "linear"

"""The textbook GRU.

Oracles: its equations written out unit by unit; torch's nn.GRU where the two networks agree (no recurrence in the
candidate) and where they must not.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradstudy.models.textbook_gru import TextbookGRU


def gru(inputs=2, units=3):
    return TextbookGRU(inputs, units, generator=torch.Generator().manual_seed(1)).double()


def drive(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def torch_twin(network):
    """nn.GRU with the same weights: u = 1 - z is a gate of the opposite sign; the candidate's recurrent bias is 0."""
    module = nn.GRU(network.input_size, network.hidden_size, dtype=torch.float64)
    n = network.hidden_size
    sign = torch.ones(3 * n, dtype=torch.float64)
    sign[n : 2 * n] = -1
    with torch.no_grad():
        module.weight_ih_l0.copy_(sign[:, None] * network.weight_ih)
        module.weight_hh_l0.copy_(sign[:, None] * network.weight_hh)
        module.bias_ih_l0.copy_(sign * network.bias)
        module.bias_hh_l0.zero_()
    return module


def test_equations_unit_by_unit():
    network, x, h = gru(), drive(4, 1, 2), drive(1, 3)
    found = network(x, h)
    rows = [w.tolist() for w in (network.weight_ih, network.weight_hh)]
    bias, state = network.bias.tolist(), h[0].tolist()
    for t in range(4):

        def driven(row, values, t=t):
            into = sum(w * v for w, v in zip(rows[0][row], x[t, 0].tolist(), strict=True))
            return into + sum(w * v for w, v in zip(rows[1][row], values, strict=True)) + bias[row]

        reset = [1 / (1 + math.exp(-driven(i, state))) for i in range(3)]
        update = [1 / (1 + math.exp(-driven(3 + i, state))) for i in range(3)]
        kept = [r * s for r, s in zip(reset, state, strict=True)]
        candidate = [math.tanh(driven(6 + i, kept)) for i in range(3)]
        state = [(1 - u) * s + u * c for u, s, c in zip(update, state, candidate, strict=True)]
        assert found[t, 0].tolist() == pytest.approx(state, abs=1e-14)


def test_it_is_torchs_gru_only_without_recurrence_in_the_candidate():
    network, x, h = gru(), drive(6, 5, 2), drive(5, 3)
    there = torch_twin(network)(x, h[None])[0]
    assert (there - network(x, h)).abs().max() > 1e-3  # reset before the matrix is not reset after it
    with torch.no_grad():
        network.weight_hh[6:] = 0
    torch.testing.assert_close(network(x, h), torch_twin(network)(x, h[None])[0], rtol=0, atol=1e-14)


def test_an_update_gate_at_zero_retains_the_state():
    network, h = gru(), drive(5, 3)
    with torch.no_grad():
        network.bias[3:6] = -800.0
    assert torch.equal(network(drive(20, 5, 2), h)[-1], h)


def test_it_starts_from_zero_and_draws_from_its_generator_alone():
    before = torch.get_rng_state()
    network, again = gru(), gru()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(network.weight_hh, again.weight_hh)
    assert network.weight_hh.abs().max() <= 1 / math.sqrt(3)
    x = drive(4, 5, 2)
    assert torch.equal(network(x), network(x, torch.zeros(5, 3, dtype=torch.float64)))

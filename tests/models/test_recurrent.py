"""Recurrent modules by architecture and initialisation.

Oracles: the definitions; gates computed by hand from the weights.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.models.networks import outputs
from gradstudy.models.recurrent import Design, draw_recurrent, gate_bias, recurrent_weight

BLOCKS = {"rnn": 1, "lstm": 4, "gru": 3, "textbook-gru": 3}
GATED = ("lstm", "gru", "textbook-gru")


def draw(architecture, initialisation="default", **options):
    return draw_recurrent(Design(architecture, initialisation, 12, 2, **options), torch.Generator().manual_seed(5))


@pytest.mark.parametrize("architecture", BLOCKS)
def test_default_is_uniform_and_draws_from_its_generator_alone(architecture):
    before = torch.get_rng_state()
    network, again = draw(architecture), draw(architecture)
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(network.module.parameters(), again.module.parameters(), strict=True):
        assert one.dtype == torch.float64
        assert torch.equal(one, other)
        assert one.abs().max() <= 1 / math.sqrt(12)
    weight = recurrent_weight(network.module)
    assert weight.shape == (12 * BLOCKS[architecture], 12)
    assert torch.equal(weight, network.weight)
    assert weight.std().item() == pytest.approx(1 / 6, rel=0.15)  # of a uniform variable on +-1/sqrt(12)
    assert len(network.start) == (24 if architecture == "lstm" else 12)


@pytest.mark.parametrize("architecture", BLOCKS)
def test_initialisations_change_what_they_say_and_share_the_rest(architecture):
    default = draw(architecture)
    for block in draw(architecture, "orthogonal").weight.split(12):
        torch.testing.assert_close(block @ block.T, torch.eye(12, dtype=torch.float64))
    assert torch.equal(draw(architecture, "small").weight, default.weight / 2)
    assert not draw(architecture, weight_scale=0.0).weight.any()
    assert draw(architecture, "large").weight.std().item() == pytest.approx(math.sqrt(12), rel=0.15)
    changed = draw(architecture, "orthogonal").module.state_dict()
    for name, value in default.module.state_dict().items():
        assert torch.equal(value, changed[name]) != name.startswith("weight_hh")


@pytest.mark.parametrize(("architecture", "initialisation"), [("lstm", "forget-bias-1"), ("gru", "update-bias-1")])
def test_bias_one_is_the_sum_of_torchs_two(architecture, initialisation):
    module = draw(architecture, initialisation).module
    assert torch.equal(gate_bias(module), torch.ones(12, dtype=torch.float64))
    assert torch.equal((module.bias_ih_l0 + module.bias_hh_l0)[12:24], torch.ones(12, dtype=torch.float64))
    assert not torch.equal(gate_bias(draw(architecture).module), gate_bias(module))


@pytest.mark.parametrize("architecture", ["gru", "textbook-gru"])
def test_a_pinned_gate_retains_as_it_says(architecture):
    """With the candidate's weights 0 and bias 0 the state decays by sigmoid(b) a step."""
    module = draw(architecture, gate_bias=2.0).module
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter[24:] = 0.0
            assert not name.startswith("weight") or not parameter[12:24].any()
    start = torch.ones(1, 12, dtype=torch.float64)
    found = outputs(module, torch.ones(5, 1, 2, dtype=torch.float64), start)[-1]
    torch.testing.assert_close(found, start * torch.sigmoid(torch.tensor(2.0, dtype=torch.float64)) ** 5)


def test_a_pinned_forget_gate_is_sigmoid_of_b():
    module = draw("lstm", gate_bias=2.0).module
    with torch.no_grad():
        for parameter in module.parameters():
            parameter[24:36] = 0.0  # no candidate
    state = (torch.zeros(1, 1, 12, dtype=torch.float64), torch.ones(1, 1, 12, dtype=torch.float64))
    cell = module(torch.ones(5, 1, 2, dtype=torch.float64), state)[1][1]
    torch.testing.assert_close(cell, state[1] * torch.sigmoid(torch.tensor(2.0, dtype=torch.float64)) ** 5)


@pytest.mark.parametrize("architecture", GATED)
@pytest.mark.parametrize("bias", [None, 0.0, 5.0, 40.0])
def test_a_slipped_gate_is_pinned_below_the_stated_one(architecture, bias):
    stated = gate_bias(draw(architecture, gate_bias=bias).module)
    slipped = gate_bias(draw(architecture, gate_bias=bias, gate_slip=0.02).module)
    log_gate = torch.nn.functional.logsigmoid
    torch.testing.assert_close(log_gate(stated) - log_gate(slipped), torch.full_like(stated, 0.02), rtol=0, atol=1e-12)


def test_designs_that_do_not_exist_are_refused():
    for bad in (("gru", "forget-bias-1"), ("lstm", "update-bias-1")):
        with pytest.raises(ValueError, match="is one of"):
            Design(*bad, 4, 2)
    with pytest.raises(ValueError, match="no gate"):
        Design("rnn", "default", 4, 2, gate_bias=1.0)
    with pytest.raises(ValueError, match="no gate"):
        Design("rnn", "default", 4, 2, gate_slip=0.1)

"""chains.

Oracles: autograd through a hand-stepped copy of the model; time_chain on the same layer; torch's own output.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy import errors


class Model(nn.Module):
    """Two-layer RNN whose output is changed in place and whose final state enters the loss too."""

    def __init__(self, layers=2):
        super().__init__()
        self.encoder = nn.ModuleDict({"rnn": nn.RNN(3, 4, num_layers=layers)})
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        out, final = self.encoder["rnn"](x)
        return self.head(self.act(out)).pow(2).mean() + final.pow(3).sum()


def stepped_loss(model, x):
    """The same loss with the recurrence written out, keeping every state of every layer in the graph."""
    net = model.encoder["rnn"]
    states = [[torch.zeros(x.shape[1], 4).double().requires_grad_()] for _ in range(net.num_layers)]
    for u in x:
        for layer in range(net.num_layers):
            w = [getattr(net, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            u = torch.tanh(u @ w[0].T + w[2] + states[layer][-1] @ w[1].T + w[3])
            states[layer].append(u)
    out, final = torch.stack(states[-1][1:]), torch.stack([layer[-1] for layer in states])
    return model.head(torch.relu(out)).pow(2).mean() + final.pow(3).sum(), states


def test_every_layer_of_a_model_with_in_place_modules_and_a_loss_on_the_final_state():
    torch.manual_seed(0)
    model, x = Model().double(), torch.randn(12, 5, 3).double()
    found = gs.chains(model, x)
    assert list(found) == ["encoder.rnn[0]", "encoder.rnn"]
    torch.testing.assert_close(found.result, model(x), rtol=0, atol=0)
    loss, states = stepped_loss(model, x)
    torch.testing.assert_close(loss, found.result)
    for layer, name in enumerate(found):
        grads = torch.autograd.grad(loss, states[layer], retain_graph=True)
        want = torch.stack([g.norm(dim=-1).log() for g in grads])
        torch.testing.assert_close(gs.gradient_norms(found[name], found.result).log_norm, want, rtol=0, atol=1e-10)


def test_training_goes_on_from_the_same_graph_and_hooks_are_gone():
    model, x = Model(layers=1), torch.randn(6, 2, 3)
    found = gs.chains(model, x)
    gs.gradient_norms(found["encoder.rnn"], found.result)
    assert all(p.grad is None for p in model.parameters())
    found.result.backward()
    grads = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    model(x).backward()
    for a, p in zip(grads, model.parameters(), strict=True):
        assert torch.equal(a, p.grad)
    assert not model.encoder["rnn"]._forward_hooks


def test_frozen_model_and_second_call_of_one_module():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(3, 4)

        def forward(self, x):
            return self.rnn(x)[0][-1].sum() + self.rnn(input=2 * x)[0][-1].pow(2).sum()

    model = Siamese().requires_grad_(False)
    x = torch.randn(5, 2, 3)
    found = gs.chains(model, x)
    assert list(found) == ["rnn", "rnn#2"]
    second = gs.time_chain(model.rnn, 2 * x)
    want = gs.gradient_norms(second, second.output[-1].pow(2).sum()).log_norm
    torch.testing.assert_close(gs.gradient_norms(found["rnn#2"], found.result).log_norm, want)


def test_chain_output_can_carry_a_loss_too():
    model, x = Model(layers=1), torch.randn(6, 2, 3)
    chain = gs.chains(model, x)["encoder.rnn"]
    assert torch.isfinite(gs.gradient_norms(chain, lambda out: out.sum()).log_norm).all()


def test_hooks_are_gone_after_an_exception():
    model = Model(layers=1)
    with pytest.raises(errors.NonFiniteError, match="inputs"):
        gs.chains(model, torch.full((4, 2, 3), float("nan")))
    assert not model.encoder["rnn"]._forward_hooks


def test_what_cannot_be_measured_is_named():
    with pytest.raises(errors.UnsupportedModuleError, match="without recurrent layers"):
        gs.chains(nn.Linear(2, 2), torch.randn(1, 2))
    with pytest.raises(errors.UnsupportedModuleError, match="proj_size"):
        gs.chains(nn.Sequential(nn.LSTM(2, 2, proj_size=1)), torch.randn(3, 1, 2))
    with pytest.raises(KeyError, match="this model has: encoder"):
        gs.chains(Model(), torch.randn(4, 1, 3))["rnn"]


def test_importing_the_package_does_not_hide_the_function():
    import gradstudy.chains

    assert callable(gs.chains)
    assert callable(gradstudy.chains)


def test_a_users_hook_that_changes_the_output_comes_after_ours():
    torch.manual_seed(0)
    model, x = Model(layers=1).double(), torch.randn(6, 2, 3).double()
    plain = gs.chains(model, x)["encoder.rnn"]
    model.encoder["rnn"].register_forward_hook(lambda module, args, out: (0.5 * out[0], out[1]))
    found = gs.chains(model, x)
    assert torch.equal(found["encoder.rnn"].states, plain.states)
    assert torch.equal(found.result, model(x))


def test_a_layer_that_cannot_be_measured_beside_one_that_can():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.RNN(3, 4), nn.LSTM(4, 4, proj_size=2)

        def forward(self, x):
            return self.second(self.first(x)[0])[0].sum()

    found = gs.chains(Both(), torch.randn(5, 2, 3))
    assert list(found) == ["first"]
    assert torch.isfinite(gs.gradient_norms(found["first"], found.result).log_norm).all()
    with pytest.raises(errors.UnsupportedModuleError, match="proj_size"):
        found["second"]


def test_refusals_come_before_the_model_runs():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.LSTM(3, 4, proj_size=2))
    before = model[0].running_mean.clone()
    with pytest.raises(errors.UnsupportedModuleError, match="proj_size"):
        gs.chains(model, torch.randn(5, 3))
    assert torch.equal(model[0].running_mean, before)


def test_a_layer_that_is_never_called_is_named():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(3, 4)

        def forward(self, x):
            return x.sum()

    with pytest.raises(errors.UnsupportedModuleError, match="called none of the recurrent layers rnn"):
        gs.chains(Unused(), torch.randn(5, 2, 3))
    with pytest.raises(errors.UnsupportedModuleError, match="str"):
        gs.chains("model", torch.randn(5, 2, 3))


def test_the_mapping_says_its_names_and_not_its_numbers():
    model, x = Model().double(), torch.randn(200, 2, 3, dtype=torch.float64)
    assert repr(gs.chains(model, x)) == "Chains(encoder.rnn[0], encoder.rnn)"


def test_a_graph_that_backward_has_freed_is_named():
    model, x = Model().double(), torch.randn(5, 2, 3, dtype=torch.float64)
    found = gs.chains(model, x)
    found.result.backward(retain_graph=True)
    assert torch.isfinite(gs.gradient_norms(found["encoder.rnn"], found.result).log_norm_total[1:]).all()
    found.result.backward()
    with pytest.raises(errors.LossError, match=r"measure before loss.backward\(\), or call .*retain_graph=True"):
        gs.gradient_norms(found["encoder.rnn"], found.result)


def test_a_model_given_to_time_chain_is_pointed_to_chains():
    with pytest.raises(
        errors.UnsupportedModuleError, match=r"did you mean gs.chains\(model, inputs\)\['encoder.rnn'\]"
    ):
        gs.time_chain(Model(), torch.randn(5, 2, 3))


def test_reasons_fit_what_was_refused():
    rnn, x = nn.RNN(3, 4), torch.randn(5, 2, 3)
    with pytest.raises(errors.UnsupportedModuleError) as refused:
        gs.time_chain(rnn, x.numpy())
    assert "dtype and device" in refused.value.why
    assert "torch.as_tensor" in refused.value.remedy
    with pytest.raises(errors.UnsupportedModuleError) as refused:
        gs.time_chain(rnn, x, direction="reverse")
    assert refused.value.why == "the module has no such way through time"
    with pytest.raises(errors.LinkRangeError) as beyond:
        gs.lyapunov_exponents(gs.time_chain(rnn, x), burn_in=5)
    assert "left to count" in beyond.value.why
    assert "longer input" in beyond.value.remedy

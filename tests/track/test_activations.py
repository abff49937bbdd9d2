"""Gradients at the outputs of modules; dead and saturated units.

Oracles: autograd's retained gradients of a twin that changes nothing in place; fractions counted by hand.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import gradstudy as gs
from gradstudy.track.norms import deferred, norms, resolved


def retained(model, x, y):
    """The same network written without in-place operations, with the gradient kept at each output."""
    kept = {}

    def keep(name, value):
        value.retain_grad()
        kept[name] = value
        return value

    first = keep("first", model.first(x))
    norm = keep("norm", model.norm(first))
    act = keep("act", torch.relu(norm))
    second = keep("second", model.second(act))
    after = keep("act#2", torch.relu(second + act))
    drop = keep("drop", after.mean((2, 3)))
    cross_entropy(keep("head", model.head(drop)), y).backward()
    return {name: value.grad.norm().item() for name, value in kept.items()}


def test_gradients_at_outputs_are_autograds_although_modules_work_in_place(conv, images, values):
    conv.drop.p = 0.0
    want = retained(conv, *images)
    conv.zero_grad()
    with gs.track(conv) as tracker:
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step()
    found = values(tracker, "activation_gradient")
    assert list(found) == ["first", "norm", "act", "second", "act#2", "drop", "head"]
    assert found == pytest.approx(want, rel=1e-5)


def test_several_passes_count_as_one_larger_batch(conv, images, values):
    conv.drop.p = 0.0
    conv.eval()  # so that the parts of the batch do not meet in BatchNorm
    found = []
    for parts in (1, 4):
        with gs.track(conv) as tracker:
            for x, y in zip(*(tensor.chunk(parts) for tensor in images), strict=True):
                cross_entropy(conv(x), y, reduction="sum").backward()
            tracker.step()
        found.append((values(tracker, "activation_gradient"), values(tracker, "dead_fraction")))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert found[0][1] == found[1][1]


def test_outputs_that_are_tuples_or_dicts_and_models_that_return_them(values):
    class Split(nn.Module):
        def forward(self, x):
            return {"left": 2 * x, "rest": (3 * x, "text", x.detach())}

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.split = nn.Linear(2, 2), Split()

        def forward(self, x):
            return self.split(self.linear(x))

    model = Model()
    with gs.track(model) as tracker:
        out = model(torch.ones(3, 2))
        (out["left"].sum() + 5 * out["rest"][0].sum()).backward()
        tracker.step()
    root = math.sqrt(6)
    assert values(tracker, "activation_gradient") == pytest.approx(
        {"linear": (2 + 15) * root, "split[left]": root, "split[rest][0]": 5 * root}
    )


def test_a_model_that_is_one_module(values):
    model = nn.Linear(2, 1)
    with gs.track(model) as tracker:
        model(torch.ones(4, 2)).sum().backward()
        tracker.step()
    assert values(tracker, "activation_gradient") == pytest.approx({"(root)": 2.0})


def test_frozen_layers_still_have_gradients_at_their_outputs(values):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    with gs.track(model) as tracker:
        model(torch.ones(4, 2).requires_grad_()).sum().backward()
        tracker.step()
    assert list(values(tracker, "activation_gradient")) == ["0", "1", "2"]
    assert list(values(tracker, "layer_gradient")) == ["2"]


def test_checkpointed_blocks_are_counted_once(values):
    from torch.utils.checkpoint import checkpoint

    block, head = nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.Linear(2, 1)

    class Model(nn.Module):
        def __init__(self, reentrant):
            super().__init__()
            self.block, self.head, self.reentrant = block, head, reentrant

        def forward(self, x):
            inner = self.block(x) if self.reentrant is None else checkpoint(self.block, x, use_reentrant=self.reentrant)
            return self.head(inner)

    found = []
    for reentrant in (None, False, True):
        model = Model(reentrant)
        model.zero_grad()
        with gs.track(model, every={"activation": 1, "gradient": 1}) as tracker:
            model(torch.ones(4, 2).requires_grad_()).sum().backward()
            tracker.step()
        found.append((values(tracker, "activation_gradient"), values(tracker, "parameter_gradient")))
    for activations, parameters in found[1:]:
        assert activations == pytest.approx(found[0][0])
        assert parameters == pytest.approx(found[0][1])


def test_the_inner_gradients_of_a_penalty_are_not_those_of_the_loss(values):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.RNN(4, 4), nn.Identity())
    x = torch.randn(5, 2, 3, requires_grad=True)

    def penalised():
        inner = model[1](model[0](x))
        outer, _ = model[2](inner)
        (slope,) = torch.autograd.grad(outer.sum(), x, create_graph=True)
        return inner, outer, outer.pow(2).sum() + slope.pow(2).sum()

    inner, outer, loss = penalised()
    want = [gradient.norm().item() for gradient in torch.autograd.grad(loss, (inner, outer))]
    with gs.track(model) as tracker:
        penalised()[-1].backward()
        tracker.step()
    found = values(tracker, "activation_gradient")
    assert [found["1"], found["2[0]"]] == pytest.approx(want, rel=1e-5)


def test_non_finite_gradients_are_counted(values):
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Identity())
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
    with gs.track(model) as tracker:
        model(torch.tensor([[0.0, 1.0], [4.0, 0.0]])).sqrt().sum().backward()  # d sqrt(0) is infinite
        tracker.step()
    assert values(tracker, "activation_gradient") == {"0": math.inf, "1": math.inf}
    assert values(tracker, "activation_gradient", column="non_finite") == {"0": 2, "1": 2}


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5, 5)])
def test_dead_units_are_zero_over_the_whole_batch(values, shape):
    model = nn.Sequential(nn.ReLU(inplace=True), nn.ReLU6())
    x = -torch.ones(shape).requires_grad_()
    with torch.no_grad():
        x[2, 1].flatten()[0] = 1.0  # unit 1 lives, for one sample at one place; 0 and 2 are dead
    weight = nn.Parameter(torch.ones(()))
    model.register_parameter("weight", weight)
    with gs.track(model) as tracker:
        model(x * weight).sum().backward()
        tracker.step()
    assert values(tracker, "dead_fraction") == pytest.approx({"0": 2 / 3, "1": 2 / 3})


def test_units_of_sequences_are_on_the_last_axis_and_of_one_dimensional_convolutions_on_the_second(values):
    x = -torch.ones(2, 3, 4)
    x[0, :, 1] = 1.0
    sequences = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU())
    channels = nn.Sequential(nn.Conv1d(3, 3, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        sequences[0].weight.copy_(torch.eye(4))
        channels[0].weight.copy_(torch.eye(3)[..., None])
    found = []
    for model in (sequences, channels):
        with gs.track(model) as tracker:
            model(x).sum().backward()
            tracker.step()
        found.append(values(tracker, "dead_fraction")["1"])
    assert found == [0.75, 0.0]


def test_a_unit_that_is_nan_is_not_called_dead(values):
    model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[math.nan], [-1.0]]))
    with gs.track(model) as tracker:
        model(torch.ones(3, 1)).sum().backward()
        tracker.step()
    assert values(tracker, "dead_fraction") == {"1": 0.5}


def test_saturated_outputs(values):
    model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Sigmoid())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([-3.0, 0.0, 2.6, 2.7]))  # tanh 2.6 = 0.98903, tanh 2.7 = 0.99101
    steep = nn.Sequential(nn.Linear(1, 4), nn.Sigmoid())
    with torch.no_grad():
        steep[0].weight.zero_()
        steep[0].bias.copy_(torch.tensor([-4.7, -4.5, 4.5, 4.7]))  # sigmoid 4.5 = 0.98901, 4.7 = 0.99099
    found = []
    for network in (model, steep):
        with gs.track(network) as tracker:
            network(torch.ones(5, 1)).sum().backward()
            tracker.step()
        found.append(values(tracker, "saturated_fraction"))
    assert found == [{"1": 0.5, "2": 0.0}, {"1": 0.5}]


@pytest.mark.parametrize("value", [0.0, 1e-30, 3.0, 1e30, math.nan, math.inf])
def test_a_norm_that_waits_on_the_device_is_the_same(value):
    x = torch.full((3, 4), 2.0) * value
    x[0, 0] = 0.0
    at_once, later = norms([x])[0], resolved(deferred(x).tolist())
    assert later.non_finite == at_once.non_finite == (11 if not math.isfinite(value) else 0)
    assert later.log == pytest.approx(at_once.log, nan_ok=True, rel=1e-6)

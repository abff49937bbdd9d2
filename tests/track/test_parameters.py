"""Norms of parameters' gradients and the clip factor.

Oracles: autograd of an untracked twin; what torch's clip_grad_norm_ returns; norms by hand in float64.
"""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import gradstudy as gs


def twin_gradients(model, images, passes=1):
    twin = copy.deepcopy(model)
    for part in zip(*(tensor.chunk(passes) for tensor in images), strict=True):
        cross_entropy(twin(part[0]), part[1]).backward()
    return {name: parameter.grad.double().norm().item() for name, parameter in twin.named_parameters()}


def test_norms_are_those_of_autograd_by_parameter_layer_and_in_total(conv, images, values):
    conv.drop.p = 0.0
    want = twin_gradients(conv, images)
    with gs.track(conv) as tracker:
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step()
    assert values(tracker, "parameter_gradient") == pytest.approx(want, rel=1e-5)
    first = math.hypot(want["first.weight"], want["first.bias"])
    assert values(tracker, "layer_gradient")["first"] == pytest.approx(first, rel=1e-5)
    assert list(values(tracker, "layer_gradient")) == ["first", "second", "head"]
    norm = math.hypot(want["norm.weight"], want["norm.bias"])
    assert values(tracker, "affine_gradient") == pytest.approx({"norm": norm}, rel=1e-5)
    assert values(tracker, "total_gradient")[""] == pytest.approx(math.hypot(*want.values()), rel=1e-5)
    logs = values(tracker, "parameter_gradient", column="log_value")
    assert {k: math.exp(v) for k, v in logs.items()} == pytest.approx(want, rel=1e-5)


def test_gradients_accumulated_over_several_passes_are_seen_as_their_sum(conv, images, values):
    conv.drop.p = 0.0
    want = twin_gradients(conv, images, passes=4)
    with gs.track(conv) as tracker:
        for x, y in zip(*(tensor.chunk(4) for tensor in images), strict=True):
            cross_entropy(conv(x), y).backward()
        tracker.step()
    assert values(tracker, "parameter_gradient") == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("most", [1e-3, 1e3])
def test_norms_are_those_before_clipping_and_the_factor_is_torchs(conv, images, values, most, late):
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    returned = []
    with gs.track(conv, optimizer) as tracker:
        for _ in range(3):
            optimizer.zero_grad()
            cross_entropy(conv(images[0]), images[1]).backward()
            returned.append(nn.utils.clip_grad_norm_(conv.parameters(), most).item())
            if late:
                tracker.step()
            optimizer.step()
            if not late:
                tracker.step()
    for step, norm in enumerate(returned):
        assert values(tracker, "total_gradient", step)[""] == pytest.approx(norm, rel=1e-5)
        assert values(tracker, "clip_factor", step)[""] == pytest.approx(min(1, most / (norm + 1e-6)), rel=1e-5)


def test_clipping_by_value_has_a_factor_too_and_none_has_exactly_one(conv, images, values):
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    with gs.track(conv, optimizer) as tracker:
        for clip in (False, True):
            optimizer.zero_grad()
            cross_entropy(conv(images[0]), images[1]).backward()
            before = math.hypot(*(p.grad.norm().item() for p in conv.parameters()))
            if clip:
                nn.utils.clip_grad_value_(conv.parameters(), 1e-2)
            after = math.hypot(*(p.grad.norm().item() for p in conv.parameters()))
            optimizer.step()
            tracker.step()
    assert values(tracker, "clip_factor", 0) == {"": 1.0}
    assert values(tracker, "clip_factor", 1)[""] == pytest.approx(after / before, rel=1e-5)
    assert after < before


@pytest.mark.parametrize("unscale", [False, True])
def test_the_scale_of_a_gradient_scaler_is_taken_out(conv, images, values, unscale):
    conv.drop.p = 0.0
    want = twin_gradients(conv, images)
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    with gs.track(conv, optimizer, scaler=scaler) as tracker:
        scaler.scale(cross_entropy(conv(images[0]), images[1])).backward()
        if unscale:
            scaler.unscale_(optimizer)
            norm = nn.utils.clip_grad_norm_(conv.parameters(), 1e-3).item()
        scaler.step(optimizer)
        scaler.update()
        tracker.step()
    assert values(tracker, "parameter_gradient") == pytest.approx(want, rel=1e-4)
    factor = 1e-3 / (norm + 1e-6) if unscale else 1.0
    assert values(tracker, "clip_factor")[""] == pytest.approx(factor, rel=1e-4)


def test_a_step_the_scaler_leaves_out_has_no_clip_factor_and_its_infinities_are_counted(values):
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    with gs.track(model, optimizer, scaler=scaler) as tracker:
        for factor in (1e38, 1.0):
            optimizer.zero_grad()
            scaler.scale(model(torch.full((1, 1), factor)).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            tracker.step()
    assert values(tracker, "total_gradient", 0) == {"": math.inf}
    assert values(tracker, "total_gradient", 0, "non_finite") == {"": 1}
    assert values(tracker, "clip_factor", 0) == {}
    assert values(tracker, "clip_factor", 1) == {"": 1.0}
    assert values(tracker, "total_gradient", 1)[""] == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_norms_whose_squares_leave_the_dtypes_range(values, dtype):
    model = nn.Linear(3, 1, bias=False).to(dtype)
    for size in (1e-30, 1e30):
        with gs.track(model) as tracker:
            model.weight.grad = None
            (model(torch.ones(1, 3, dtype=dtype)) * size).sum().backward()
            tracker.step()
        exact = model.weight.grad.double().norm().item()
        assert values(tracker, "total_gradient")[""] == pytest.approx(exact, rel=1e-6)
        assert exact == pytest.approx(size * 3**0.5, rel=1e-2)


def test_nan_and_infinity_are_counted_and_never_dropped(values):
    model = nn.Linear(4, 2, bias=False)
    with gs.track(model) as tracker:
        gradient = torch.ones(2, 4)
        gradient[0, 0], gradient[1, :2] = math.nan, math.inf
        (model.weight * gradient).sum().backward()
        tracker.step()
    assert math.isnan(values(tracker, "total_gradient")[""])
    assert values(tracker, "parameter_gradient", column="non_finite") == {"weight": 3}
    assert values(tracker, "layer_gradient", column="non_finite") == {"(root)": 3}


def test_a_shared_parameter_stands_once_and_one_without_gradient_as_nan(values):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head, self.unused = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False), nn.Linear(2, 2)
            self.head.weight = self.embed.weight
            self.frozen = nn.Linear(3, 3).requires_grad_(False)

        def forward(self, x):
            return self.head(self.frozen(self.embed(x)))

    model = Tied()
    with gs.track(model) as tracker:
        model(torch.arange(5)).pow(2).sum().backward()
        tracker.step()
    found = values(tracker, "parameter_gradient")
    assert list(found) == ["embed.weight", "unused.weight", "unused.bias"]
    assert found["embed.weight"] == pytest.approx(model.head.weight.grad.norm().item())
    assert math.isnan(found["unused.weight"])
    assert set(values(tracker, "parameter_gradient", column="non_finite").values()) == {0}
    assert list(values(tracker, "layer_gradient")) == ["embed"]


def test_sparse_gradients(values):
    model = nn.Embedding(10, 3, sparse=True)
    with gs.track(model) as tracker:
        model(torch.tensor([1, 1, 2])).sum().backward()
        tracker.step()
    assert values(tracker, "total_gradient")[""] == pytest.approx(math.sqrt(3 * 4 + 3))


def test_a_parameter_that_is_unfrozen_in_the_middle(values):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    with gs.track(model, every={"gradient": 1}) as tracker:
        for _ in range(2):
            model(torch.ones(1, 2)).sum().backward()
            tracker.step()
            model[0].requires_grad_(True)
            model[1].requires_grad_(False)
    assert list(values(tracker, "layer_gradient", 0)) == ["1"]
    assert list(values(tracker, "parameter_gradient", 1)) == ["0.weight", "0.bias"]


def test_a_parametrized_weight_belongs_to_its_module(values):
    alone = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    for model, name in ((nn.Sequential(alone), "0"), (alone, "(root)")):
        with gs.track(model) as tracker:
            model(torch.ones(1, 2)).sum().backward()
            tracker.step()
        assert list(values(tracker, "layer_gradient")) == [name]

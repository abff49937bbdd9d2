"""Size of the optimizer's steps.

Oracle: plain SGD by hand, |dW| = rate |g|; weights before and after.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import gradstudy as gs


@pytest.mark.parametrize("late", [False, True])
def test_updates_of_sgd_are_the_rate_times_the_gradient(values, late):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    want = []
    with gs.track(model, optimizer) as tracker:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(5, 3)).sum().backward()
            ratio = {n: 0.01 * p.grad.norm().item() / p.detach().norm().item() for n, p in model.named_parameters()}
            size = math.hypot(*(p.detach().norm().item() for p in model[0].parameters()))
            layer = 0.01 * math.hypot(*(p.grad.norm().item() for p in model[0].parameters())) / size
            want.append((ratio, layer))
            if late:
                tracker.step()
            optimizer.step()
            if not late:
                tracker.step()
    for step, (ratio, layer) in enumerate(want):
        assert values(tracker, "parameter_update", step) == pytest.approx(ratio, rel=1e-4)
        assert values(tracker, "layer_update", step)["0"] == pytest.approx(layer, rel=1e-4)


def test_steps_of_the_tracker_without_one_of_the_optimizer(values):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gs.track(model, optimizer) as tracker:
        for i in range(4):
            model(torch.ones(1, 2)).sum().backward()
            tracker.step()
            if i % 2:  # every second, on gradients that have added up
                optimizer.step()
                optimizer.zero_grad()
    frame = tracker.to_frame()
    assert list(frame.loc[frame["quantity"] == "clip_factor", "step"]) == [1, 3]
    assert values(tracker, "total_gradient", 1)[""] == pytest.approx(2 * values(tracker, "total_gradient", 0)[""])


def test_weights_that_were_zero_move_infinitely_far_and_frozen_ones_are_left_out(values):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    nn.init.zeros_(model[1].bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gs.track(model, optimizer) as tracker:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        tracker.step()
    assert list(values(tracker, "parameter_update")) == ["1.weight", "1.bias"]
    assert values(tracker, "parameter_update")["1.bias"] == math.inf


def test_only_parameters_of_the_optimizer_have_updates_but_all_have_gradients(values):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.0)
    with gs.track(model, optimizer) as tracker:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        tracker.step()
    assert values(tracker, "layer_update") == {"1": 0.0}
    assert list(values(tracker, "layer_gradient")) == ["0", "1"]


def test_singular_values_are_those_of_the_weights_before_the_update(values):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 1))
    kernel = model[0].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with gs.track(model, optimizer, every={"spectrum": 1}) as tracker:
        model(torch.ones(1, 2, 3, 3)).sum().backward()
        optimizer.step()
        tracker.step()
    frame = tracker.to_frame()
    rows = frame[frame["name"] == "0.weight"]
    gram = torch.linalg.eigvalsh(kernel.flatten(1) @ kernel.flatten(1).T).flip(0).sqrt()
    assert rows["value"].to_numpy() == pytest.approx(gram.numpy(), rel=1e-4)
    assert list(rows["index"]) == [0, 1, 2]
    assert set(frame["quantity"]) == {"singular_value"}

"""Training on images.

Oracles: SGD with momentum and weight decay written out; the loss and error of a constant prediction in closed form.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradstudy.training.images import Recipe, training_error, updates


def lesson():
    stream = torch.Generator().manual_seed(0)
    return torch.randn(7, 3, generator=stream, dtype=torch.float64), torch.arange(7) % 2


def test_updates_are_sgd_with_momentum_and_decay_written_out():
    images, labels = lesson()
    network, recipe = nn.Linear(3, 2).double(), Recipe(4, 3, 0.5, momentum=0.8, weight_decay=0.01)
    weight, bias = (p.detach().clone() for p in network.parameters())
    speeds = [torch.zeros_like(weight), torch.zeros_like(bias)]
    seen = list(updates(network, images, labels, recipe, torch.Generator().manual_seed(1)))
    assert seen == list(range(1, 9))
    assert all(parameter.grad is None for parameter in network.parameters())
    order = torch.Generator().manual_seed(1)
    for epoch in range(4):
        rate = [0.5, 0.5, 0.05, 0.005][epoch]
        for rows in torch.randperm(7, generator=order).split(3)[:2]:
            probability = (images[rows] @ weight.T + bias).softmax(1)
            error = (probability - nn.functional.one_hot(labels[rows], 2)) / 3
            for i, (value, gradient) in enumerate(((weight, error.T @ images[rows]), (bias, error.sum(0)))):
                speeds[i] = 0.8 * speeds[i] + gradient + 0.01 * value
                value -= rate * speeds[i]
    torch.testing.assert_close(network.weight.detach(), weight, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(network.bias.detach(), bias, rtol=1e-12, atol=1e-14)


def test_the_rate_drops_three_times():
    recipe = Recipe(20)
    assert [recipe.rate_at(epoch) for epoch in (0, 9, 10, 14, 15, 16, 19)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 1e-3, 1e-4, 1e-4]
    )
    assert Recipe(20, drops=False).rate_at(19) == 0.1
    hardly = recipe.hardly(epochs=1)
    assert (hardly.epochs, hardly.rate, hardly.weight_decay, hardly.drops) == (1, 1e-6, 0.0, False)


def test_error_of_a_constant_prediction_with_the_statistics_of_batches():
    images, labels = lesson()
    head = nn.Linear(3, 2).double()
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.0, 1.0]))
    network = nn.Sequential(nn.BatchNorm1d(3).double(), head)
    loss, error = training_error(network, images, labels, batch=3)
    assert error == pytest.approx(4 / 7)  # class 1 is guessed, 4 of 7 images have class 0
    assert loss == pytest.approx(math.log1p(math.e) - 3 / 7)
    assert float(network[0].num_batches_tracked) == 0
    nn.init.eye_(head.weight)
    expected = torch.cat([network(part) for part in images.tensor_split(2)])
    assert training_error(network, images, labels, batch=3)[0] == pytest.approx(
        float(nn.functional.cross_entropy(expected, labels).detach())
    )

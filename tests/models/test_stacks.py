"""Stacks of square layers.

Oracles: torch.nn modules given the same weights; moments of the draws against their names; closed forms.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Stack, batch_norm, draw, draw_weight

STREAM = lambda index=0: generator(0, index, "stack")  # noqa: E731


@pytest.mark.parametrize(("activation", "module"), [("relu", nn.ReLU), ("tanh", nn.Tanh), ("sigmoid", nn.Sigmoid)])
@pytest.mark.parametrize("normalisation", ["none", "batch"])
@pytest.mark.parametrize("shortcut", [None, 0.5])
def test_links_against_modules(activation, module, normalisation, shortcut):
    stack = Stack(6, 2, activation, "he", normalisation, sigma_b=0.3, shortcut=shortcut)
    h = torch.randn(9, 6, dtype=torch.float64, generator=STREAM(1))
    for link in draw(stack, 9, STREAM()):
        linear = nn.Linear(6, 6).double()
        linear.weight.data, linear.bias.data = link.weight, link.bias
        norm = nn.BatchNorm1d(6, eps=1e-14, affine=False).double() if normalisation == "batch" else nn.Identity()
        expected = nn.Sequential(norm, module(), linear)(h)
        expected = expected if shortcut is None else h + shortcut * expected
        torch.testing.assert_close(link(h), expected)


@pytest.mark.parametrize(
    ("scheme", "variance", "largest"),
    [("standard", 1 / 3, 1.0), ("glorot", 1.0, math.sqrt(3)), ("he", 2.0, None), ("gaussian", 1.21, None)],
)
def test_variances(scheme, variance, largest):
    weight = draw_weight(Stack(400, 1, scheme=scheme, sigma_w=1.1), STREAM())
    assert 400 * float(weight.square().mean()) == pytest.approx(variance, rel=0.02)  # 160,000 entries: error 0.4 %
    if largest is not None:
        assert float(weight.abs().max()) * 20 == pytest.approx(largest, rel=0.01)
        assert float(weight.abs().max()) * 20 <= largest


def test_orthogonal_and_planted_rate():
    stack = Stack(5, 3, "tanh", "orthogonal", sigma_w=1.3)
    weight = draw_weight(stack, STREAM())
    torch.testing.assert_close(weight @ weight.T, 1.69 * torch.eye(5, dtype=torch.float64))
    h = torch.randn(2, 5, dtype=torch.float64, generator=STREAM(1))
    state = h
    for link in draw(replace(stack, rate=-0.4), 2, STREAM()):
        state = link(state)
    torch.testing.assert_close(state.norm(dim=1), math.exp(-0.6) * h.norm(dim=1))


def test_gain_changes_the_gradient_and_nothing_else():
    h = torch.randn(2, 5, dtype=torch.float64, generator=STREAM(1), requires_grad=True)
    (plain,), (strong,) = (draw(replace(Stack(5, 1), gain=gain), 2, STREAM()) for gain in (0.0, 0.2))
    torch.testing.assert_close(plain(h), strong(h))
    gradients = [torch.autograd.grad(link(h).sum(), h)[0] for link in (plain, strong)]
    torch.testing.assert_close(gradients[1], math.exp(0.1) * gradients[0])


def test_gates_have_nothing_to_do_with_the_input():
    (link,) = draw(Stack(50, 1, gates=0.25), 40, STREAM())
    assert set(link.slopes.unique().tolist()) == {0.25, 1.0}
    assert float((link.slopes == 1).double().mean()) == pytest.approx(0.5, abs=0.05)
    h = torch.randn(40, 50, dtype=torch.float64, generator=STREAM(1))
    torch.testing.assert_close(link(-h), -link(h))


def test_leak_and_batch_norm():
    (link,) = draw(Stack(3, 1, leak=0.1), 1, STREAM())
    torch.testing.assert_close(link.activate(torch.tensor([[-2.0, 3.0]])), torch.tensor([[-0.2, 3.0]]))
    h = torch.tensor([[1.0, 5.0], [3.0, 1.0]], dtype=torch.float64)
    normal = batch_norm(h, h)
    torch.testing.assert_close(normal, torch.tensor([[-1.0, 1.0], [1.0, -1.0]], dtype=torch.float64))


def test_frozen_statistics_are_those_of_the_batch_and_have_no_derivative():
    h = torch.randn(7, 5, dtype=torch.float64, generator=STREAM(1), requires_grad=True)
    (live,), (frozen,) = (draw(Stack(5, 1, "linear", "he", norm), 7, STREAM()) for norm in ("batch", "frozen"))
    torch.testing.assert_close(live(h), frozen(h))
    # Live statistics: a shift of the batch changes nothing, so the gradients of any loss add up to 0 over its rows.
    cotangent = torch.randn(7, 5, dtype=torch.float64, generator=STREAM(2))
    (through,), (past,) = (torch.autograd.grad((link(h) * cotangent).sum(), h) for link in (live, frozen))
    torch.testing.assert_close(through.sum(0), torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(past, cotangent @ frozen.weight / h.detach().std(0, correction=0))

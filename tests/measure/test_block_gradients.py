"""Gradients at blocks' own new feature maps.

Oracles: central differences of the loss along a change of a branch's output; autograd at states kept by hand; the
chain over depth; networks of known rate in closed form; numpy's least squares for the rate.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy.measure.block_gradients import block_gradients, own_maps, rate_back, weight_gradients
from gradstudy.models.feedforward import FeedForward, draw_feedforward
from gradstudy.models.isometric import isometric_network

KINDS = ("plain", "residual", "pre-activation", "dense")


def design(kind, **options):
    layers = 1 if kind == "dense" else 2
    options = {"input_shape": (1, 6, 6), "block_layers": layers, "normalisation": "batch", "growth_rate": 3} | options
    return FeedForward(kind, "convolution", 4, 3, **options)


def batch(count=5):
    stream = torch.Generator().manual_seed(0)
    images = torch.randn(count, 1, 6, 6, generator=stream, dtype=torch.float64)
    return images, torch.randint(10, (count,), generator=stream)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_the_loss_under_a_change_of_what_the_block_adds(kind):
    network, (images, labels) = draw_feedforward(design(kind), seed=0), batch()
    found = block_gradients(network, images, labels)
    module = own_maps(network.blocks[1])
    sizes, direction = [], None

    def loss(step):
        def changed(_, __, output):
            sizes.append(output.detach())
            return output if direction is None else output + step * direction

        handle = module.register_forward_hook(changed)
        value = nn.functional.cross_entropy(network(images), labels)
        handle.remove()
        return value

    loss(0.0)
    output = sizes[0]
    direction = torch.zeros_like(output).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(1.0), direction)
    direction = gradient / gradient.norm()
    step = 1e-5
    slope = (loss(step) - loss(-step)) / (2 * step)
    assert math.log(float(slope.detach())) == pytest.approx(found["log_gradient"][2], abs=1e-6)
    assert found["log_size"][2] == pytest.approx(float(output.norm().log()))
    relative = found["log_gradient"] + found["log_size"]
    assert found["log_relative"][2] == pytest.approx(relative[2] - 0.5 * math.log(output.numel()))
    assert found["shape"][2] == "3x6x6"


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_the_blocks_and_the_network_is_left_alone(kind):
    network, (images, labels) = draw_feedforward(design(kind), seed=1), batch()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = block_gradients(network, images, labels)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    states = [network.stem(images)]
    for block in network.blocks:
        states.append(block(states[-1]))
    gradients = torch.autograd.grad(nn.functional.cross_entropy(network.head(states[-1]), labels), states)
    expected = [float(gradient.norm().log()) for gradient in gradients]
    np.testing.assert_allclose(found["log_state"], expected, atol=1e-12)
    assert found["state_shape"].iloc[-1] == ("15x6x6" if kind == "dense" else "3x6x6")


@pytest.mark.parametrize("kind", ["plain", "residual", "dense"])
def test_states_have_the_gradients_of_the_chain_over_depth(kind):
    network, (images, labels) = draw_feedforward(design(kind), seed=1), batch()
    chain = gs.depth_chain(network, images, [f"blocks.{i}" for i in range(4)])
    norms = gs.gradient_norms(chain, lambda output: nn.functional.cross_entropy(output, labels)).log_norm_total
    found = block_gradients(network, images, labels)
    np.testing.assert_allclose(found["log_state"], norms.numpy(), atol=1e-12)


def test_modules_in_place_change_nothing():
    images, labels = batch()
    for kind in ("plain", "residual"):
        pair = [
            block_gradients(draw_feedforward(design(kind, inplace=inplace), seed=2), images, labels)
            for inplace in (False, True)
        ]
        np.testing.assert_allclose(pair[0]["log_gradient"], pair[1]["log_gradient"], atol=1e-12)
        np.testing.assert_allclose(pair[0]["log_state"], pair[1]["log_state"], atol=1e-12)


@pytest.mark.parametrize("stages", [1, 2])
def test_an_isometry_has_its_rate_in_states_weights_and_relative_size(stages):
    network = isometric_network(design("plain", stages=stages, block_layers=1), -0.3, seed=0)
    images, labels = batch()
    blocks = block_gradients(network, images, labels).iloc[1:]
    for column in ("log_gradient", "log_relative", "log_state"):
        assert rate_back(blocks[column].tolist(), blocks["shape"].tolist()) == pytest.approx(-0.3, abs=1e-12)
    weights = weight_gradients(network, images, labels)
    if stages == 1:
        inner = weights.iloc[1:-1]
        assert rate_back(inner["log_gradient"].tolist(), inner["shape"].tolist()) == pytest.approx(-0.3, abs=1e-12)


def test_weight_gradients_are_those_of_backward():
    network, (images, labels) = draw_feedforward(design("residual", shortcut="projection", stages=2), seed=0), batch()
    found = weight_gradients(network, images, labels)
    nn.functional.cross_entropy(network(images), labels).backward()
    named = [
        (name, value.grad) for name, value in network.named_parameters() if value.dim() > 1 and "shortcut" not in name
    ]
    assert len(found) == len(named) == 10
    np.testing.assert_allclose(found["log_gradient"], [float(grad.norm().log()) for _, grad in named], atol=1e-12)


def test_rate_has_one_slope_for_all_stretches_of_equal_shape():
    rng = np.random.default_rng(0)
    values, shapes = rng.normal(size=7), ["a", "a", "a", "b", "a", "a", "a"]
    sections = np.array([0, 0, 0, 1, 2, 2, 2])
    matrix = np.column_stack([np.arange(7), *(sections == one for one in range(3))])
    slope = np.linalg.lstsq(matrix, values, rcond=None)[0][0]
    assert rate_back(values.tolist(), shapes) == pytest.approx(-slope)
    assert math.isnan(rate_back([1.0, 2.0], ["a", "b"]))
    assert math.isnan(rate_back([1.0, -math.inf, 2.0], ["a"] * 3))
    assert math.isnan(rate_back([], []))

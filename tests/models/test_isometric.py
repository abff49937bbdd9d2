"""Networks of known rates.

Oracles: orthogonality of the state's transport (norms forward); the derivative by autograd against the factor planted.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.models.feedforward import FeedForward
from gradstudy.models.isometric import Gain, HandBack, isometric_network, known_branches, known_shortcuts


def images():
    return torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def design(layer="convolution", **options):
    return FeedForward("residual", layer, 3, 4, input_shape=(1, 6, 6), block_layers=2, normalisation="batch", **options)


def test_hand_back_and_gain():
    x = images().requires_grad_()
    for module, forward in ((HandBack(-0.2), 1.0), (Gain(-0.2), math.exp(-0.2))):
        y = module(x)
        torch.testing.assert_close(y, forward * x)
        (gradient,) = torch.autograd.grad(y.sum(), x)
        torch.testing.assert_close(gradient, torch.full_like(x, math.exp(-0.2)))


@pytest.mark.parametrize("layer", ["convolution", "linear"])
def test_an_isometry_keeps_activations_and_changes_gradients(layer):
    network = isometric_network(design(layer), 0.1, seed=0)
    state = network.stem(images())
    for block in network.blocks:
        following = block(state)
        assert float(following.norm()) == pytest.approx(float(state.norm()))
        leaf = state.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(block(leaf), leaf, torch.ones_like(following))
        assert float(gradient.norm()) == pytest.approx(math.exp(0.1) * math.sqrt(following.numel()))
        state = following


def test_known_branches_and_shortcuts():
    state = known_branches(design(), -0.3, seed=0).stem(images())
    block = known_branches(design(), -0.3, seed=0).blocks[0]
    assert float((block(state) - state).norm()) == pytest.approx(math.exp(-0.3) * float(state.norm()))
    for block in known_shortcuts(design(), -0.3, seed=0).blocks:
        torch.testing.assert_close(block(state), math.exp(-0.3) * state)

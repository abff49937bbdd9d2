"""A residual network's gradient by paths, and as identity and rest.

Oracles: all 2^L paths as products of dense Jacobians; autograd of the whole network; known branches in closed form.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from gradstudy.errors import UnsupportedModuleError
from gradstudy.measure.residual_paths import Unravelled, identity_path, path_gradients, path_sums
from gradstudy.models.feedforward import FeedForward, draw_feedforward
from gradstudy.models.isometric import known_branches, known_shortcuts

DEPTH = 4


def design(**options):
    options = {"input_shape": (1, 4, 4), "block_layers": 2, "normalisation": "batch", "outputs": 3} | options
    return FeedForward("pre-activation", "convolution", DEPTH, 2, **options)


def batch(count=3):
    stream = torch.Generator().manual_seed(0)
    return torch.randn(count, 1, 4, 4, generator=stream, dtype=torch.float64), torch.arange(count) % 3


def stream():
    return torch.Generator().manual_seed(1)


def first_gradient(network, images, labels):
    state = network.stem(images)
    return torch.autograd.grad(nn.functional.cross_entropy(network.head(network.blocks(state)), labels), state)[0]


@pytest.mark.parametrize("stages", [1, 2])
def test_sums_over_paths_add_up_to_the_gradient(stages):
    network = draw_feedforward(design(stages=stages), seed=0)
    sums = path_sums(Unravelled.of(network, *batch()))
    expected = first_gradient(network, *batch())
    assert len(sums) == DEPTH + 1
    torch.testing.assert_close(torch.stack(sums).sum(0), expected, rtol=1e-12, atol=1e-15)


def test_sums_and_norms_are_those_of_all_paths_one_by_one():
    network = draw_feedforward(design(), seed=0)
    chain = Unravelled.of(network, *batch())
    shape, size = chain.gradient.shape, chain.gradient.numel()
    jacobians = [
        torch.autograd.functional.jacobian(lambda x, b=block: b.scale * b.branch(x), state.detach()).reshape(size, size)
        for block, state in zip(network.blocks, chain.states, strict=True)
    ]
    lengths = {k: [] for k in range(DEPTH + 1)}
    for taken in itertools.product([False, True], repeat=DEPTH):
        vector = chain.gradient.flatten()
        for through, jacobian in zip(reversed(taken), reversed(jacobians), strict=True):
            vector = vector @ jacobian if through else vector
        lengths[sum(taken)].append(vector)
    sums = path_sums(chain)
    for k, vectors in lengths.items():
        torch.testing.assert_close(sums[k], torch.stack(vectors).sum(0).reshape(shape), rtol=1e-10, atol=1e-14)
    found = path_gradients(network, *batch(), 200, stream())
    for k in (0, DEPTH):  # the only path of its length
        expected = float(lengths[k][0].norm().log())
        assert found["log_path"][k] == pytest.approx(expected)
        assert found["log_mass"][k] == pytest.approx(expected)
    logs = torch.stack([vector.norm().log() for vector in lengths[2]])
    assert len(logs) == 6
    assert logs.min() < found["log_path"][2] < logs.max()
    # 200 draws of six equally likely values.
    assert found["log_path"][2] == pytest.approx(float(logs.mean()), abs=4 * float(logs.std()) / math.sqrt(200))
    mass = math.log(sum(float(vector.norm()) for vector in lengths[2]))
    assert found["log_mass"][2] == pytest.approx(mass, abs=4 * float(logs.std()) / math.sqrt(200))


def test_known_branches_decay_by_their_rate():
    found = path_gradients(known_branches(design(), -0.4, seed=0), *batch(), 2, stream())
    np.testing.assert_allclose(np.diff(found["log_path"]), -0.4, atol=1e-12)
    np.testing.assert_allclose(found["log_mass"] - found["log_mean"], np.log([1, 4, 6, 4, 1]), atol=1e-12)


@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_identity_and_rest_are_the_gradient(normalisation):
    network = draw_feedforward(design(normalisation=normalisation), seed=3)
    found = identity_path(network, *batch())
    assert (found["error"] < 1e-14).all()
    assert found["log_gradient"][0] == pytest.approx(float(first_gradient(network, *batch()).norm().log()))
    chain = Unravelled.of(network, *batch())
    share = (chain.gradient * first_gradient(network, *batch())).sum() / first_gradient(network, *batch()).norm() ** 2
    assert found["share"][0] == pytest.approx(float(share))
    assert found["links"].tolist() == [4, 3, 2, 1]


def test_shortcuts_that_are_no_identity_are_found_out():
    found = identity_path(known_shortcuts(design(), 0.1, seed=0), *batch())
    np.testing.assert_allclose(found["log_ratio"], 0.1 * found["links"], atol=1e-12)
    np.testing.assert_allclose(found["error"], 1 - np.exp(-0.1 * found["links"]), atol=1e-12)


def test_the_network_is_left_alone_and_others_are_refused():
    network = draw_feedforward(design(), seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path_gradients(network, *batch(), 1, stream())
    identity_path(network, *batch())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    plain = draw_feedforward(FeedForward("plain", "convolution", 2, 2, input_shape=(1, 4, 4), outputs=3), seed=0)
    with pytest.raises(UnsupportedModuleError, match="block 0 is a Sequential"):
        identity_path(plain, *batch())

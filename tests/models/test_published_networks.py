"""He et al.'s and Huang et al.'s networks for CIFAR-10.

Oracles: the parameter counts printed in the papers' tables; the exact counts by closed formulas and by adding up the
layers by hand.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.models.feedforward import FeedForwardNetwork, draw_feedforward
from gradstudy.models.he2015 import cifar_network
from gradstudy.models.huang2016 import cifar_densenet


def parameters(design):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in FeedForwardNetwork(design).parameters())


def by_formula(n):
    """Convolutions and normalisations of three stages of 2 n layers with 16, 32 and 64 channels, stem and head."""
    kernels = 9 * (3 * 16 + 2 * n * 16**2 + 16 * 32 + 32 * 64 + (2 * n - 1) * (32**2 + 64**2))
    return kernels + 2 * (16 + 2 * n * (16 + 32 + 64)) + 64 * 10 + 10


@pytest.mark.parametrize(
    ("layers", "millions"), [(20, "0.27"), (32, "0.46"), (44, "0.66"), (56, "0.85"), (110, "1.7"), (1202, "19.4")]
)
def test_residual_networks_and_their_plain_twins(layers, millions):
    design = cifar_network(layers)
    assert design.weight_layers == layers
    found = parameters(design)
    assert f"{found / 1e6:.{len(millions.split('.')[1])}f}" == millions
    assert found == parameters(cifar_network(layers, "plain")) == by_formula((layers - 2) // 6)
    # Two 1x1 convolutions with their normalisations.
    projected = parameters(replace(design, shortcut="projection"))
    assert projected - found == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64


def by_adding_up(layers, k, bottleneck):
    n = (layers - 4) // (6 if bottleneck else 3)
    channels = 2 * k if bottleneck else 16
    count = 3 * channels * 9
    for stage in range(3):
        for _ in range(n):
            if bottleneck:
                count += 2 * channels + channels * 4 * k + 2 * 4 * k + 4 * k * k * 9
            else:
                count += 2 * channels + channels * k * 9
            channels += k
        if stage < 2:
            kept = channels // 2 if bottleneck else channels
            count, channels = count + 2 * channels + channels * kept, kept
    return count + 2 * channels + 10 * channels + 10


@pytest.mark.parametrize(
    ("layers", "k", "bottleneck", "millions"),
    [
        (40, 12, False, "1.0"),
        (100, 12, False, "7.0"),
        (100, 24, False, "27.2"),
        (100, 12, True, "0.8"),
        (250, 24, True, "15.3"),
        (190, 40, True, "25.6"),
    ],
)
def test_dense_networks(layers, k, bottleneck, millions):
    design = cifar_densenet(layers, k, bottleneck=bottleneck)
    assert design.weight_layers == layers
    found = parameters(design)
    assert f"{found / 1e6:.1f}" == millions
    assert found == by_adding_up(layers, k, bottleneck)


def test_the_closed_form_of_densenet_40():
    """36 layers of 12 new channels, the i-th on 16 + 12 i; transitions at 160 and 304 channels, 448 at last."""
    channels = 36 * 16 + 12 * 36 * 35 // 2
    layers = (2 + 9 * 12) * channels
    assert parameters(cifar_densenet()) == layers + 432 + (2 + 160) * 160 + (2 + 304) * 304 + 12 * 448 + 10 == 1_019_722


@pytest.mark.parametrize("kind", ["plain", "residual", "pre-activation"])
def test_states_of_small_relatives(kind):
    design = cifar_network(14, kind, width=8, input_shape=(1, 14, 14))
    network = draw_feedforward(design, seed=0)
    x, shapes = network.stem(torch.zeros(2, 1, 14, 14).double()), []
    for block in network.blocks:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(8, 14, 14)] * 2 + [(16, 7, 7)] * 2 + [(32, 4, 4)] * 2
    assert network.head(x).shape == (2, 10)


def test_depths_that_do_not_exist_are_refused():
    for layers in (2, 18, 21, 34):
        with pytest.raises(OptionError, match=r"6 n \+ 2"):
            cifar_network(layers)
    with pytest.raises(OptionError, match=r"3 n \+ 4"):
        cifar_densenet(41)
    with pytest.raises(OptionError, match=r"6 n \+ 4"):
        cifar_densenet(43, bottleneck=True)

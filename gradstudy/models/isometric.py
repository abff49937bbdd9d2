"""Networks of a known rate over depth: linear isometries whose gradient is changed on its way back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from gradstudy.models.design import FeedForward, LayerInitialisation
from gradstudy.models.feedforward import FeedForwardNetwork, draw_feedforward


class HandBack(nn.Module):
    """The identity forward; backward the gradient times e^growth."""

    def __init__(self, growth: float) -> None:
        super().__init__()
        self.factor = math.exp(growth)

    def forward(self, x: Tensor) -> Tensor:
        """The input, whose gradient will be e^growth times that of the output."""
        return self.factor * x + ((1 - self.factor) * x).detach()


class Gain(nn.Module):
    """The input times e^growth."""

    def __init__(self, growth: float) -> None:
        super().__init__()
        self.factor = math.exp(growth)

    def forward(self, x: Tensor) -> Tensor:
        """e^growth x."""
        return self.factor * x


def isometric_network(design: FeedForward, growth: float, *, seed: int) -> FeedForwardNetwork:
    """A plain linear network of orthogonal layers, each of which hands back e^growth times its gradient.

    Sizes of activations stay the same from layer to layer, and gradients at states, gradients at weights, and the
    relative size of both grow by `growth` nats per link on the way back, between states of equal shape.

    Args:
        design: whose depth, width, layers, stages and block_layers it has; each block is given one factor.
        growth: nats per link.
        seed: of the draw.
    """
    linear = replace(
        design, kind="plain", nonlinearity="linear", normalisation="none", initialisation=_isometry(design), gain=1.0,
        scale=1.0, shortcut="identity", bottleneck=False, compression=1.0,
    )  # fmt: skip
    network = draw_feedforward(linear, seed=seed)
    for block in network.blocks:
        cast(nn.Sequential, block).append(HandBack(growth))
    return network


def known_shortcuts(design: FeedForward, growth: float, *, seed: int) -> FeedForwardNetwork:
    """A pre-activation network whose branches give 0 and whose shortcuts hand on e^growth times their input."""
    network = draw_feedforward(replace(design, kind="pre-activation", scale=0.0), seed=seed)
    for block in network.blocks:
        block.shortcut = Gain(growth)
    return network


def known_branches(design: FeedForward, growth: float, *, seed: int) -> FeedForwardNetwork:
    """A pre-activation network whose branches are linear isometries times e^growth."""
    linear = replace(
        design, kind="pre-activation", nonlinearity="linear", normalisation="none", initialisation=_isometry(design),
        scale=math.exp(growth), gain=1.0,
    )  # fmt: skip
    return draw_feedforward(linear, seed=seed)


def _isometry(design: FeedForward) -> LayerInitialisation:
    return "delta-orthogonal" if design.layer == "convolution" else "orthogonal"

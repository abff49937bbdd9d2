"""Blocks of feed-forward networks: the maps between the states that are measured over depth."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from gradstudy.models.design import FeedForward
from gradstudy.models.layers import Layers, Subsample, after, before, nonlinearity, norm, weight_layer


def plain_block(design: FeedForward, n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    """phi N W x, `block_layers` times; the first layer has the stride."""
    return nn.Sequential(_post_activated(design, n_in, n_out, stride, last_phi=True))


class Residual(nn.Module):
    """phi(S x + scale * F(x)), F of `block_layers` weight layers ending in N.

    Attributes:
        branch: F.
        shortcut: S.

    Source: He, Zhang, Ren and Sun, Deep residual learning, 2015, Eq. 1 and Fig. 2.
    """

    def __init__(self, design: FeedForward, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(_post_activated(design, n_in, n_out, stride, last_phi=False))
        self.shortcut = _shortcut(design, n_in, n_out, stride, normalised=True)
        self.nonlinearity = nonlinearity(design)
        self.scale, self.inplace = design.scale, design.inplace

    def forward(self, x: Tensor) -> Tensor:
        """The next post-activation."""
        return self.nonlinearity(_sum(self.branch(x), self.shortcut(x), self.scale, self.inplace))


class PreActivation(nn.Module):
    """S x + scale * F(x), F of `block_layers` times W phi N.

    Attributes:
        branch: F.
        shortcut: S.

    Source: He, Zhang, Ren and Sun, Identity mappings, 2016, Eq. 1-2 and Fig. 1b; Balduzzi et al. 2017, Theorem 3, with
    one layer and scale beta.
    """

    def __init__(self, design: FeedForward, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(_pre_activated(design, n_in, n_out, stride))
        self.shortcut = _shortcut(design, n_in, n_out, stride, normalised=False)
        self.scale, self.inplace = design.scale, design.inplace

    def forward(self, x: Tensor) -> Tensor:
        """The next pre-activation."""
        return _sum(self.branch(x), self.shortcut(x), self.scale, self.inplace)


class Dense(nn.Module):
    """[x, W phi N x]: all earlier feature maps and `growth_rate` new ones, which come last.

    Attributes:
        branch: W phi N (twice with a bottleneck), the block's own new feature maps.

    Source: Huang, Liu, van der Maaten and Weinberger, 2016, Eq. 2.
    """

    def __init__(self, design: FeedForward, n_in: int) -> None:
        super().__init__()
        layers, n, index = OrderedDict[str, nn.Module](), n_in, 1
        if design.bottleneck:
            layers.update(before(design, n, index))
            layers[f"{design.layer}{index}"] = weight_layer(design, n, 4 * design.growth_rate, kernel=1)
            n, index = 4 * design.growth_rate, 2
        layers.update(before(design, n, index))
        layers[f"{design.layer}{index}"] = weight_layer(design, n, design.growth_rate)
        self.branch = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, n, ...)` to `(batch, n + growth_rate, ...)`."""
        return torch.cat([x, self.branch(x)], dim=1)


def transition(design: FeedForward, n_in: int, n_out: int) -> nn.Sequential:
    """1x1 convolution of phi N x and 2x2 average pooling, between the stages of a dense network (Huang et al. 2016)."""
    layers = before(design, n_in, 1)
    layers["convolution1"] = weight_layer(design, n_in, n_out, kernel=1)
    layers["pooling"] = nn.AvgPool2d(2)
    return nn.Sequential(layers)


def _post_activated(design: FeedForward, n_in: int, n_out: int, stride: int, *, last_phi: bool) -> Layers:
    layers: Layers = OrderedDict()
    for index in range(1, design.block_layers + 1):
        first = index == 1
        layers[f"{design.layer}{index}"] = weight_layer(
            design, n_in if first else n_out, n_out, stride=stride if first else 1
        )
        layers.update(after(design, n_out, index, phi=last_phi or index < design.block_layers))
    return layers


def _pre_activated(design: FeedForward, n_in: int, n_out: int, stride: int) -> Layers:
    layers: Layers = OrderedDict()
    for index in range(1, design.block_layers + 1):
        n = n_in if index == 1 else n_out
        layers.update(before(design, n, index))
        layers[f"{design.layer}{index}"] = weight_layer(design, n, n_out, stride=stride if index == 1 else 1)
    return layers


def _shortcut(design: FeedForward, n_in: int, n_out: int, stride: int, *, normalised: bool) -> nn.Module:
    if n_in == n_out and stride == 1:
        return nn.Identity()
    if design.shortcut == "identity":
        return Subsample(n_in, n_out)
    projection = weight_layer(design, n_in, n_out, kernel=1, stride=stride)
    normalising = norm(design, n_out) if normalised else None
    return projection if normalising is None else nn.Sequential(projection, normalising)


def _sum(branch: Tensor, shortcut: Tensor, scale: float, inplace: bool) -> Tensor:
    if inplace:
        return branch.mul_(scale).add_(shortcut)
    return shortcut + scale * branch

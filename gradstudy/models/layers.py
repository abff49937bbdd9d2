"""The layers that blocks are made of, by the names of a design; nothing is drawn here."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from gradstudy.models.design import IN_PLACE, FeedForward

Layers = OrderedDict[str, nn.Module]


def weight_layer(design: FeedForward, n_in: int, n_out: int, *, kernel: int = 3, stride: int = 1) -> nn.Module:
    """W: a linear layer, or a convolution whose padding keeps the resolution at stride 1."""
    if design.layer == "linear":
        return nn.Linear(n_in, n_out, bias=design.bias)
    return nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=design.bias, padding_mode=design.padding)


def norm(design: FeedForward, n: int) -> nn.Module | None:
    """N over n features: units, or channels of an image; None without normalisation."""
    if design.normalisation == "batch":
        return nn.BatchNorm1d(n) if design.layer == "linear" else nn.BatchNorm2d(n)
    if design.normalisation == "layer":
        return nn.LayerNorm(n) if design.layer == "linear" else nn.GroupNorm(1, n)
    return nn.GroupNorm(design.groups, n) if design.normalisation == "group" else None


def nonlinearity(design: FeedForward, *, owner: bool = True) -> nn.Module:
    """Phi.

    Args:
        design: names it, and says whether it works in place.
        owner: False where its input is needed again, so that it must not be overwritten.
    """
    inplace = design.inplace and owner
    in_place: dict[str, type[nn.ReLU] | type[nn.LeakyReLU] | type[nn.SiLU]]
    in_place = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "silu": nn.SiLU}
    if design.nonlinearity in IN_PLACE:
        return in_place[design.nonlinearity](inplace=inplace)
    others = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "linear": nn.Identity}
    return others[design.nonlinearity]()


def after(design: FeedForward, n: int, index: int, *, phi: bool = True) -> Layers:
    """`norm<index>` and `nonlinearity<index>`, what follows a weight layer."""
    layers: Layers = OrderedDict()
    normalising = norm(design, n)
    if normalising is not None:
        layers[f"norm{index}"] = normalising
    if phi:
        layers[f"nonlinearity{index}"] = nonlinearity(design)
    return layers


def before(design: FeedForward, n: int, index: int) -> Layers:
    """The same in front of a weight layer; the first of a branch must leave the shortcut's copy of x as it is."""
    layers = after(design, n, index, phi=False)
    layers[f"nonlinearity{index}"] = nonlinearity(design, owner=index > 1 or bool(layers))
    return layers


class Subsample(nn.Module):
    """The shortcut without parameters where the shape changes: every second pixel, new channels 0.

    Args:
        n_in, n_out: channels.

    Source: He et al. 2015 (Deep residual learning), section 3.3, option A.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.new = n_out - n_in

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, n_in, h, w)` to `(batch, n_out, ceil(h/2), ceil(w/2))`."""
        return torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new))

"""Weights of linear and convolutional layers by name: the initialisations that the studies of depth compare."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradstudy.models.design import FeedForward, LayerInitialisation

Shape = tuple[int, ...]


def draw_weight(name: LayerInitialisation, shape: Shape, generator: torch.Generator) -> Tensor:
    """Draw a weight of a linear layer `(out, in)` or a convolution `(out, in, height, width)`, float64.

    fan_in is the number of terms of one output's sum: in, times height x width of the kernel; fan_out likewise.

    | name | draw |
    |---|---|
    | standard | uniform in +-1/sqrt(fan_in): fan_in Var = 1/3, the heuristic that Glorot and Bengio found in use |
    | glorot | uniform in +-sqrt(6 / (fan_in + fan_out)) |
    | he | N(0, 2 / fan_in) |
    | orthogonal | Haar-distributed with orthonormal rows or columns, the kernel flattened to (out, fan_in) |
    | delta-orthogonal | (convolutions) orthogonal (out, in) at the kernel's centre, else 0: with out >= in and stride |
    | | 1 the convolution itself is an isometry |
    | gaussian | N(0, 1 / fan_in) |

    Source: Glorot and Bengio 2010; He et al. 2015 (Delving deep into rectifiers); Saxe et al. 2014; Xiao et al. 2018;
    Poole et al. 2016 and Schoenholz et al. 2017 for the gaussian.

    Args:
        name: one of the above.
        shape: of the weight.
        generator: source of the draw.
    """
    return _DRAWS[name](shape, generator)


def initialise(module: nn.Module, design: FeedForward, generator: torch.Generator) -> None:
    """Fill a module's parameters and buffers as the design says: weights by name, normalisations as the identity.

    Linear layers of a delta-orthogonal network (its head) are orthogonal.

    Args:
        module: with parameters of any content, on a device with memory.
        design: names the initialisation, its gain, sigma_w and sigma_b.
        generator: source of all draws, in the order of `module.modules()`.
    """
    gain = design.sigma_w if design.initialisation == "gaussian" else design.gain
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            name: LayerInitialisation = design.initialisation
            if name == "delta-orthogonal" and isinstance(layer, nn.Linear):
                name = "orthogonal"
            layer.weight.detach().copy_(gain * draw_weight(name, tuple(layer.weight.shape), generator))
            if layer.bias is not None:
                bias = torch.randn(layer.bias.shape, generator=generator, dtype=torch.float64)
                layer.bias.detach().copy_(design.sigma_b * bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            layer.reset_parameters()  # ones and zeros; draws nothing


def fans(shape: Shape) -> tuple[int, int]:
    """fan_in and fan_out of a weight."""
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _uniform(bound: float, shape: Shape, generator: torch.Generator) -> Tensor:
    return bound * (2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1)


def _standard(shape: Shape, generator: torch.Generator) -> Tensor:
    return _uniform(1 / math.sqrt(fans(shape)[0]), shape, generator)


def _glorot(shape: Shape, generator: torch.Generator) -> Tensor:
    return _uniform(math.sqrt(6 / sum(fans(shape))), shape, generator)


def _gaussian(shape: Shape, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64) / math.sqrt(fans(shape)[0])


def _orthogonal(shape: Shape, generator: torch.Generator) -> Tensor:
    rows, columns = shape[0], fans(shape)[0]
    tall = torch.randn(max(rows, columns), min(rows, columns), generator=generator, dtype=torch.float64)
    basis, factor = torch.linalg.qr(tall)
    basis = basis * factor.diagonal().sign()
    return (basis if rows >= columns else basis.T).reshape(shape)


def _delta_orthogonal(shape: Shape, generator: torch.Generator) -> Tensor:
    weight = torch.zeros(shape, dtype=torch.float64)
    weight[:, :, shape[2] // 2, shape[3] // 2] = _orthogonal(shape[:2], generator)
    return weight


_DRAWS: dict[LayerInitialisation, Callable[[Shape, torch.Generator], Tensor]] = {
    "standard": _standard,
    "glorot": _glorot,
    "he": lambda shape, generator: math.sqrt(2) * _gaussian(shape, generator),
    "orthogonal": _orthogonal,
    "delta-orthogonal": _delta_orthogonal,
    "gaussian": _gaussian,
}

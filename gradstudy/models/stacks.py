"""Deep fully connected networks as theory has them: square layers on pre-activations, drawn one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Activation = Literal["linear", "relu", "tanh", "sigmoid"]
Scheme = Literal["standard", "glorot", "he", "gaussian", "orthogonal"]
Normalisation = Literal["none", "batch", "frozen"]


@dataclass(frozen=True)
class Stack:
    """A chain of L links h -> [h +] beta W phi(norm(h)) + b between pre-activations of equal width n.

    Args:
        width: n.
        depth: L.
        activation: phi.
        scheme: of the weights. standard: U[+-1/sqrt(n)] (variance 1/(3n)); glorot: U[+-sqrt(3/n)]; he: N(0, 2/n);
            gaussian: N(0, sigma_w^2/n); orthogonal: sigma_w times a Haar-distributed matrix. Biases N(0, sigma_b^2).
        normalisation: "batch" centres and scales each unit over the rows, without parameters and epsilon;
            "frozen" does so too, and derivatives take the statistics for constants.
        sigma_w: of gaussian and orthogonal weights.
        sigma_b: of the biases.
        shortcut: beta of a residual network; None for a plain one.
        leak: slope of relu for negative pre-activations.
        gates: if given, phi's slopes have nothing to do with h: they are drawn anew for each row, unit and layer, 1 or
            this number with equal odds.
        weight_scale: factor on all weights.
        gain: every link hands back e^(gain/2) times its gradient, while the values stay as they are.
        rate: if given, the network is replaced by a linear one with orthogonal weights times e^(rate/2), whose squared
            gradient norm changes by exactly this rate.
    """

    width: int
    depth: int
    activation: Activation = "relu"
    scheme: Scheme = "he"
    normalisation: Normalisation = "none"
    sigma_w: float = 1.0
    sigma_b: float = 0.0
    shortcut: float | None = None
    leak: float = 0.0
    gates: float | None = None
    weight_scale: float = 1.0
    gain: float = 0.0
    rate: float | None = None


@dataclass(frozen=True)
class Link:
    """One drawn link; calling it with `(rows, n)` pre-activations gives the next ones."""

    stack: Stack
    weight: Float[Tensor, "n n"]
    bias: Float[Tensor, " n"]
    slopes: Float[Tensor, "rows n"] | None

    def __call__(self, h: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """The next pre-activations."""
        stack = self.stack
        branch = self.activate(self.normalise(h)) @ self.weight.T + self.bias
        following = branch if stack.shortcut is None else h + stack.shortcut * branch
        if stack.gain:
            factor = math.exp(stack.gain / 2)
            following = factor * following + ((1 - factor) * following).detach()
        return following

    def normalise(self, h: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """norm(h)."""
        match self.stack.normalisation:
            case "batch":
                return batch_norm(h, h)
            case "frozen":
                return batch_norm(h, h.detach())
            case _:
                return h

    def activate(self, z: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """phi of each entry."""
        if self.slopes is not None:
            return self.slopes * z
        match self.stack.activation:
            case "relu":
                return torch.nn.functional.leaky_relu(z, self.stack.leak)
            case "tanh":
                return z.tanh()
            case "sigmoid":
                return z.sigmoid()
            case _:
                return z


def batch_norm(h: Float[Tensor, "rows n"], among: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
    """Each column centred and divided by its standard deviation over the rows of `among` (biased, without epsilon)."""
    mean = among.mean(0)
    return (h - mean) / (among - mean).square().mean(0).sqrt()


def draw(stack: Stack, rows: int, stream: torch.Generator) -> list[Link]:
    """The links of one network, in float64 (its numbers are drawn in float32).

    Args:
        stack: the design.
        rows: how many inputs will go through it; gates are drawn for each.
        stream: source of weights, biases and gates.
    """
    if stack.rate is not None:
        stack = Stack(stack.width, stack.depth, "linear", "orthogonal", sigma_w=math.exp(stack.rate / 2))
    return [_link(stack, rows, stream) for _ in range(stack.depth)]


def _link(stack: Stack, rows: int, stream: torch.Generator) -> Link:
    n = stack.width
    weight = draw_weight(stack, stream).mul_(stack.weight_scale)
    bias = stack.sigma_b * _normal(n, stream) if stack.sigma_b else torch.zeros(n, dtype=torch.float64)
    slopes = None
    if stack.gates is not None:
        odds = torch.rand(rows, n, generator=stream)
        slopes = torch.where(odds < 0.5, 1.0, stack.gates).double()
    return Link(stack, weight, bias, slopes)


def draw_weight(stack: Stack, stream: torch.Generator) -> Float[Tensor, "n n"]:
    """One weight matrix by the stack's scheme."""
    n = stack.width
    match stack.scheme:
        case "standard":
            return _uniform(n, 1 / math.sqrt(n), stream)
        case "glorot":
            return _uniform(n, math.sqrt(3 / n), stream)
        case "he":
            return _normal((n, n), stream).mul_(math.sqrt(2 / n))
        case "gaussian":
            return _normal((n, n), stream).mul_(stack.sigma_w / math.sqrt(n))
        case _:
            basis, factor = torch.linalg.qr(_normal((n, n), stream))
            return stack.sigma_w * basis * factor.diagonal().sign()


def _normal(size: int | tuple[int, int], stream: torch.Generator) -> Tensor:
    # Drawn in float32, which is three times as fast, and used in float64: drawing is most of the cost of a network.
    return torch.randn(size, generator=stream).double()


def _uniform(n: int, bound: float, stream: torch.Generator) -> Tensor:
    return torch.rand(n, n, generator=stream).double().mul_(2 * bound).sub_(bound)

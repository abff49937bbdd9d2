"""The straight part of a curve and its slope."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from scipy.special import stdtrit
from torch import Tensor

# How far, in nats, a point may lie off the line: this share of the line's own change over the window, or this much.
_SHARE, _LEAST = 0.05, 0.05
# Pieces into which the window of a single curve is cut, each of at least two steps.
_PIECES = 8


@dataclass(frozen=True, eq=False)
class Window:
    """Points start .. stop - 1 of a curve."""

    start: int
    stop: int


def straight_window(curve: Float[Tensor, " points"]) -> Window | None:
    """The longest run of points that all lie near the run's least-squares line; the first of equally long ones.

    Near is within 5 % of the line's change over the run, or within 0.05. Only the points before the first that is not
    finite count.

    Returns:
        None if there are fewer than three such points.
    """
    bad = (~torch.isfinite(curve)).nonzero()
    curve = curve[: int(bad[0]) if len(bad) else None]
    for length in range(len(curve), 2, -1):
        runs = curve.unfold(0, length, 1)
        slopes = least_squares_slopes(runs)
        x = _centred(length, curve)
        distance = (runs - runs.mean(-1, keepdim=True) - slopes[:, None] * x).abs().amax(-1)
        straight = distance <= (_SHARE * (length - 1) * slopes.abs()).clamp(min=_LEAST)
        if bool(straight.any()):
            start = int(straight.nonzero()[0])
            return Window(start, start + length)
    return None


def least_squares_slopes(curves: Float[Tensor, "curves points"]) -> Float[Tensor, " curves"]:
    """Slope of the least-squares line through each curve, per point."""
    x = _centred(curves.shape[-1], curves)
    return curves @ x / x.square().sum()


def _centred(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, dtype=like.dtype, device=like.device) - (length - 1) / 2


def slopes_of_pieces(curve: Float[Tensor, " points"]) -> Float[Tensor, " pieces"]:
    """Slopes of up to eight pieces of a curve that share no step; one piece if there are fewer than four steps."""
    steps = len(curve) - 1
    pieces = max(1, min(_PIECES, steps // 2))
    edges = [steps * i // pieces for i in range(pieces + 1)]
    parts = [curve[a : b + 1] for a, b in pairwise(edges)]
    return torch.cat([least_squares_slopes(part[None]) for part in parts])


def student_half_width(values: Float[Tensor, " n"]) -> float:
    """Half of Student's 95 % interval of the mean of independent values; infinite for fewer than two."""
    n = len(values)
    return float(stdtrit(n - 1, 0.975)) * float(values.std()) / math.sqrt(n) if n > 1 else math.inf

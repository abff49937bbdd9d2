"""Square weight matrices for a number of steps, one network beside the other: one for all steps, or one a step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Sharing = Literal["tied", "independent"]
Scheme = Literal["gaussian", "uniform", "orthogonal"]

SHARINGS: tuple[Sharing, Sharing] = ("tied", "independent")
"""One matrix that is used at every step, as in a recurrent network, or a new one at every step."""


@dataclass(frozen=True)
class Matrices:
    """How n x n matrices are drawn.

    Args:
        width: n.
        scheme: gaussian: entries N(0, 1/n); uniform: entries uniform in +-1/sqrt(n) (variance 1/(3n), torch's default
            for recurrent layers); orthogonal: Haar-distributed.
        gain: factor on all of them.
    """

    width: int
    scheme: Scheme = "gaussian"
    gain: float = 1.0


def draw_matrices(matrices: Matrices, count: int, stream: torch.Generator) -> Float[Tensor, "count n n"]:
    """Independent matrices, in float64 (their numbers are drawn in float32, which is most of the cost of a product)."""
    n = matrices.width
    if matrices.scheme == "uniform":
        drawn = torch.rand(count, n, n, generator=stream).double()
        return drawn.mul_(2).sub_(1).mul_(matrices.gain / math.sqrt(n))
    drawn = torch.randn(count, n, n, generator=stream).double()
    if matrices.scheme == "gaussian":
        return drawn.mul_(matrices.gain / math.sqrt(n))
    basis, factor = torch.linalg.qr(drawn)
    return matrices.gain * basis * factor.diagonal(dim1=1, dim2=2).sign()[:, None, :]


def matrix_sequence(
    matrices: Matrices, sharing: Sharing, count: int, stream: torch.Generator
) -> Iterator[Float[Tensor, "count n n"]]:
    """W_1, W_2, ... of `count` networks, without end; both kinds of sharing have the same W_1.

    Args:
        matrices: how each is drawn.
        sharing: tied: W_1 again and again; independent: a new one every time, drawn when it is asked for.
        count: networks.
        stream: source of all of them.
    """
    first = draw_matrices(matrices, count, stream)
    if sharing == "tied":
        yield from repeat(first)
    yield first
    while True:
        yield draw_matrices(matrices, count, stream)


def spectral_radii(weight: Float[Tensor, "count n n"]) -> Float[Tensor, " count"]:
    """rho of each matrix: the largest modulus of its eigenvalues."""
    return torch.linalg.eigvals(weight).abs().amax(1)

"""Matrix products in twice the digits of float64, out of float64 matrix products alone.

A matrix is the unevaluated sum of two float64 matrices. For a product both factors are cut into slices of so few bits
that products of slices are exact in float64, whatever the order in which the hardware adds.

Source: Ozaki, Ogita, Oishi and Rump, Error-free transformations of matrix multiplication by using fast routines of
matrix multiplication and its applications, 2012.
"""

from __future__ import annotations

from math import ceil, log2
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_SLICES = 5


class DoubleDouble(NamedTuple):
    """The matrix high + low, low at most half a unit in high's last place."""

    high: Float[Tensor, "batch m n"]
    low: Float[Tensor, "batch m n"]


def matrix_product(left: Tensor | DoubleDouble, right: Tensor | DoubleDouble) -> DoubleDouble:
    """left @ right, each entry to within `product_error(n)` times the largest entries of its row and its column.

    Args:
        left, right: `(batch, m, n)` and `(batch, n, k)`, float64 or double-double.

    Cost: fifteen float64 products of these shapes.
    """
    inner = (left.high if isinstance(left, DoubleDouble) else left).shape[-1]
    bits = _slice_bits(inner)
    row_scale, rows = _slices(left, bits, dim=-1)
    column_scale, columns = _slices(right, bits, dim=-2)
    # The first slices of the rows, side by side, meet those of the columns in reverse: one exact product a level.
    across, down = torch.cat(rows, dim=-1), torch.cat(columns[::-1], dim=-2)
    high = across[..., :inner] @ down[..., -inner:, :]
    low = torch.zeros_like(high)
    for level in range(2, _SLICES + 1):
        high, rounding = two_sum(high, across[..., : level * inner] @ down[..., -level * inner :, :])
        low = low + rounding
    high, low = two_sum(high, low)
    scale = row_scale * column_scale
    return DoubleDouble(high * scale, low * scale)


def product_error(inner: int) -> float:
    """Error of an entry of a product of `inner` terms, relative to the largest entries of its row and its column.

    The slices left out are at most 2^(1 - 5 bits) of their scales a term, and these at most twice the largest entries;
    adding up the low parts rounds at 2^-104.
    """
    return 8 * inner * 2.0 ** -min(_SLICES * _slice_bits(inner), 104)


def _slice_bits(inner: int) -> int:
    """So few that `_SLICES * inner` products of two slices add up within 53 bits."""
    return (53 - ceil(log2(_SLICES * inner))) // 2


def _slices(matrix: Tensor | DoubleDouble, bits: int, dim: int) -> tuple[Tensor, list[Tensor]]:
    """Powers of two, and the slices of the matrix divided by them along `dim`: at most 1, 2^-bits, 4^-bits ..."""
    high, low = matrix if isinstance(matrix, DoubleDouble) else (matrix, None)
    scale = power_of_two(high.abs().amax(dim, keepdim=True))
    high, low = high / scale, low if low is None else low / scale
    slices = []
    for i in range(1, _SLICES + 1):
        shift = 1.5 * 2.0 ** (52 - i * bits)  # adding it rounds to multiples of 2^(-i bits)
        slices.append((high + shift) - shift)
        high = high - slices[-1]
        if low is not None:
            high, low = two_sum(high, low)
    return scale, slices


def power_of_two(size: Tensor) -> Tensor:
    """The least power of two above each size; 1 for 0."""
    return torch.where(size > 0, size / torch.frexp(size).mantissa, 1.0)


def two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The rounded sum and its rounding error, exactly (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)

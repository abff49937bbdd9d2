"""The largest singular values of many matrices at once, from products with them alone: block Lanczos."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]

# Vectors beside the k asked for: a cluster around the k-th value does not slow the others down, and the gap behind
# them bounds the error.
_SPARE = 4
# Blocks before the first check of whether the values have converged.
_FIRST_CHECK = 8
_MOST_BLOCKS = 24
# Of a block against the basis, and the coefficient below which the last of them was the one to make sure.
_MOST_PROJECTIONS = 4
_NEXT_TO_NOTHING = 1e-2


@dataclass(frozen=True, eq=False)
class Largest:
    """The k largest singular values.

    Args:
        values: descending, `(rows, k)`.
        converged: which rows have reached the tolerance, `(rows,)`.
        error: bound on the error of sigma_k^2 relative to it, `(rows,)`, float64.
    """

    values: Tensor
    converged: Tensor
    error: Tensor


def largest_singular_values(
    jvp: Product, vjp: Product, start: Tensor, k: int, tolerance: float, most_blocks: int = _MOST_BLOCKS
) -> Largest:
    """The k largest singular values of each row's matrix A, by block Lanczos on A^T A with full orthogonalisation.

    A Krylov basis V of blocks is built from the start; the values are those of A V (Rayleigh and Ritz). With theta =
    sigma^2 and R the residuals A^T A v - theta v of the p largest Ritz pairs, a row has converged when
    min(|R|, |R|^2 / gap) <= tolerance * theta_k, the gap being that between theta_k and the (p + 1)th Ritz value: the
    values' error in theta is at most that if the basis has missed no larger value, which a random start makes sure of.

    Args:
        jvp, vjp: A and A^T on blocks, `(rows, n, p)`.
        start: a random orthonormal block, `(rows, n, p)`, p = k + 4.
        k: how many.
        tolerance: on the relative error in theta.
        most_blocks: of the basis, at which rows that have not converged are given up.

    Cost: one product with A and one with A^T a block, 8 to 22 blocks as a rule; memory of two bases and, in float64, of
    the images A V.

    Source: Golub, Luk and Overton 1981, A block Lanczos method for computing the singular values of a matrix.
    """
    basis = block = start
    normal, images, gram = start[..., :0], list[Tensor](), start.new_empty(len(start), 0, 0, dtype=torch.float64)
    check, earlier = _FIRST_CHECK, (0, math.inf)
    for blocks in range(1, most_blocks + 1):
        image = jvp(block)
        images.append(image.double())
        gram = _bordered(gram, images)
        back = vjp(image)
        normal = torch.cat([normal, back], -1)
        full = blocks == most_blocks or basis.shape[-1] + start.shape[-1] > basis.shape[1]
        if blocks == check or full:
            found = _ritz(basis, normal, images[0], gram, k, tolerance)
            if full or bool(found.converged.all()):
                return found
            error = found.error[~found.converged].max().item() / tolerance
            check = blocks + _pause(blocks, error, earlier)
            earlier = blocks, error
        block = _next_block(basis, back)
        basis = torch.cat([basis, block], -1)
    raise AssertionError("the last block always returns")


def spare_block(k: int) -> int:
    """Columns of the start block for k values."""
    return k + _SPARE


def _pause(blocks: int, error: float, earlier: tuple[int, float]) -> int:
    """Blocks until the next check: half of what is missing at the rate since the last one, as the rate grows.

    Args:
        blocks, error: now; the error in units of the tolerance.
        earlier: both at the check before.
    """
    most = max(4, blocks // 4)
    if not 1 < error < earlier[1] < math.inf:
        return most
    rate = math.log(earlier[1] / error) / (blocks - earlier[0])
    return min(most, max(1, int(math.log(error) / rate / 2)))


def _bordered(gram: Tensor, images: Sequence[Tensor]) -> Tensor:
    """(A V)^T (A V), of which only what the last block brings is new."""
    column = torch.cat([one.mT @ images[-1] for one in images], -2)
    inner, border = column.split([gram.shape[-1], column.shape[-1]], -2)
    return torch.cat([torch.cat([gram, inner], -1), torch.cat([inner.mT, border], -1)], -2)


def _ritz(basis: Tensor, normal: Tensor, image: Tensor, gram: Tensor, k: int, tolerance: float) -> Largest:
    """The values of A V, from (A V)^T (A V) in float64, and whether their residuals are small enough."""
    count = k + _SPARE
    theta, vectors = torch.linalg.eigh(gram)
    theta, vectors = theta.flip(-1).clamp(min=0), vectors[..., -count:].flip(-1).to(basis.dtype)
    residual = normal @ vectors - (basis @ vectors) * theta[:, None, :count].to(basis.dtype)
    size = torch.linalg.matrix_norm(residual).double()
    gap = theta[:, k - 1] - theta[:, count] if theta.shape[-1] > count else torch.zeros_like(size)
    error = torch.minimum(size, size**2 / gap.clamp(min=1e-300))
    # Below that the squares underflow and their residuals with them, unless nothing came out at all.
    sized = (theta[:, k - 1] > torch.finfo(basis.dtype).tiny / tolerance**2) | ~image.any(2).any(1)
    error = error / theta[:, k - 1].clamp(min=1e-300)
    return Largest(theta[:, :k].sqrt().to(basis.dtype), (error <= tolerance) & sized, error)


def _next_block(basis: Tensor, back: Tensor) -> Tensor:
    """An orthonormal block of what is new in A^T A V.

    Projected and orthonormalised until a projection finds next to nothing to take away: once loses digits, directions
    that are rounding alone come out of QR at random, and what is not orthogonal grows from block to block.
    """
    block, _ = torch.linalg.qr(back - basis @ (basis.mT @ back))
    for _ in range(_MOST_PROJECTIONS):
        taken = basis.mT @ block
        block, _ = torch.linalg.qr(block - basis @ taken)
        if bool((taken.abs() < _NEXT_TO_NOTHING).all()):
            break
    return block

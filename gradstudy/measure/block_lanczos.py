"""The largest singular values of many matrices at once, from products with them alone: block Lanczos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]

# Vectors beside the k asked for: a cluster around the k-th value does not slow the others down, and the gap behind
# them bounds the error.
_SPARE = 4
# A check costs as much as several blocks.
_CHECKS = (8, 12, 16, 20, 24, 32, 40, 48, 64)
_MOST_BLOCKS = 24


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

    Cost: one product with A and one with A^T a block, 8 to 20 blocks as a rule; memory of three bases.

    Source: Golub, Luk and Overton 1981, A block Lanczos method for computing the singular values of a matrix.
    """
    basis, images, normal = start, jvp(start), start[..., :0]
    image = images
    for blocks in range(1, most_blocks + 1):
        back = vjp(image)
        normal = torch.cat([normal, back], -1)
        full = blocks == most_blocks or basis.shape[-1] + start.shape[-1] > basis.shape[1]
        if blocks in _CHECKS or full:
            found = _ritz(basis, images, normal, k, tolerance)
            if full or bool(found.converged.all()):
                return found
        block = _next_block(basis, back)
        image = jvp(block)
        basis, images = torch.cat([basis, block], -1), torch.cat([images, image], -1)
    raise AssertionError("the last block always returns")


def spare_block(k: int) -> int:
    """Columns of the start block for k values."""
    return k + _SPARE


def _ritz(basis: Tensor, images: Tensor, normal: Tensor, k: int, tolerance: float) -> Largest:
    """The values of A V, through (A V)^T (A V) in float64, and whether their residuals are small enough."""
    wide, count = images.double(), k + _SPARE
    theta, vectors = torch.linalg.eigh(wide.mT @ wide)
    theta, vectors = theta.flip(-1).clamp(min=0), vectors[..., -count:].flip(-1).to(basis.dtype)
    residual = normal @ vectors - (basis @ vectors) * theta[:, None, :count].to(basis.dtype)
    size = torch.linalg.matrix_norm(residual).double()
    gap = theta[:, k - 1] - theta[:, count] if theta.shape[-1] > count else torch.zeros_like(size)
    error = torch.minimum(size, size**2 / gap.clamp(min=1e-300))
    # Below that the squares underflow and their residuals with them, unless nothing came out at all.
    sized = (theta[:, k - 1] > torch.finfo(basis.dtype).tiny / tolerance**2) | ~images.flatten(1).any(1)
    error = error / theta[:, k - 1].clamp(min=1e-300)
    return Largest(theta[:, :k].sqrt().to(basis.dtype), (error <= tolerance) & sized, error)


def _next_block(basis: Tensor, back: Tensor) -> Tensor:
    """An orthonormal block of what is new in A^T A V; twice projected, since once loses digits."""
    for _ in range(2):
        back = back - basis @ (basis.mT @ back)
    block, _ = torch.linalg.qr(back)
    for _ in range(2):  # directions that are rounding alone come out of QR at random; make them orthogonal too
        block = block - basis @ (basis.mT @ block)
        block, _ = torch.linalg.qr(block)
    return block

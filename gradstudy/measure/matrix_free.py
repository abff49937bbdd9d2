"""The largest singular values of links and products too large to be formed, from products with vectors alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, svds
from torch import Tensor

from gradstudy.chains.chain import Chain
from gradstudy.errors import ConvergenceError
from gradstudy.measure.block_lanczos import Product, largest_singular_values, spare_block
from gradstudy.measure.graded import random_basis

# From this size on (the smaller side's) the k largest come from products alone, if k is much smaller.
LARGE = 512
# Relative error in sigma^2 at which a row's values have converged.
_TOLERANCE = {torch.float64: 1e-9}
_TOLERANCE_FLOAT32 = 1e-5
# Numbers of the basis and its two images together.
_MOST = 2**26
_MOST_BLOCKS = 64
# Numbers of a dense matrix that is formed where block Lanczos does not converge: 512 MB in float64.
_MOST_DENSE = 2**26
# Random vectors on either side from which rounding is estimated, and by how much its largest may exceed its mean.
_PROBES = 4
_CAUTION = 8


@dataclass(frozen=True, eq=False)
class Operator:
    """One matrix a row, `(n_out, n_in)`, known by its products with blocks, `(rows, n, p)`.

    Args:
        jvp, vjp: A and A^T on blocks.
        rows, n_in, n_out: sizes.
        dtype, device: of the blocks.
    """

    jvp: Product
    vjp: Product
    rows: int
    n_in: int
    n_out: int
    dtype: torch.dtype
    device: torch.device

    @property
    def transposed(self) -> Operator:
        """A^T, with the same singular values."""
        return replace(self, jvp=self.vjp, vjp=self.jvp, n_in=self.n_out, n_out=self.n_in)


@dataclass(frozen=True, eq=False)
class ScaledProduct:
    """J_stop ... J_{start+1} as an operator times exp(log_scale), `(rows, 1)`: neither end under- nor overflows."""

    operator: Operator
    log_scale: Tensor


def is_large(n_in: int, n_out: int, k: int | None) -> bool:
    """Whether k singular values are cheaper from products than from the dense matrix."""
    size = min(n_in, n_out)
    return k is not None and size > LARGE and 16 * spare_block(k) <= size


def link_operator(chain: Chain, t: int) -> Operator:
    """Link t of a chain."""
    links, sizes = chain.links, chain.sizes
    return Operator(
        lambda v: links.jvp(t, v),
        lambda u: links.vjp(t, u),
        chain.rows,
        sizes[t - 1],
        sizes[t],
        chain.dtype,
        chain.device,
    )


def product_operator(chain: Chain, start: int, stop: int) -> ScaledProduct:
    """The product of the links start + 1 .. stop, each divided by how much it stretches what comes to it in each row.

    The stretch is that of one fixed random vector, carried along: any positive numbers would do, as their logarithms
    are added again at the end.
    """
    block = random_basis(chain.rows, chain.sizes[start], 1, chain.device).to(chain.dtype)
    factors = list[Tensor]()
    for t in range(start + 1, stop + 1):
        block = chain.links.jvp(t, block)
        stretch = torch.linalg.vector_norm(block.double(), dim=1, keepdim=True).to(chain.dtype)
        factors.append(torch.where(stretch > 0, stretch, 1.0))
        block = block / factors[-1]
    steps = list(zip(range(start + 1, stop + 1), factors, strict=True))

    def forward(v: Tensor) -> Tensor:
        for t, factor in steps:
            v = chain.links.jvp(t, v) / factor
        return v

    def backward(u: Tensor) -> Tensor:
        for t, factor in reversed(steps):
            u = chain.links.vjp(t, u) / factor
        return u

    sizes = (chain.sizes[start], chain.sizes[stop])
    operator = Operator(forward, backward, chain.rows, *sizes, chain.dtype, chain.device)
    return ScaledProduct(operator, torch.stack(factors).double().log().sum(0)[..., 0])


def product_noise(operator: Operator) -> Tensor:
    """How much of each row's product with a unit vector is rounding, `(rows,)`, float64.

    u^T (A v) and (A^T u)^T v are the same number, rounded along two ways. What one link makes large and the next takes
    out again shows in their difference, and in nothing that is known of the product alone.
    """
    v = random_basis(operator.rows, operator.n_in, _PROBES, operator.device).to(operator.dtype)
    u = random_basis(operator.rows, operator.n_out, _PROBES, operator.device).to(operator.dtype)
    gap = u.double().mT @ operator.jvp(v).double() - operator.vjp(u).double().mT @ v.double()
    spread = gap.square().mean((1, 2)).sqrt()
    return _CAUTION * max(operator.n_in, operator.n_out) ** 0.5 * spread


def largest_values(operator: Operator, k: int) -> tuple[Tensor, Tensor]:
    """The k largest singular values of each row, `(rows, k)`, and the relative error of their squares, `(rows,)`.

    Block Lanczos for all rows together. Where a row has not converged when memory for its basis is used up, as when
    values crowd at the top, the dense matrix is formed if it fits; else the row goes on by itself in ARPACK.
    """
    if operator.n_in > operator.n_out:
        operator = operator.transposed
    width = spare_block(k)
    most = min(_MOST_BLOCKS, max(8, _MOST // (operator.rows * width * (operator.n_in + operator.n_out))))
    start = random_basis(operator.rows, operator.n_in, width, operator.device).to(operator.dtype)
    tolerance = _TOLERANCE.get(operator.dtype, _TOLERANCE_FLOAT32)
    found = largest_singular_values(operator.jvp, operator.vjp, start, k, tolerance, most)
    left = (~found.converged).nonzero()[:, 0].tolist()
    if left and operator.rows * operator.n_in * operator.n_out <= _MOST_DENSE:
        found.values[left] = torch.linalg.svdvals(formed(operator)[left])[:, :k]
        found.error[left] = torch.finfo(operator.dtype).eps * operator.n_in
        return found.values, found.error
    for row in left:
        found.values[row], found.error[row] = _restarted(operator, row, k, tolerance, most)
    return found.values, found.error


def formed(operator: Operator) -> Tensor:
    """The dense matrix of each row, or its transpose if that has fewer columns."""
    if operator.n_in > operator.n_out:
        operator = operator.transposed
    return operator.jvp(
        torch.eye(operator.n_in, dtype=operator.dtype, device=operator.device).expand(operator.rows, -1, -1)
    )


def _restarted(operator: Operator, row: int, k: int, tolerance: float, most: int) -> tuple[Tensor, float]:
    """One row by ARPACK."""

    def alone(product: Product, size: int) -> Callable[[np.ndarray], np.ndarray]:
        def apply(vector: np.ndarray) -> np.ndarray:
            block = torch.zeros(operator.rows, size, 1, dtype=operator.dtype, device=operator.device)
            block[row, :, 0] = torch.from_numpy(np.asarray(vector).reshape(-1).copy())
            return product(block)[row, :, 0].cpu().numpy()

        return apply

    matrix = LinearOperator(
        (operator.n_out, operator.n_in),
        matvec=alone(operator.jvp, operator.n_in),
        rmatvec=alone(operator.vjp, operator.n_out),
        dtype=np.float64 if operator.dtype == torch.float64 else np.float32,
    )
    start = random_basis(1, min(operator.n_in, operator.n_out), 1, torch.device("cpu"))[0, :, 0].numpy()
    try:
        values = svds(matrix, k, tol=tolerance / 10, v0=start.astype(matrix.dtype), return_singular_vectors=False)
    except ArpackNoConvergence as error:
        raise ConvergenceError(
            f"the {k} largest singular values of a {operator.n_out} x {operator.n_in} Jacobian, not found after "
            f"{most} blocks and as many restarts as ARPACK allows",
            needed="values that stand apart",
            why="values that have not converged would be too small",
            remedy="ask for fewer (k), or in float64",
        ) from error
    return torch.from_numpy(np.sort(values)[::-1].copy()).to(operator.dtype), tolerance

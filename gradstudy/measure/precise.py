"""Exact rank and extra digits for products of float64 matrices, by FLINT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import flint
import numpy as np
import torch
from torch import Tensor

# Two primes below 2^31, so that residues multiply within int64. A rank modulo a prime is never above the exact rank,
# and below it only if the prime divides every largest minor: the maximum over two primes fails about once in 1e18.
_PRIMES = (2147483647, 2147483629)
_MAX_BITS = 2**16


def exact_rank(matrices: Iterable[Tensor]) -> int:
    """Exact rank of M_T ... M_1, the entries read as the rational numbers that float64 holds.

    Args:
        matrices: `(n_out, n_in)` each, float64, finite, first factor first.

    Cost: T products of n x n matrices modulo each of two primes.
    """
    products: list[flint.nmod_mat] = []
    for matrix in matrices:
        residues = [_residues(matrix.numpy(), prime) for prime in _PRIMES]
        products = [new * old for new, old in zip(residues, products, strict=True)] if products else residues
    return max(int(product.rank()) for product in products)


def _residues(matrix: np.ndarray, prime: int) -> flint.nmod_mat:
    """The matrix modulo a prime; a float64 is m 2^e, and 2 has an inverse."""
    mantissa, exponent = np.frexp(matrix)
    whole = (mantissa * 2.0**53).astype(np.int64) % prime
    exponents, inverse = np.unique(exponent.astype(np.int64) - 53, return_inverse=True)
    powers = np.array([pow(2, int(e), prime) for e in exponents], dtype=np.int64)[inverse].reshape(matrix.shape)
    residues = whole * powers % prime
    return flint.nmod_mat(residues.tolist(), prime)


def precise_factor(matrices: Sequence[Tensor] | Tensor, basis: Tensor) -> tuple[Tensor, Tensor] | None:
    """The graded factor of a product for one row of the batch, in as many bits as it needs.

    A transposed pass from the given basis to a start basis, and a forward pass from there, as `graded_pass` makes them.

    Args:
        matrices: `(n_out, n_in)` each, float64, first applied first.
        basis: k linearly independent columns, k at most the rank of the product, `(n, k)`, n the last one's rows.

    Returns:
        log_diagonal `(k,)` and unit `(k, k)`, right to float64; None if 65536 bits do not suffice.

    Cost: ten products of n x k matrices a link in FLINT's arithmetic; the bits double until no pivot is lost.
    """
    bits = 256
    while bits <= _MAX_BITS:
        with flint.ctx.workprec(bits):
            try:
                exact = [_exact(matrix) for matrix in matrices]
                start, _ = _pass([matrix.transpose() for matrix in reversed(exact)], _exact(basis))
                return _graded(_pass(exact, start)[1])
            except (ValueError, ZeroDivisionError):  # a pivot was lost in the rounding
                bits *= 2
    return None


def _pass(matrices: list[flint.arb_mat], frame: flint.arb_mat) -> tuple[flint.arb_mat, flint.arb_mat]:
    """The orthonormal frame a pass ends on, and the triangular product; ValueError if it lost too many bits.

    A frame carries its rounding error into the next link only: the pivots there must be certain all the same.
    """
    product = None
    for matrix in matrices:
        image = matrix * frame
        upper = _cholesky(image.transpose() * image).mid()
        frame = image.mid() * upper.inv()
        product = upper if product is None else (upper * product).mid()
    assert product is not None
    return frame.mid(), product


def _exact(matrix: Tensor) -> flint.arb_mat:
    return flint.arb_mat(matrix.tolist())


def _cholesky(gram: flint.arb_mat) -> flint.arb_mat:
    """Upper triangular R with R^T R = gram; ValueError if a pivot keeps fewer than 100 certain bits."""
    rows = gram.tolist()
    upper = [[flint.arb(0)] * len(rows) for _ in rows]
    for i in range(len(rows)):
        pivot = (rows[i][i] - sum((upper[m][i] ** 2 for m in range(i)), flint.arb(0))).sqrt()
        if not pivot.rel_accuracy_bits() > 100:
            raise ValueError("pivot lost")
        upper[i][i] = pivot
        for j in range(i + 1, len(rows)):
            upper[i][j] = (rows[i][j] - sum((upper[m][i] * upper[m][j] for m in range(i)), flint.arb(0))) / pivot
    return flint.arb_mat(upper)


def _graded(product: flint.arb_mat) -> tuple[Tensor, Tensor]:
    k = product.nrows()
    log_diagonal = torch.tensor([float(product[i, i].log()) for i in range(k)], dtype=torch.float64)
    unit = [[float(product[i, j] / product[i, i]) if j >= i else 0.0 for j in range(k)] for i in range(k)]
    return log_diagonal, torch.tensor(unit, dtype=torch.float64)

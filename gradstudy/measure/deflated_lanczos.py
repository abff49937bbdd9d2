"""The largest singular values of one large operator, from products with it alone, with no copy of a value missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

Vector = NDArray[np.float64]
Product = Callable[[Vector], Vector]

# Residual, relative to sigma^2, at which ARPACK stops: ten of them bound an error of 3e-7 in sigma. Values err by about
# the residual's square, so the check needs less.
_TOLERANCE = 2e-7
_CHECK = 1e-5
# A value this much above the k-th, relative in sigma^2, was missed; one nearer changes the k-th by less than 5e-8.
_MISSED = 1e-7
# Rounding of one product with A^T A, in units of eps sigma_1^2.
_ROUNDING = 64 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class Largest:
    """The k largest singular values, descending, and a bound on the relative error of each; `(k,)` both."""

    values: Vector
    error: Vector


def largest_singular_values(gram: Product, size: int, k: int) -> Largest:
    """The k largest singular values of A by restarted Lanczos (ARPACK) on A^T A, checked by deflation.

    One starting vector sees one direction of each eigenspace, so a singular value of multiplicity m, as a convolution's
    often is, would be found m times by luck only. The vectors found are therefore projected out and the largest value
    of what is left compared with the k-th: while it is larger, the search goes on in what is left. The error bound of
    each value is |R| / (2 sigma^2), R the residuals A^T A v - sigma^2 v of all k, which is at least its distance to
    a value of A; that none was passed over rests on the random start of search and check.

    Args:
        gram: A^T A (or A A^T, if that is smaller), symmetric, on vectors of `size`.
        size: of the vectors; more than 4 k.
        k: how many.

    Cost: some hundred products where the largest values cluster, twice that where a value is many-fold.

    Source: Lehoucq, Sorensen and Yang 1998, ARPACK users' guide; Parlett 1980, The symmetric eigenvalue problem, for
    the residual bound.
    """
    random = np.random.default_rng(20190506)  # the same start in every call; no global generator
    if not gram(random.standard_normal(size)).any():
        return Largest(np.zeros(k), np.zeros(k))
    vectors = np.empty((size, 0))
    squares = np.empty(0)
    while True:
        found, new = _search(_deflated(gram, vectors), random, k, _TOLERANCE, k)
        squares, vectors = np.append(squares, found), np.linalg.qr(np.column_stack([vectors, new]))[0]
        keep = np.argsort(squares)[::-1][:k]
        squares, vectors = squares[keep], vectors[:, keep]
        left = _search(_deflated(gram, vectors), random, 1, _CHECK, k)[0].max(initial=0)
        if left <= squares[-1] + _MISSED * abs(squares[-1]) + _ROUNDING * squares[0]:
            return _bounded(gram, squares, vectors)


def _search(
    operator: LinearOperator, random: np.random.Generator, count: int, tolerance: float, k: int
) -> tuple[Vector, Vector]:
    """The largest eigenvalues and their vectors from a random start; none of an operator that is 0."""
    size = operator.shape[0]
    start = random.standard_normal(size)
    if not operator.matvec(start).any():
        return np.empty(0), np.empty((size, 0))
    # Twice ARPACK's own number of basis vectors: fewer restarts where values cluster.
    basis = min(max(4 * k, 20), size)
    values, vectors = eigsh(operator, count, which="LA", tol=tolerance, v0=start, ncv=basis)
    return values, vectors


def _deflated(gram: Product, vectors: Vector) -> LinearOperator:
    """The operator on the orthogonal complement of the vectors; 0 on their span."""

    def apart(x: Vector) -> Vector:
        return x - vectors @ (vectors.T @ x)

    size = len(vectors)
    return LinearOperator((size, size), matvec=lambda x: apart(gram(apart(x.ravel()))), dtype=np.float64)


def _bounded(gram: Product, squares: Vector, vectors: Vector) -> Largest:
    residual = np.column_stack([gram(v) for v in vectors.T]) - vectors * squares
    squares = squares.clip(0)
    with np.errstate(divide="ignore"):  # the relative error of a value that is not told from 0 is infinite
        error = (np.linalg.norm(residual) + _ROUNDING * squares[0]) / (2 * squares)
    return Largest(np.sqrt(squares), error)

"""block_lanczos.

Oracles: singular values by construction, U diag(s) V^T with orthonormal U and V; `torch.linalg.svdvals` of the matrix.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradstudy.measure.block_lanczos import Largest, largest_singular_values, spare_block
from gradstudy.measure.graded import random_basis

K = 5
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}


def matrix(values: Tensor, n_out: int, rows: int = 2, *, seed: int = 0) -> Tensor:
    """`(rows, n_out, len(values))` with these singular values."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(rows, n_out, len(values), generator=generator, dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(rows, len(values), len(values), generator=generator, dtype=torch.float64))[0]
    return left * values.double() @ right.mT


def found(a: Tensor, most_blocks: int = 24) -> Largest:
    start = random_basis(len(a), a.shape[-1], spare_block(K), a.device).to(a.dtype)
    return largest_singular_values(lambda v: a @ v, lambda u: a.mT @ u, start, K, TOLERANCE[a.dtype], most_blocks)


SPECTRA = {
    "slowly falling": torch.linspace(2, 0.1, 400).square(),
    "four decades apart": 10 ** torch.linspace(0, -160, 400).clamp(min=-12),
    "the largest nine-fold": torch.cat([torch.full((9,), 3.0), torch.linspace(2, 0, 391)]),
    "one far above the rest": torch.cat([torch.tensor([30.0]), torch.linspace(1, 0.1, 399).square()]),
    "of rank seven": torch.cat([torch.linspace(2, 1, 7), torch.zeros(393)]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_values_by_construction(spectrum: str, dtype: torch.dtype) -> None:
    values = SPECTRA[spectrum].double()
    a = matrix(values, 700)
    result = found(a.to(dtype))
    assert bool(result.converged.all())
    want = values[:K].expand(2, K)
    gap = (result.values.double() - want).abs()
    # The products themselves are rounded, in units of the largest value.
    rounding = 30 * torch.finfo(dtype).eps * values[0]
    assert bool((gap <= result.error[:, None] * want + rounding).all())
    assert bool((result.error <= TOLERANCE[dtype]).all())


def test_rows_are_independent_of_each_other() -> None:
    easy, hard = matrix(SPECTRA["of rank seven"], 500, 1), matrix(SPECTRA["slowly falling"], 500, 1, seed=1)
    both = found(torch.cat([easy, hard]))
    want = torch.linalg.svdvals(torch.cat([easy, hard]))[:, :K]
    torch.testing.assert_close(both.values, want, rtol=1e-9, atol=0)


def test_given_up_with_an_error_that_covers_what_is_missing() -> None:
    values = SPECTRA["slowly falling"].double()
    result = found(matrix(values, 500), most_blocks=5)
    assert not bool(result.converged.any())
    short = 1 - (result.values / values[:K]).square()
    assert bool((short > 1e-9).any()), "converged after all"
    assert bool((short[:, -1] <= result.error).all())


def test_a_matrix_of_two_blocks_is_used_up_before_the_first_check() -> None:
    a = matrix(torch.linspace(3, 1, 2 * spare_block(K)), 40)
    torch.testing.assert_close(found(a).values, torch.linalg.svdvals(a)[:, :K], rtol=1e-12, atol=0)


def test_a_matrix_of_zeros() -> None:
    result = found(torch.zeros(2, 300, 200, dtype=torch.float64))
    assert not bool(result.values.any())
    assert bool(result.converged.all())


def test_squares_that_underflow_are_no_answer() -> None:
    assert not bool(found(1e-170 * matrix(SPECTRA["of rank seven"], 500)).converged.any())

"""QR passes: the triangular product in the log domain.

Oracles: Householder QR of the plain product in 500 digits (mpmath); sums of logarithms in 30 digits.
"""

from __future__ import annotations

import math

import mpmath
import pytest
import torch

from gradstudy.measure.graded import double_double_pass, graded_pass, random_basis


def links_of_condition(decades, *, steps, size=6, seed=0):
    """U diag(1 .. 10^-decades) V with random orthogonal U and V, `(T, 1, n, n)`."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = 10.0 ** -torch.linspace(0, decades, size, dtype=torch.float64)
    left, right = torch.linalg.qr(torch.randn(2, steps, 1, size, size, generator=generator, dtype=torch.float64))[0]
    return left * spectrum @ right


def exact_factor(links, basis):
    """log |R_ii| and R_ij / R_ii of the product times the basis, one row of the batch."""
    with mpmath.workdps(500):
        block = mpmath.matrix(basis[0].tolist())
        for link in links:
            block = mpmath.matrix(link[0].tolist()) * block
        factor = mpmath.qr(block, mode="skinny")[1]
        k = factor.cols
        logs = [float(mpmath.log(abs(factor[i, i]))) for i in range(k)]
        unit = [[float(factor[i, j] / factor[i, i]) if j >= i else 0.0 for j in range(k)] for i in range(k)]
    return torch.tensor(logs, dtype=torch.float64), torch.tensor(unit, dtype=torch.float64)


@pytest.mark.parametrize("k", [3, 6])
@pytest.mark.parametrize("decades", [3, 9, 13])
def test_double_double_logs_do_not_lose_by_the_condition_of_the_links(decades, k):
    # Float64 loses by it: the last logarithm, to at least 1e-17 times the condition number.
    links, basis = links_of_condition(decades, steps=6), random_basis(1, 6, k, torch.device("cpu"))
    logs, unit = exact_factor(links, basis)
    factor = double_double_pass(links, basis)
    torch.testing.assert_close(factor.log_diagonal[0], logs, rtol=0, atol=1e-13)
    # An entry above the diagonal is rounded as R^-1 is: relative to its row by the condition number at most.
    torch.testing.assert_close(factor.unit[0], unit, rtol=0, atol=10.0**decades * 1e-15 + 1e-13)
    rough = graded_pass([lambda block, j=j: j @ block for j in links], basis)
    if k == 6:
        assert (rough.log_diagonal[0] - logs).abs().max() > 10.0**decades * 1e-17


def test_the_last_basis_is_orthonormal_and_spans_what_the_links_made_of_the_first():
    links, basis = links_of_condition(2, steps=4), random_basis(1, 6, 3, torch.device("cpu"))
    end = double_double_pass(links, basis).basis
    torch.testing.assert_close(end.mT @ end, torch.eye(3, dtype=torch.float64)[None], rtol=0, atol=1e-14)
    image = links[3] @ links[2] @ links[1] @ links[0] @ basis
    torch.testing.assert_close(end @ (end.mT @ image), image, rtol=0, atol=1e-13 * image.abs().max().item())


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e150, 1e300])
def test_double_double_links_of_any_size(size):
    links, basis = links_of_condition(5, steps=5) * size, random_basis(1, 6, 6, torch.device("cpu"))
    logs, _ = exact_factor(links, basis)
    torch.testing.assert_close(double_double_pass(links, basis).log_diagonal[0], logs, rtol=0, atol=2e-12)


def test_a_link_beyond_double_double_is_nan_in_its_row_alone():
    links = links_of_condition(5, steps=5).repeat(1, 2, 1, 1)
    links[2, 0] *= 10.0 ** torch.linspace(-150, 150, 6, dtype=torch.float64)[:, None]
    factor = double_double_pass(links, random_basis(2, 6, 6, links.device))
    assert factor.log_diagonal[0].isnan().all()
    alone = double_double_pass(links[:, 1:], random_basis(1, 6, 6, links.device))
    torch.testing.assert_close(factor.log_diagonal[1:], alone.log_diagonal, rtol=0, atol=1e-13)


def test_ten_thousand_equal_logarithms_add_up_without_a_drift():
    # Plain float64 sums round to the same side again and again: 2.5e-9 off at the end.
    start = torch.ones(1, 1, 1, dtype=torch.float64)
    factor = graded_pass([lambda block: 0.3 * block] * 10_000, start)
    assert factor.log_diagonal.item() == pytest.approx(10_000 * math.log(0.3), abs=5e-12)

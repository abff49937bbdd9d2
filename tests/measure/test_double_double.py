"""Matrix products in double-double.

Oracle: the same products in exact rational arithmetic (fractions).
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from gradstudy.measure.double_double import DoubleDouble, matrix_product, power_of_two, product_error, two_sum


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def double(matrix, seed=0):
    """The matrix with digits beyond its last ones."""
    return DoubleDouble(*two_sum(matrix, matrix * 2.0**-54 * (uniform(*matrix.shape, seed=seed) - 0.5)))


def exact(matrix):
    """`(m, n)` fractions of the only row of a batch."""
    parts = matrix if isinstance(matrix, DoubleDouble) else (matrix, torch.zeros_like(matrix))
    high, low = (part[0].tolist() for part in parts)
    return [[Fraction(a) + Fraction(b) for a, b in zip(*rows, strict=True)] for rows in zip(high, low, strict=True)]


def check(left, right):
    """Every entry of the product within the promised error of the exact one; returns the largest error over it."""
    got = matrix_product(left, right)
    assert torch.equal(got.high + got.low, got.high)
    left, right, got = exact(left), list(zip(*exact(right), strict=True)), exact(got)
    worst = 0.0
    for i, row in enumerate(left):
        for j, column in enumerate(right):
            want = sum(a * b for a, b in zip(row, column, strict=True))
            unit = max(map(abs, row)) * max(map(abs, column))
            worst = max(worst, float(abs(got[i][j] - want) / unit) / product_error(len(row)))
    assert worst <= 1
    return worst


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (8, 8, 8), (12, 40, 12), (4, 300, 3)])
def test_products_against_exact_arithmetic(shape):
    m, n, k = shape
    left, right = normal(1, m, n, seed=1), normal(1, n, k, seed=2)
    check(left, right)
    check(double(left, seed=3), right)
    check(double(left, seed=3), double(right, seed=4))


def test_slices_of_the_largest_digits_add_up_exactly():
    # Entries of all ones in binary, all of a sign: the sums of slices come as close to 53 bits as they can.
    full = torch.full((1, 4, 256), 2.0 - 2.0**-52, dtype=torch.float64)
    check(full, full.mT)
    check(double(full), double(full.mT))


def test_entries_from_1e_minus_150_to_1e150():
    # The error is relative to the largest entries of row and column, whatever their sizes.
    for seed in range(3):
        sizes = 10.0 ** (300 * uniform(1, 6, 6, seed=seed) - 150)
        left, right = sizes * normal(1, 6, 6, seed=seed), normal(1, 6, 4, seed=seed + 10)
        check(left, right)
        check(double(left, seed), double(right, seed))
        rows = 10.0 ** (300 * uniform(1, 6, 1, seed=seed) - 150) * right.new_ones(1, 1, 6)
        check(rows * normal(1, 6, 6, seed=seed), double(right))


def test_a_product_keeps_some_hundred_bits():
    for n in (4, 12, 128, 512, 800):
        assert product_error(n) < 2.0**-85
    assert product_error(12) < 2.0**-97


def test_rows_of_a_batch_are_products_of_their_own():
    left, right = double(normal(3, 4, 4, seed=1)), double(normal(3, 4, 4, seed=2))
    together = matrix_product(left, right)
    for row in range(3):
        alone = matrix_product(DoubleDouble(*(p[[row]] for p in left)), DoubleDouble(*(p[[row]] for p in right)))
        assert torch.equal(together.high[[row]], alone.high)
        assert torch.equal(together.low[[row]], alone.low)


def test_a_row_of_zeros_is_zero_and_what_is_not_finite_is_nan():
    left = torch.tensor([[[0.0, 0.0], [1.0, math.inf]]], dtype=torch.float64)
    high = matrix_product(left, torch.ones(1, 2, 1, dtype=torch.float64)).high
    assert high[0, 0, 0] == 0
    assert high[0, 1, 0].isnan()


def test_two_sum_is_exact():
    a, b = normal(1, 20, 20, seed=1) * 10.0 ** (40 * normal(1, 20, 20, seed=2)), normal(1, 20, 20, seed=3)
    assert exact(DoubleDouble(*two_sum(a, b))) == [
        [x + y for x, y in zip(*rows, strict=True)] for rows in zip(exact(a), exact(b), strict=True)
    ]


def test_powers_of_two_are_exact_over_the_whole_range():
    exponents = range(-1074, 1023)
    sizes = torch.tensor([math.ldexp(1.0, e) for e in exponents], dtype=torch.float64)
    assert power_of_two(sizes).tolist() == [math.ldexp(1.0, e + 1) for e in exponents]
    assert power_of_two(torch.tensor([0.0, 0.3, 1.7], dtype=torch.float64)).tolist() == [1.0, 0.5, 2.0]

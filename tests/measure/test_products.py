"""Products of random matrices.

Oracles: orthogonal and scaled matrices, whose values are known; Kostlan's law of the moduli at depth 1 (area of the
bin); exact arithmetic on numpy's own product.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradstudy.measure.products import draw_product, products
from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Stack


def test_orthogonal_products():
    found, eigenvalues = products(Stack(12, 30, "linear", "orthogonal"), 2, seed=0)
    np.testing.assert_allclose(found[["log_typical", "log_largest", "log_smallest"]], 0, atol=1e-12)
    assert found["origin_share"].tolist() == [0, 0]
    assert found["predicted_share"].isna().all()
    np.testing.assert_allclose(np.hypot(eigenvalues["real"], eigenvalues["imaginary"]), 1, atol=2e-5)


def test_a_scale_multiplies_every_value():
    plain, scaled = (products(Stack(10, 3, "linear", "gaussian", weight_scale=s), 2, seed=0)[0] for s in (1.0, 1.1))
    for column, factor in (("log_typical", 2), ("log_largest", 1), ("log_smallest", 1)):
        np.testing.assert_allclose(scaled[column] - plain[column], 3 * factor * math.log(1.1))


def test_against_numpy():
    stack = Stack(8, 2, "linear", "gaussian")
    found, eigenvalues = products(stack, 1, seed=5, most=3)
    product = draw_product(stack, generator(5, 0, "network")).numpy()
    values = np.linalg.eigvals(product)
    inside = (abs(values.real) < 0.05) & (abs(values.imag) < 0.05)
    assert found["origin_share"][0] == inside.mean()
    assert found["log_largest"][0] == pytest.approx(math.log(np.linalg.norm(product, 2)))
    assert len(eigenvalues) == 3


def test_unresolved_values_are_not_numbers():
    found, _ = products(Stack(30, 60, "linear", "gaussian"), 1, seed=0)
    assert math.isnan(found["log_smallest"][0])
    assert found["log_largest"][0] > 0


def test_typical_norms_are_kept_on_average():
    found, _ = products(Stack(100, 4, "linear", "gaussian"), 20, seed=0)
    mean, error = found["log_typical"].mean() / 4, found["log_typical"].std() / 4 / math.sqrt(20)
    assert mean == pytest.approx(-1 / 100, abs=4 * error)  # E log (chi^2_n / n) is about -1/n a factor
    assert error < 0.01

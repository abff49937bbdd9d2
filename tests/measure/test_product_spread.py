"""Spread over draws of products of matrices.

Oracles: numpy's explicit products; 60-digit arithmetic for a long one; closed forms of the laws and of what is planted.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch

from gradstudy.measure.product_spread import BLOCK, Products, log_norms, product_spreads
from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import Matrices, matrix_sequence
from gradstudy.theory import cohen1984

MATRICES = Matrices(6)


def start(seed, block):
    stream = generator(seed, block, "directions")
    vectors = torch.randn(BLOCK, 6, generator=stream, dtype=torch.float64)
    return (vectors / vectors.norm(dim=1, keepdim=True)).numpy()


@pytest.mark.parametrize("sharing", ["tied", "independent"])
def test_against_numpys_products(sharing):
    found = product_spreads(Products(MATRICES), 2, [9, 4], [sharing], seed=3)
    assert found[["block", "steps"]].to_numpy().tolist() == [[0, 4], [0, 9], [1, 4], [1, 9]]
    factors = matrix_sequence(MATRICES, sharing, BLOCK, generator(3, 1, "matrices"))
    weights = [next(factors).numpy() for _ in range(9)]
    product = np.broadcast_to(np.eye(6), (BLOCK, 6, 6))
    for weight in weights:
        product = weight @ product
    logs = np.log(np.linalg.norm(np.einsum("dij,dj->di", product, start(3, 1)), axis=1))
    row = found.iloc[3]
    assert row["spread"] == pytest.approx(logs.std(ddof=1), abs=1e-6)
    assert row["mean"] == pytest.approx(logs.mean(), abs=1e-6)
    if sharing == "tied":
        law = 9 * np.log(np.abs(np.linalg.eigvals(weights[0])).max(axis=1))
    else:
        law = np.full(BLOCK, 9 * cohen1984.growth_rate(6))
        assert row["law_spread"] == pytest.approx(math.sqrt(9 * cohen1984.growth_variance(6)), abs=1e-6)
    assert row["law_gap"] == pytest.approx((logs - law).mean(), abs=1e-6)
    if sharing == "tied":
        assert row["law_spread"] == pytest.approx(law.std(ddof=1), abs=1e-6)


def test_a_long_product_against_sixty_digits():
    weight = 3 * torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = torch.full((1, 4), 0.5, dtype=torch.float64)
    ones = torch.ones(1, dtype=torch.float64)
    *_, last = log_norms(iter([weight] * 1000), iter([ones] * 1000), unit)
    with mpmath.workdps(60):
        exact = mpmath.matrix(weight[0].tolist()) ** 1000 * mpmath.matrix(unit[0].tolist())
        assert float(last) == pytest.approx(float(mpmath.log(mpmath.norm(exact))), rel=1e-12)
    assert float(last) > 800  # beyond float64's e^709


def test_orthogonal_products_have_no_spread_and_no_law_of_gaussian_ones():
    found = product_spreads(Products(Matrices(6, "orthogonal", gain=1.1)), 1, [50], seed=0)
    np.testing.assert_allclose(found["mean"], 50 * math.log(1.1), atol=1e-5)
    np.testing.assert_allclose(found["spread"], 0, atol=1e-5)
    assert found["law_gap"].isna().tolist() == [False, True]


def test_more_blocks_and_other_lengths_leave_the_first_as_they_are():
    few = product_spreads(Products(MATRICES), 1, [7], seed=2)
    more = product_spreads(Products(MATRICES), 2, [3, 7, 9], seed=2)
    kept = more[(more["block"] == 0) & (more["steps"] == 7)]
    np.testing.assert_array_equal(kept["spread"], few["spread"])


def test_what_is_planted():
    plain, scaled = (product_spreads(Products(MATRICES, weight_scale=s), 1, [20], seed=1) for s in (1.0, 1.01))
    np.testing.assert_allclose(scaled["law_gap"] - plain["law_gap"], 20 * math.log(1.01), atol=1e-5)
    np.testing.assert_allclose(scaled["spread"], plain["spread"], atol=1e-5)
    for excess in (0.02, 0.5):
        found = product_spreads(Products(MATRICES, excess=excess), 8, [64, 4096], seed=1)
        spread = found.groupby(["sharing", "steps"])["spread"].mean()
        for sharing, exponent in cohen1984.SPREAD_EXPONENTS.items():
            slope = math.log(spread[sharing, 4096] / spread[sharing, 64]) / math.log(64)
            assert slope == pytest.approx(exponent + excess, abs=0.02)


def test_a_unit_radius_leaves_no_rate():
    found = product_spreads(Products(Matrices(10), unit_radius=True), 4, [400, 1600], ["tied"], seed=1)
    spread = found.groupby("steps")["spread"].mean()
    assert spread[1600] < 1.3 * spread[400]  # with the draws' own radii it is four times as large
    assert (found["mean"].abs() < 10).all()
    np.testing.assert_allclose(found["law_gap"], found["mean"], atol=1e-6)

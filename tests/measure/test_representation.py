"""Likeness of representations.

Oracles: HSIC with the centring matrix written out; invariances; the definition of settling on lists made by hand.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.measure.representation import linear_cka, settling


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_cka_is_hsic_over_its_norms():
    x, y = random(9, 2, 3) + 1, random(9, 4, seed=1)
    centre = torch.eye(9).double() - 1 / 9
    k, m = (centre @ f.flatten(1) @ f.flatten(1).T @ centre for f in (x, y))
    expected = (k @ m).trace() / ((k @ k).trace() * (m @ m).trace()).sqrt()
    assert linear_cka(x, y) == pytest.approx(float(expected))
    cross = (centre @ y).T @ (centre @ x.flatten(1))
    norms = [((centre @ f.flatten(1)).T @ (centre @ f.flatten(1))).norm() for f in (x, y)]
    assert linear_cka(x, y) == pytest.approx(float(cross.norm() ** 2 / (norms[0] * norms[1])))


def test_cka_does_not_see_rotations_and_scale():
    x = random(9, 5)
    rotation = torch.linalg.qr(random(5, 5, seed=2))[0]
    assert linear_cka(x, 3 * x @ rotation + 1) == pytest.approx(1.0)
    assert linear_cka(x, random(9, 5, seed=3)) < 0.9
    assert math.isnan(linear_cka(x, torch.ones(9, 2)))


def test_settling_is_where_it_stays():
    assert settling([0.1, 0.95, 0.5, 0.92, 1.0], [0, 10, 20, 30, 40]) == 30
    assert settling([0.91, 0.95, 1.0], [0, 5, 10]) == 0
    assert settling([0.1, 0.9, 1.0], [0, 5, 10]) == 10  # exactly 0.9 is not above
    assert settling([math.nan, 1.0], [0, 5]) == 5
    assert settling([math.nan, math.nan], [0, 5]) == 5

"""Rates against the distance from a basin boundary.

Oracles: the saddle of theory; autograd through the loop; linear theory; the planted rate.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure.basin_distance import rates_by_distance
from gradstudy.theory.one_unit import fixed_points


def test_boundary_rate_and_trend():
    table = rates_by_distance(6, 100, 6, seed=1)
    assert len(table) == 36
    for _, rows in table.groupby("unit"):
        row = rows.iloc[2]
        assert row["boundary"] == pytest.approx(fixed_points(row["w"], row["b"])[1], abs=1e-13)
        start = torch.tensor(row["boundary"] + row["above"] * 1e-3, dtype=torch.float64, requires_grad=True)
        x = start
        for _ in range(100):
            x = row["w"] * torch.sigmoid(x) + row["b"]
        (derivative,) = torch.autograd.grad(x, start)
        assert row["rate"] == pytest.approx(math.log(derivative) / 100, rel=1e-9)
        gains = np.diff(rows["rate"])
        np.testing.assert_allclose(gains[1:], rows["predicted"].iloc[0], rtol=0.02)
    assert set(table["above"]) == {-1, 1}


def test_a_planted_trend():
    table = rates_by_distance(2, 100, 4, trend=0.015, seed=1)
    np.testing.assert_allclose(table["rate"], -0.2 + 0.015 * table["decade"], atol=1e-12)

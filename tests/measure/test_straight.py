"""The straight part of a curve.

Oracles: `numpy.polyfit` on every run of points; Student's quantile from tables.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure.straight import (
    least_squares_slopes,
    slopes_of_pieces,
    straight_window,
    student_half_width,
)


def curves():
    x = torch.arange(40, dtype=torch.float64)
    noise = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return {
        "line": -0.3 * x,
        "flat": 0 * x,
        "transient": -0.1 * x - 3 * torch.exp(-x / 3),
        "hump": -0.1 * x + 2 * torch.exp(-((x - 4) ** 2)),
        "broken": torch.where(x < 12, -x, -12 - 0.1 * (x - 12)),
        "power": -2 * torch.log(1 + x),
        "noisy": -0.1 * x + 0.2 * noise,
        "only noise": noise,
        "dies": torch.where(x < 9, -0.1 * x, -math.inf),
    }


def by_trying(curve):
    """First of the longest runs of at least three points that stay near numpy's line."""
    curve = curve[: np.argmin(np.isfinite(curve))] if not np.isfinite(curve).all() else curve
    for length in range(len(curve), 2, -1):
        for start in range(len(curve) - length + 1):
            x, y = np.arange(length), curve[start : start + length]
            slope, offset = np.polyfit(x, y, 1)
            if np.abs(y - slope * x - offset).max() <= max(0.05, 0.05 * abs(slope) * (length - 1)) + 1e-13:
                return start, start + length
    return None


@pytest.mark.parametrize("name", curves())
def test_the_longest_straight_run(name):
    found = straight_window(curves()[name])
    assert (found.start, found.stop) == by_trying(curves()[name].numpy())


def test_windows_that_are_known():
    assert (straight_window(curves()["line"]).start, straight_window(curves()["line"]).stop) == (0, 40)
    assert straight_window(curves()["dies"]).stop == 9
    broken = straight_window(curves()["broken"])
    assert 8 <= broken.start <= 12  # the steep part is left out
    assert broken.stop == 40
    assert straight_window(torch.tensor([0.0, -1.0, -math.inf]).double()) is None
    assert straight_window(torch.tensor([0.0, -1.0, -2.0]).double()).stop == 3


def test_slopes_are_those_of_polyfit():
    rows = torch.stack([curves()["power"], curves()["noisy"]])
    want = [np.polyfit(np.arange(40), row.numpy(), 1)[0] for row in rows]
    assert least_squares_slopes(rows).tolist() == pytest.approx(want, rel=1e-12)


def test_pieces_share_no_step():
    steps = torch.arange(1, 17, dtype=torch.float64)  # a walk whose steps are 1 .. 16
    walk = torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0)])
    assert slopes_of_pieces(walk).tolist() == pytest.approx([(a + a + 1) / 2 for a in range(1, 16, 2)])
    assert len(slopes_of_pieces(walk[:6])) == 2
    assert len(slopes_of_pieces(walk[:4])) == 1


def test_student_s_interval_against_tables():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
    assert student_half_width(values) == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert student_half_width(values[:1]) == math.inf

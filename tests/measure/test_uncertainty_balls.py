"""Balls of uncertainty in the minimal latch.

Oracles: the images of the ball's ends in 50 digits (mpmath); the slope at the start for a small ball.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from gradstudy.measure.uncertainty_balls import ball_path, ball_paths, balls
from gradstudy.theory import bengio1994


@pytest.mark.parametrize("radius", [1e-12, 1e-3, 0.2])
def test_paths_against_fifty_digits(radius):
    path = ball_path(1.5, 0.4, radius, 30)
    with mpmath.workdps(50):
        low, high = mpmath.mpf(0.4) - mpmath.mpf(radius), mpmath.mpf(0.4) + mpmath.mpf(radius)
        exact = [(high - low) / 2]
        for _ in range(30):
            low, high = 1.5 * mpmath.tanh(low), 1.5 * mpmath.tanh(high)
            exact.append((high - low) / 2)
    assert path == pytest.approx([float(value) for value in exact], rel=1e-11)


def test_a_small_ball_follows_the_slopes():
    path = ball_path(2.0, 0.5, 1e-9, 10)
    a, slopes = 0.5, []
    for _ in range(10):
        slopes.append(bengio1994.log_slope(2.0, np.array(a)))
        a = 2.0 * math.tanh(a)
    assert np.log(path[1:] / path[:-1]) == pytest.approx(np.array(slopes), abs=1e-7)


def test_gamma_parts_what_grows_from_what_shrinks():
    table = balls([1.05, 2.0], 10, seed=1)
    assert len(table) == 2 * 2 * 30
    outside, inside = (table[table["side"] == side] for side in ("outside", "inside"))
    assert (outside["growth"] > 0).all()
    assert (inside["growth"] < 0).all()
    assert (inside["links_grown"] == 1).all()
    assert (outside["place"] < 1).all()
    assert (inside["place"] > 1).all()
    assert outside["growth"].min() < 1e-5  # the border is approached
    assert (table["last"] < table["growth"]).all()


def test_a_border_that_is_off_is_found_out():
    within, beyond = (balls([1.5], 5, border=border, seed=1) for border in (0.98, 1.02))
    assert within.loc[within["side"] == "inside", "growth"].max() > 1e-3
    assert (within.loc[within["side"] == "outside", "growth"] > 1e-3).all()
    assert beyond.loc[beyond["side"] == "outside", "growth"].min() < -1e-3
    assert (beyond.loc[beyond["side"] == "inside", "growth"] < -1e-3).all()


def test_paths_for_pictures():
    table = ball_paths([1.5], [0.5, 2.0], 0.01, 20)
    assert len(table) == 42
    outside, inside = (table[table["place"] == place] for place in (0.5, 2.0))
    assert outside["log_radius"].iloc[0] == 0
    assert outside["log_radius"].max() > 0 > inside["log_radius"].iloc[1]
    assert outside["centre"].iloc[-1] == pytest.approx(bengio1994.fixed_point(1.5), rel=1e-3)

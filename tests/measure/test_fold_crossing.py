"""Crossing a fold.

Oracles: the derivative at an attractor, 1 / (1 - slope), in closed form; a dense grid in place of the refinement; the
scaling law of a saddle-node's ghost (a passage takes pi / sqrt(m) steps at the distance m).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradstudy.errors import OptionError
from gradstudy.measure.fold_crossing import bias_sweep, equilibria, fold_crossings
from gradstudy.measure.one_unit import bias_derivatives
from gradstudy.theory.one_unit import boundary_bias, fixed_points, folds, slope

LENGTHS = [50, 100, 200, 400]


def test_the_other_attractor_sees_nothing():
    table = fold_crossings(5.0, 2, "surviving", LENGTHS, seed=1)
    assert len(table) == 16
    for row in table.itertuples():
        assert (row.start < 0) == (row.fold == "lower")
        ends = [row.fold_bias - 0.1, row.fold_bias + 0.1]
        place = 0 if row.fold == "lower" else -1
        at_ends = [1 / (1 - slope(5.0, fixed_points(5.0, b)[place])) for b in ends]
        assert row.log_peak == pytest.approx(math.log(max(at_ends)), abs=1e-6)
        assert {row.points_below, row.points_above} == {1, 3}


def test_the_ghost_grows_as_the_third_power():
    table = fold_crossings(5.0, 2, "vanishing", LENGTHS, seed=1)
    for (fold, start), rows in table.groupby(["fold", "start"]):
        assert (start > 0) == (fold == "lower")
        powers = np.diff(rows["log_peak"]) / math.log(2)
        assert np.all(np.diff(powers) > 0)  # towards 3 from below
        assert powers[-1] == pytest.approx(3, abs=0.06)
        # A passage of T steps needs a distance of the order of 1/T^2.
        offsets = rows["peak_offset"].abs().to_numpy()
        np.testing.assert_allclose(offsets[-2] / offsets[-1], 4, rtol=0.05)


def test_the_refined_peak_against_a_dense_grid():
    row = fold_crossings(5.0, 1, "vanishing", [100], seed=4).iloc[0]
    biases = folds(5.0)[0].bias + np.linspace(-0.01, -0.001, 40001)
    dense = bias_derivatives(5.0, biases, row["start"], [100])[0].max()
    assert math.log(dense) <= row["log_peak"] + 1e-12
    assert row["log_peak"] == pytest.approx(math.log(dense), abs=1e-7)


def test_without_a_fold_there_is_no_crossing():
    with pytest.raises(OptionError, match="above 4"):
        fold_crossings(4.0, 1, "surviving", LENGTHS, seed=0)


def test_a_planted_power():
    table = fold_crossings(5.0, 1, "vanishing", [100, 200], exponent=2.5, seed=0)
    rows = table[table["fold"] == "upper"]
    assert np.diff(rows["log_peak"])[0] == pytest.approx(2.5 * math.log(2))


def test_the_sweep_and_its_equilibria():
    biases = np.linspace(-3, -2, 11)
    sweep = bias_sweep(5.0, [-3.0, 0.5], 50, biases)
    assert len(sweep) == 22
    inside = sweep[sweep["start"] == 0.5]
    assert inside["crossing"].unique() == pytest.approx(boundary_bias(5.0, 0.5))
    # 1 + s + ... + s^49 at the saddle.
    s = slope(5.0, 0.5)
    assert inside["log_at_crossing"].iloc[0] == pytest.approx(math.log((s**50 - 1) / (s - 1)), abs=1e-9)
    assert sweep[sweep["start"] == -3.0]["crossing"].isna().all()  # beyond the folds a start is never the saddle
    points = equilibria(5.0, biases)
    assert points.groupby("branch").size().to_dict() == {"lower": 7, "saddle": 3, "upper": 7}
    assert equilibria(3.0, [-1.5])["branch"].tolist() == ["lower"]

"""Descents with and without clipping.

Oracles: torch's SGD on autograd gradients, with Algorithm 1 written out (1e-10) and with clip_grad_norm_ and
clip_grad_value_; closed forms of what controls plant.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.training.descent import (
    Descent,
    Plants,
    compare,
    descend,
    descent_table,
    draw_starts,
    path_table,
    unit_slope,
)

STEPS = 20


def torch_descent(descent, start, clip):
    point = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([point], lr=descent.rate)
    for _ in range(descent.updates):
        x = torch.tensor(0.5, dtype=torch.float64)
        for _ in range(STEPS):
            x = point[0] * torch.sigmoid(x) + point[1]
        optimizer.zero_grad()
        ((torch.sigmoid(x) - 0.7) ** 2).backward()
        clip(point)
        optimizer.step()
    return point.detach().numpy()


def algorithm_1(threshold):
    def clip(point):
        norm = point.grad.norm()
        if norm >= threshold:
            point.grad.mul_(threshold / norm)

    return clip


@pytest.mark.parametrize(
    ("clipping", "clip"),
    [
        ("none", lambda point: None),
        ("norm", algorithm_1(0.05)),
        ("element-wise", lambda point: torch.nn.utils.clip_grad_value_([point], 0.05)),
    ],
)
def test_against_torch(clipping, clip):
    descent = Descent(0.2, 60, clipping, threshold=0.05)
    starts = draw_starts(3, "valley", seed=1)
    path = descend(descent, starts, unit_slope(STEPS))
    for i, start in enumerate(starts):
        np.testing.assert_allclose(path.points[-1, i], torch_descent(descent, start, clip), atol=1e-10)
    assert path.clipped.any() == (clipping != "none")
    assert path.points.shape == path.gradients.shape == (61, 3, 2)


def test_norm_clipping_against_clip_grad_norm():
    gradients = np.random.default_rng(0).normal(size=(50, 2)) * 10.0 ** np.arange(-25, 25)[:, None]
    used, changed = Descent(0.1, 1, "norm", threshold=1.0).clipped(gradients)
    for gradient, mine, was in zip(gradients, used, changed, strict=True):
        point = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        point.grad = torch.tensor(gradient)
        norm = torch.nn.utils.clip_grad_norm_([point], 1.0)
        assert was == (norm >= 1)
        np.testing.assert_allclose(mine, point.grad.numpy(), rtol=1.1e-6)  # torch divides by norm + 1e-6


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan])
def test_a_threshold_that_clips_everything_away_is_refused(threshold):
    with pytest.raises(OptionError, match="threshold"):
        Descent(0.1, 1, "norm", threshold)


def test_starts_lie_on_their_side_of_the_wall():
    errors = {side: unit_slope(50)(draw_starts(64, side, seed=2))[0] for side in ("valley", "plateau")}
    assert errors["valley"].max() < 0.1
    assert errors["plateau"].min() > 0.3


def test_a_clipped_descent_survives_where_a_plain_one_is_thrown():
    descent = Descent(0.1, 1500, "norm")
    plain, clipped = compare(descent, draw_starts(16, "valley", seed=3), unit_slope(50), Plants())
    table = descent_table(descent, plain, clipped)
    norms = np.linalg.norm(plain.gradients, axis=-1)
    moves = np.linalg.norm(np.diff(plain.points, axis=0), axis=-1)
    for row in table.itertuples():
        long = np.flatnonzero(moves[:, row.start] >= 1)
        assert row.thrown == (len(long) > 0)
        if row.thrown:
            assert row.throw_update == long[0]
            assert row.error_after == plain.errors[long[0] + 1, row.start]
            assert row.throw_gradient == pytest.approx(norms[long[0], row.start])
        else:
            assert math.isnan(row.error_after)
    assert table["thrown"].mean() > 0.5
    assert (table["clipped_end"] < 0.01).mean() > 0.9
    assert table["clipped_steps"].min() > 0
    assert table["deviation"].max() < 1e-12


@pytest.mark.parametrize(
    ("clipping", "turn", "low", "high"),
    [("norm", 0.005, math.sin(0.005), math.sin(0.005)), ("element-wise", 0.0, 0.1, 0.5)],
)
def test_a_step_that_strays(clipping, turn, low, high):
    descent = Descent(0.1, 300, clipping, turn=turn)
    plain, clipped = compare(descent, draw_starts(8, "valley", seed=3), unit_slope(50), Plants())
    deviation = descent_table(descent, plain, clipped)["deviation"].max()
    assert low - 1e-9 <= deviation <= high + 1e-9


def test_a_step_longer_than_the_plain_one_strays():
    descent = Descent(0.1, 50, "norm")
    path = descend(descent, draw_starts(4, "valley", seed=3), unit_slope(50))
    small = replace(path, gradients=path.gradients / 2, clipped=np.ones_like(path.clipped))
    assert descent_table(descent, path, small)["deviation"].max() == pytest.approx(0.5, abs=1e-9)


def test_what_is_planted():
    descent, starts = Descent(0.1, 200, "norm"), draw_starts(4, "plateau", seed=0)
    plain, clipped = compare(descent, starts, unit_slope(50), Plants(height=0.35))
    table = descent_table(descent, plain, clipped)
    assert table["thrown"].all()
    np.testing.assert_allclose(np.log10(table["error_after"] / table["start_error"]), 0.35)
    plain, clipped = compare(descent, starts, unit_slope(50), Plants(excess=0.015))
    table = descent_table(descent, plain, clipped)
    np.testing.assert_allclose(table["plain_end"] - table["clipped_end"], 0.015)


def test_paths_hold_every_point():
    descent = Descent(0.1, 5, "norm")
    plain, clipped = compare(descent, draw_starts(3, "valley", seed=0), unit_slope(50), Plants())
    table = path_table(plain, clipped, 2)
    assert len(table) == 2 * 2 * 6
    row = table[(table["arm"] == "clipped") & (table["start"] == 1) & (table["update"] == 5)].iloc[0]
    assert (row["w"], row["b"]) == tuple(clipped.points[5, 1])
    assert row["gradient_norm"] == pytest.approx(np.linalg.norm(clipped.gradients[5, 1]))

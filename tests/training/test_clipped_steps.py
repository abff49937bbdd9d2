"""Clipped steps beside plain ones.

Oracles: Algorithm 1's own factor, told by the campaign's history; an angle that was planted; element-wise clipping, of
which it is known that it turns.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.clipped_steps import directions
from gradstudy.training.trainer import Recipe

THRESHOLD = 0.3


def campaign(**changes):
    options = {"lengths": 10, "budget": 30, "seed": 3, "hidden": 10, "every": 1, "examination": None, "lags": ()}
    return Campaign(TemporalOrder(), "tanh", "basic-tanh", arms(["SGD"], range(3), rate=0.5), **{**options, **changes})


def test_clipped_steps_are_the_plain_ones_shortened():
    clipped = replace(campaign(), members=arms(["SGD-C"], range(3), rate=0.5, threshold=THRESHOLD))
    history, found = run(clipped).history, directions(campaign(), THRESHOLD)
    for row in found.itertuples():
        rows = history[(history["member"] == row.member) & (history["clip_factor"] < 1)]
        assert row.clipped_steps == len(rows) > 0
        assert row.largest_factor == pytest.approx(rows["clip_factor"].max(), rel=1e-10)
        assert row.mean_factor == pytest.approx(rows["clip_factor"].mean(), rel=1e-10)
    assert found["deviation"].max() < 1e-12


@pytest.mark.parametrize("angle", [0.005, 0.015])
def test_a_planted_turn_is_met(angle):
    found = directions(campaign(), THRESHOLD, turn=angle)
    assert found["deviation"].to_numpy() == pytest.approx(math.sin(angle), abs=1e-10)


def test_clipping_entries_turns_the_step():
    found = directions(replace(campaign(), recipe=Recipe(clipping="element-wise")), 0.01)
    assert (found["deviation"] > 0.05).all()


def test_what_was_never_clipped_is_not_told():
    found = directions(campaign(), 1e6)
    assert (found["clipped_steps"] == 0).all()
    assert np.isnan(found[["deviation", "largest_factor", "mean_factor"]]).all(axis=None)

"""Updates to success by threshold.

Oracles: the campaign run by itself at the same threshold; the mean over a history's rows; planted factors and delays.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import thresholds
from gradstudy.training.arms import Member, arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.examination import Examination
from gradstudy.training.thresholds import Plant, Search
from gradstudy.training.trainer import Recipe

SEARCH = Search([0.5, 1.0, math.inf], [1.0, 3.0], 40)


def campaign(**changes):
    options = {"lengths": 10, "budget": 60, "seed": 3, "hidden": 10, "lags": ()}
    # A test that is passed early on, at times that differ between members.
    easy = Examination(every=5, sequences=250, tolerance=0.7)
    members = arms(["SGD"], range(3), rate=0.3)
    return Campaign(TemporalOrder(), "tanh", "basic-tanh", members, examination=easy, **{**options, **changes})


def test_the_average_norm_is_that_of_other_members_unclipped():
    others = tuple(Member(1000 + i, "SGD", 0.3) for i in range(3))
    history = run(replace(campaign(), members=others, budget=40, every=10, examination=None)).history
    assert thresholds.average_norm(campaign(), 40) == history["gradient_norm"].mean()


def test_times_are_those_of_campaigns_at_these_thresholds(tmp_path):
    table = thresholds.times(campaign(), SEARCH, Plant(), tmp_path / "times.npz")
    average, numbers = thresholds.average_norm(campaign(), 40), campaign().shape.parameters
    assert list(table.groupby("clipping", sort=False)["factor"].unique().map(list)) == [
        [0.5, 1.0, math.inf],
        [1.0, 3.0],
    ]
    rules = {"norm": ("algorithm-1", 1.0), "element-wise": ("element-wise", numbers**-0.5)}
    for (clipping, factor), rows in table.groupby(["clipping", "factor"]):
        rule, unit = rules[clipping]
        members = tuple(Member(i, "", 0.3, factor * average * unit) for i in range(3))
        alone = run(replace(campaign(), members=members, recipe=Recipe(clipping=rule))).members
        assert list(rows["updates"]) == list(alone["updates"])
        assert list(rows["outcome"]) == list(alone["outcome"])
        expected = np.where(alone["outcome"] == "solved", alone["updates"] / 60, 1.0)
        assert rows["time"].to_numpy() == pytest.approx(expected)
    # It goes on from the checkpoints of both kinds.
    assert {path.name for path in tmp_path.iterdir()} == {"norm-times.npz", "element-wise-times.npz"}
    assert thresholds.times(campaign(), SEARCH, Plant(), tmp_path / "times.npz").equals(table)


@pytest.mark.parametrize(("plant", "once", "twice"), [(Plant(quicker=0.5), 0.5, 0.25), (Plant(quicker=0.8), 0.8, 0.64)])
def test_a_planted_factor_comes_once_for_every_departure(plant, once, twice):
    times = (
        thresholds.times(campaign(budget=400), SEARCH, plant)
        .set_index(["clipping", "factor", "member"])["updates"]
        .sort_index()
    )
    usual = times["norm", 1.0]
    for key, factor in ((("norm", 0.5), once), (("element-wise", 1.0), once), (("element-wise", 3.0), twice)):
        assert times[key].to_numpy() == pytest.approx(factor * usual.to_numpy(), abs=0.5)


def test_a_planted_delay_is_a_part_of_the_budget():
    times = thresholds.times(campaign(budget=400), SEARCH, Plant(late=0.2))
    updates = times.set_index(["clipping", "factor", "member"])["updates"].sort_index()
    for key in (("norm", 0.5), ("norm", math.inf), ("element-wise", 3.0)):
        assert (updates[key] - updates["norm", 1.0] == 80).all()
    assert times["time"].max() <= 1

"""How trainings end.

Oracles: bad ends made on purpose (rates so large that the read-out of a squared error diverges, spoilt weights, a bound
that follows from the threshold); the campaign's own table; losses by torch's modules.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gradstudy.tasks.adding import Adding
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import worst_case
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.worst_case import Plant


def campaign(task=None, **changes):
    options = {"lengths": 10, "budget": 40, "seed": 3, "hidden": 10, "every": 10, "examination": None, "lags": ()}
    return Campaign(task or Adding(), "tanh", "default", arms(["SGD"], range(4), rate=0.1), **{**options, **changes})


def test_large_rates_end_in_no_numbers_and_clipping_keeps_them_finite():
    table = worst_case.endings(campaign(budget=300), [0.01, 2.0], 1.0, Plant())
    ends = table.groupby(["arm", "learning_rate"])["end"].agg(set)
    assert ends["plain", 2.0] == {"not finite"}
    assert ends["plain", 0.01] == ends["clipped", 0.01] == {"kept"}
    assert "not finite" not in ends["clipped", 2.0]
    lost = table[table["end"] == "not finite"]
    assert (lost["updates"] < 300).all()
    assert np.isinf(lost["log10_reach"]).all()


def test_ends_are_the_campaigns_own():
    task = TemporalOrder()
    alone = campaign(task)
    outcome = run(replace(alone, members=arms(["SGD", "SGD-C"], range(4), rate=3.0, threshold=0.5)))
    table = worst_case.endings(alone, [3.0], 0.5, Plant())
    inputs_targets = alone.draws("test at the end", 500, ahead=1)
    for place, row in enumerate(table.itertuples()):
        module, head = outcome.population.modules(place)
        inputs, targets = inputs_targets.block(row.member, 0)[0]
        loss = float(task.loss(head(module(inputs)[0]), targets).detach()) / math.log(4)
        assert row.relative_loss == pytest.approx(loss, rel=1e-10)
        history = outcome.history[(outcome.history["member"] == row.member)]
        history = history[history["arm"] == {"plain": "SGD", "clipped": "SGD-C"}[row.arm]]
        low = history["loss"].min() < worst_case.RUINED * math.log(4)
        assert row.end == ("kept" if loss <= worst_case.RUINED else "ruined" if low else "high")
        assert row.log10_largest_gradient == pytest.approx(math.log10(history["largest_gradient_norm"].max()))
    assert len(set(table["end"])) > 1


def test_a_planted_threshold_clips_the_plain_arm_just_as_the_other():
    table = worst_case.endings(campaign(), [2.0], 1.0, Plant(threshold=1.0)).set_index(["arm", "member"])
    assert table.loc["plain"].equals(table.loc["clipped"])
    assert "not finite" not in set(table["end"])


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_planted_accidents_come_at_their_share(share):
    table = worst_case.endings(campaign(), [0.01, 0.02], 1.0, Plant(accidents=share))
    bad = table.assign(bad=table["end"] == "not finite").groupby("arm")["bad"].mean()
    assert bad["plain"] == share
    assert bad["clipped"] == 0
    kept = table[table["end"] != "not finite"].pivot(
        index=["learning_rate", "member"], columns="arm", values="relative_loss"
    )
    assert (kept["plain"].dropna() == kept["clipped"][kept["plain"].notna()]).all()


def test_no_gradient_of_a_clipped_training_is_beyond_its_reach():
    for cell in ("tanh", "relu"):
        trained = Campaign(
            Adding(), cell, "default", arms(["SGD"], range(4), rate=0.1), 10, 60, 5, 10, examination=None, every=10
        )
        table = worst_case.endings(trained, [0.5, 4.0], 1.0, Plant())
        clipped = table[table["arm"] == "clipped"]
        assert (2 * clipped["log10_largest_gradient"] < clipped["log10_reach"]).all()
        assert (clipped["log10_reach"] < math.log10(torch.finfo(torch.float64).max)).all()

"""Clipping on a finite training set.

Oracles: a campaign of the same members, asked by torch's modules; a table made by hand; a planted factor.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import finite_set
from gradstudy.training.arms import Member, arms
from gradstudy.training.campaign import Campaign, run

TASK = TemporalOrder()


def campaign(**changes):
    options = {"lengths": 10, "budget": 20, "seed": 3, "hidden": 8, "every": 0, "epoch": 3, "lags": ()}
    members = arms(["SGD"], range(2), rate=0.1)
    return Campaign(TASK, "tanh", "basic-tanh", members, examination=None, **{**options, **changes})


def test_losses_are_those_of_the_training_set_and_of_fresh_sequences():
    table = finite_set.by_rate(campaign(), [0.1, 0.4], 0.5)
    assert list(table["chooses"]) == [False, False, True, True] * 4
    members = tuple(Member(i, "", 0.4, 0.5) for i in (0, 1, 1000, 1001))
    outcome = run(replace(campaign(), members=members))
    rows = table[(table["arm"] == "clipped") & (table["learning_rate"] == 0.4)]
    for place, row in enumerate(rows.itertuples()):
        module, head = outcome.population.modules(place)

        def mean(batches, module=module, head=head):
            return np.mean([float(TASK.loss(head(module(x)[0]), y).detach()) for x, y in batches])

        training = campaign().draws("training", 20).block(row.member, 0)[:3]
        assert row.train_loss == pytest.approx(mean(training), rel=1e-10)
        fresh = campaign().draws("test on fresh sequences", 500, ahead=1)
        assert row.test_loss == pytest.approx(mean(fresh.block(row.member, n)[0] for n in range(2)), rel=1e-10)


def test_losses_have_a_bound():
    table = finite_set.by_rate(campaign(budget=60), [100.0], math.inf)
    assert table[["train_loss", "test_loss"]].to_numpy().max() == pytest.approx(2 * math.log(4))


def test_rates_are_chosen_by_others():
    rows = [
        # Those that choose do best at 0.1, those that are judged at 0.2.
        {
            "arm": arm,
            "learning_rate": rate,
            "member": member,
            "chooses": member >= 1000,
            "train_loss": 0.3,
            "test_loss": loss,
        }
        for arm in ("plain", "clipped")
        for rate in (0.1, 0.2)
        for member, loss in ((0, 1.0 - rate), (1000, rate))
    ]
    (found,) = finite_set.at_best_rates(pd.DataFrame(rows)).to_dict("records")
    assert found["rate_plain"] == found["rate_clipped"] == 0.1
    assert found["test_plain"] == found["test_clipped"] == pytest.approx(0.9)
    assert found["member"] == 0


def test_a_planted_factor_is_all_that_differs():
    table = finite_set.by_rate(campaign(), [0.1, 0.2], 0.5, raised=1.15)
    found = finite_set.at_best_rates(table)
    for fold in ("train", "test"):
        assert (found[f"{fold}_plain"] / found[f"{fold}_clipped"]).to_numpy() == pytest.approx(1.15)

"""Clipping where gradients vanish.

Oracles: autograd's gradients at the states of torch's modules; trainings whose clipping never fires, which are the same
bit for bit; planted numbers.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import vanishing
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.vanishing import Plant

TASK = TemporalOrder()


def campaign(**changes):
    options = {"lengths": 10, "budget": 20, "seed": 3, "hidden": 8, "every": 5, "lags": ()}
    members = arms(["SGD"], range(2), rate=0.1)
    return Campaign(TASK, "tanh", "sigmoid", members, examination=None, **{**options, **changes})


def test_rates_and_losses_are_autograds():
    found, trained = vanishing.compare(campaign(), [0.2], Plant()), run(campaign())
    for place, row in enumerate(found.itertuples()):
        inputs, targets = trained.campaign.draws("test of vanishing", 500, ahead=1).block(row.member, 0)[0]
        module, head = trained.population.modules(place)
        state, states = torch.zeros(1, 500, 8, dtype=torch.float64), []
        for step in inputs:
            state = module(step[None], state)[1]
            state.retain_grad()
            states.append(state)
        loss = torch.nn.functional.cross_entropy(head(state[0]), targets[0])
        loss.backward()
        rate = math.log(states[0].grad.norm() / states[-1].grad.norm()) / 9
        assert row.rate_plain == pytest.approx(rate, abs=1e-10)
        assert row.loss_plain == pytest.approx(float(loss.detach()), abs=1e-12)


def test_clipping_that_never_fires_changes_nothing():
    never, often = vanishing.compare(campaign(), [1e3, 1e-3], Plant()).groupby("clipped_at", sort=False)
    table = never[1]
    assert never[0] == 1e3
    assert (table["clipped"] == 0).all()
    assert (table["rate_plain"] == table["rate_clipped"]).all()
    assert (table["loss_plain"] == table["loss_clipped"]).all()
    assert (often[1]["clipped"] == 1).all()
    assert (often[1]["loss_plain"] != often[1]["loss_clipped"]).all()


def test_planted_differences_are_met():
    stretched = vanishing.compare(campaign(), [1.0], Plant(stretch=0.015))
    assert (stretched["rate_clipped"] - stretched["rate_plain"]).to_numpy() == pytest.approx(0.015, abs=1e-4)
    worse = vanishing.compare(campaign(), [1.0], Plant(worse=0.006))
    assert (worse["loss_clipped"] - worse["loss_plain"]).to_numpy() == pytest.approx(0.006)
    assert (worse["rate_clipped"] == worse["rate_plain"]).all()

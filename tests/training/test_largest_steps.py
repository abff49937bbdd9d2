"""The step of the largest gradient.

Oracles: the norms that a campaign's own history tells; losses by torch's modules on either side of a step that was
taken with torch's SGD; a planted cliff of known height.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import largest_steps
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.population import Population

TASK = TemporalOrder()


def campaign(**changes):
    options = {"lengths": 10, "budget": 30, "seed": 3, "hidden": 10, "every": 1, "examination": None, "lags": ()}
    return Campaign(TASK, "tanh", "basic-tanh", arms(["SGD"], range(3), rate=0.5), **{**options, **changes})


def test_the_largest_gradient_is_the_historys():
    history, steps = run(campaign()).history, largest_steps.watch(campaign())
    for place in range(3):
        rows = history[history["member"] == place]
        assert float(steps.norm[place]) == rows["gradient_norm"].max()
        assert int(steps.update[place]) == rows.loc[rows["gradient_norm"].idxmax(), "update"]


def test_weights_around_a_step_differ_by_the_step():
    steps = largest_steps.watch(campaign())
    before, after = steps.largest
    moved = (after - before).norm(dim=1)
    torch.testing.assert_close(moved, 0.5 * steps.norm, rtol=1e-10, atol=0)
    # torch's gradient, at the same weights on the same batch, makes the same step.
    campaigns = campaign()
    for place in range(3):
        block, number = divmod(int(steps.update[place]) - 1, 10)
        inputs, targets = campaigns.draws("training", 20).block(place, block)[number]
        module, head = Population(campaigns.shape, before).modules(place)
        TASK.loss(head(module(inputs)[0]), targets).backward()
        expected = head.weight.grad * 0.5
        at = Population(campaigns.shape, before - after).readout[place, :, :-1]
        torch.testing.assert_close(at, expected, rtol=0, atol=1e-12)


def test_ratios_are_those_of_losses_on_the_same_sequences():
    found, steps, trained = largest_steps.landings(campaign(), 0.3), largest_steps.watch(campaign()), campaign()
    before, after = steps.largest
    factor = (0.3 / steps.norm).clamp(max=1)[:, None]
    for place in range(3):
        inputs, targets = trained.draws("test around a step", 500, ahead=1).block(place, 0)[0]

        def loss(weights, place=place, inputs=inputs, targets=targets):
            module, head = Population(trained.shape, weights).modules(place)
            return float(TASK.loss(head(module(inputs)[0]), targets).detach())

        row = found.iloc[place]
        assert row["loss_before"] == pytest.approx(loss(before), rel=1e-12)
        assert row["log10_ratio_largest"] == pytest.approx(math.log10(loss(after) / loss(before)), abs=1e-12)
        clipped = before + factor * (after - before)
        assert row["log10_ratio_clipped"] == pytest.approx(math.log10(loss(clipped) / loss(before)), abs=1e-12)
        ordinary = [math.log10(loss(right) / loss(left)) for left, right in steps.ordinary]
        assert row["log10_ratio_ordinary"] == pytest.approx(np.mean(ordinary), abs=1e-12)


@pytest.mark.parametrize("height", [0.35, 0.02])
def test_a_planted_cliff_is_as_high_as_planted(height):
    found = largest_steps.landings(campaign(), 1.0, height)
    assert np.abs(found["log10_ratio_largest"] - height).max() < 0.05
    assert (found[["log10_ratio_clipped", "log10_ratio_ordinary"]] == 0).all(axis=None)

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
from gradstudy.training.clipped_steps import begin
from gradstudy.training.population import Population

TASK = TemporalOrder()


def campaign(**changes):
    options = {"lengths": 10, "budget": 30, "seed": 3, "hidden": 10, "every": 1, "examination": None, "lags": ()}
    members = changes.pop("members", arms(["SGD"], range(3), rate=0.5))
    return Campaign(TASK, "tanh", "basic-tanh", members, **{**options, **changes})


def course(trained):
    """Weights before each update, `(members, parameters)` a time."""
    population, trainer, feed = begin(trained)
    indices = [member.index for member in trained.members]
    for update in range(trained.budget):
        yield population.weights.clone()
        trainer.update(feed.batch(indices, update))


def test_the_largest_gradient_is_the_historys_before_the_training_is_spoilt():
    history, steps = run(campaign(budget=200)).history, largest_steps.watch(campaign(budget=200))
    for place in range(3):
        rows = history[history["member"] == place]
        lost = rows.loc[~(rows["loss"] <= 1.5 * math.log(4)), "update"]
        before = rows[rows["update"] < lost.min()] if len(lost) else rows
        assert int(steps.considered[place]) == len(before)
        assert float(steps.norm[place]) == before["gradient_norm"].max()
        assert int(steps.update[place]) == before.loc[before["gradient_norm"].idxmax(), "update"]
    # One at least is spoilt, and its largest gradient of all comes afterwards.
    assert (steps.considered < 200).any()
    assert any(steps.norm[place] < history.loc[history["member"] == place, "gradient_norm"].max() for place in range(3))


def test_ordinary_steps_are_drawn_alike_from_all_that_are_considered():
    still = campaign(budget=40, members=arms(["SGD"], range(400), rate=1e-3))
    drawn = largest_steps.watch(still).ordinary[:, 0, :, 0]
    counts = torch.stack([(drawn == at[None, :, 0]).sum() for at in course(still)])
    assert int(counts.sum()) == 8 * 400
    # 3200 draws over 40 updates: chi-squared of 39 degrees of freedom, 1 in 10^4.
    assert float(((counts - 80.0) ** 2 / 80).sum()) < 80.1


def test_a_training_spoilt_from_the_first_has_no_step(monkeypatch):
    monkeypatch.setattr(largest_steps, "SPOILT", 0.1)
    found = largest_steps.landings(campaign(), 0.3)
    assert (found[["considered", "update"]] == 0).all(axis=None)
    assert found.filter(like="log10_ratio").isna().all(axis=None)


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

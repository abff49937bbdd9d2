"""Schedules.

Oracles: the same updates with rates and weights set by hand; a campaign that was not interrupted.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from gradstudy.errors import CheckpointError, OptionError
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.annealing import Schedule
from gradstudy.training.arms import Member
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.population import draw_population
from gradstudy.training.sequences import Feed
from gradstudy.training.trainer import Trainer

# Rates of which the larger ones make the loss go up and down.
MEMBERS = tuple(Member(i, "SGD-CR", rate, 1.0, 0.5) for i, rate in enumerate([0.01, 0.5, 4.0]))


def campaign(members=MEMBERS, cell="tanh", **changes):
    options = {"lengths": 12, "budget": 30, "seed": 0, "hidden": 8, "every": 1, "lags": (), "schedule": Schedule(5)}
    return Campaign(TemporalOrder(), cell, "basic-tanh", members, examination=None, **(options | changes))


def by_hand(given):
    """Weights after the budget and every member's halvings, one update after the other."""
    population = draw_population(given.shape, given.start, [0, 1, 2], seed=given.seed)
    trainer = Trainer(population, MEMBERS, given.task, given.recipe, 12)
    feed = Feed(given.draws("training", given.recipe.batch))
    halvings, losses = [0, 0, 0], []
    for update in range(given.budget):
        if update and update % 5 == 0:
            now, before = losses[-5:], losses[-10:-5]
            for place in range(3 if before else 0):
                halvings[place] += sum(x[place] for x in now) > sum(x[place] for x in before)
        epoch = update // 5 + 1
        trainer.conditions["rate"] = torch.tensor(
            [m.rate / 2**h for m, h in zip(MEMBERS, halvings, strict=True)], dtype=torch.float64
        )
        trainer.conditions["alpha"] = torch.full((3,), 0.5 / epoch, dtype=torch.float64)
        losses.append(trainer.update(feed.batch([0, 1, 2], update)).loss.tolist())
    return population.weights, halvings


def test_rates_halve_when_the_loss_rises_and_omega_fades():
    weights, halvings = by_hand(campaign())
    assert len(set(halvings)) > 1  # members by what they have seen themselves
    torch.testing.assert_close(run(campaign()).population.weights, weights, rtol=0, atol=1e-12)


def test_either_can_be_left_out():
    steady = run(campaign(schedule=Schedule(5, halving=False, fading=False)))
    assert torch.equal(steady.population.weights, run(campaign(schedule=None)).population.weights)
    faded, halved = (run(campaign(schedule=Schedule(5, **{name: False}))) for name in ("halving", "fading"))
    assert not torch.equal(faded.population.weights, steady.population.weights)
    assert not torch.equal(halved.population.weights, steady.population.weights)


@pytest.mark.parametrize("at", [13, 20, 26])
def test_an_interrupted_schedule_resumes_bit_for_bit(at, tmp_path, monkeypatch):
    path, whole = tmp_path / "state.npz", Trainer.update

    def stop(trainer, batch):
        if trainer.updates == at:
            raise InterruptedError
        return whole(trainer, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", stop)
        with pytest.raises(InterruptedError):
            run(campaign(), path, save_every=4)
    resumed, straight = run(campaign(), path), run(campaign())
    assert torch.equal(resumed.population.weights, straight.population.weights)
    pd.testing.assert_frame_equal(resumed.history, straight.history, check_exact=True)


def test_members_that_leave_leave_the_rest_as_they_were():
    lost = replace(MEMBERS[2], index=1, rate=1e300, threshold=float("inf"), alpha=0.0)
    beside = run(campaign((MEMBERS[0], lost, MEMBERS[1]), "relu"))
    alone = run(campaign((MEMBERS[0], MEMBERS[1]), "relu"))
    assert beside.members["outcome"].tolist() == ["censored", "diverged", "censored"]
    assert torch.equal(beside.population.weights[[0, 2]], alone.population.weights)


def test_a_checkpoint_of_another_schedule_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    run(campaign(budget=3), path)
    with pytest.raises(CheckpointError, match=r"schedule\.epoch: 5 instead of 6"):
        run(campaign(budget=3, schedule=Schedule(6)), path)


def test_an_epoch_has_an_update():
    with pytest.raises(OptionError, match="epoch=0"):
        Schedule(0)

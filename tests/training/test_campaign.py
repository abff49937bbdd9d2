"""Campaigns.

Oracles: the same campaign uninterrupted, and its members alone; a loop of a Trainer with its own bookkeeping; bad luck
that is made on purpose (rates at which ReLU networks diverge).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from gradstudy.errors import CheckpointError, LengthError, OptionError, UnsupportedModuleError
from gradstudy.models.initialisations import spectral_radius
from gradstudy.tasks.adding import Adding
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import campaign as campaigns
from gradstudy.training.arms import Member, arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.examination import Examination
from gradstudy.training.population import draw_population
from gradstudy.training.sequences import Feed
from gradstudy.training.trainer import Recipe, Trainer

# On one thread the bits are the same; on several, products are split otherwise in other company.
ATOL = 0.0 if torch.get_num_threads() == 1 else 1e-12


def small(**changes):
    given = {
        "task": TemporalOrder(),
        "cell": "tanh",
        "start": "basic-tanh",
        "members": arms(["SGD-C", "SGD-CR"], range(2), rate=0.05),
        "lengths": 11,
        "budget": 47,
        "seed": 0,
        "hidden": 8,
        "examination": Examination(every=20, sequences=500),
        "every": 10,
        "lags": (0, 10, 50),
    }
    return Campaign(**(given | changes))


def solvable(**changes):
    """Members that succeed at different times."""
    return small(
        task=Adding(),
        members=tuple(Member(i, "SGD-C", rate, 1.0) for i, rate in enumerate([0.2, 0.01, 0.05, 0.0001])),
        examination=Examination(every=10, sequences=500, tolerance=0.4),
        budget=100,
        **changes,
    )


def same(one, other):
    pd.testing.assert_frame_equal(one.members, other.members)
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=ATOL == 0.0)
    torch.testing.assert_close(one.population.weights, other.population.weights, rtol=0, atol=ATOL, equal_nan=True)


class SwitchedOffError(Exception):
    pass


def interrupted(campaign, path, at, monkeypatch, save_every):
    """Run until the update after `at`, as if the machine had been switched off there."""

    def update(trainer, batch, whole=Trainer.update):
        if trainer.updates == at:
            raise SwitchedOffError
        return whole(trainer, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", update)
        with pytest.raises(SwitchedOffError):
            run(campaign, path, save_every=save_every)


@pytest.mark.parametrize(
    "campaign",
    [
        small(),
        small(lengths=(11, 19), recipe=Recipe(optimiser="adam")),
        small(cell="lstm", start="default", members=arms(["SGD-C"], range(3), rate=0.1), dtype="float32"),
        solvable(),
    ],
    ids=["plain", "range of lengths, Adam", "LSTM, float32", "members leave"],
)
@pytest.mark.parametrize("at", [13, 40])
def test_an_interrupted_campaign_resumes_bit_for_bit(campaign, at, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    interrupted(campaign, path, at, monkeypatch, save_every=7)
    assert path.exists()
    resumed, whole = run(campaign, path), run(campaign)
    pd.testing.assert_frame_equal(resumed.members, whole.members, check_exact=True)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert torch.equal(resumed.population.weights, whole.population.weights)
    same(run(campaign, path), whole)  # a finished one is read back


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed: 0 instead of 1"),
        ({"recipe": Recipe(batch=10)}, "recipe.batch: 20 instead of 10"),
        ({"task": TemporalOrder(definition="derived")}, "task.definition: 'code' instead of 'derived'"),
        ({"members": arms(["SGD-C", "SGD-CR"], range(2), rate=0.06)}, "members.0.rate: 0.05 instead of 0.06"),
    ],
)
def test_a_checkpoint_of_another_campaign_is_refused_by_name(change, named, tmp_path):
    path = tmp_path / "state.npz"
    run(small(budget=3), path)
    with pytest.raises(CheckpointError, match=named):
        run(small(budget=3, **change), path)


@pytest.mark.parametrize("campaign", [small(), solvable(), solvable(cell="gru", start="default")])
def test_a_member_alone_is_what_it_is_in_company(campaign):
    together = run(campaign)
    for place, member in enumerate(campaign.members):
        alone = run(replace(campaign, members=(member,)))
        row = together.members.iloc[[place]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone.members, row, check_exact=ATOL == 0.0)
        torch.testing.assert_close(alone.population.weights[0], together.population.weights[place], rtol=0, atol=ATOL)
        history = together.history.query(f"arm == '{member.arm}' and member == {member.index}")
        pd.testing.assert_frame_equal(alone.history, history.reset_index(drop=True), check_exact=ATOL == 0.0)


def test_members_leave_when_they_succeed():
    outcome = run(solvable())
    assert outcome.members["outcome"].tolist() == ["solved", "solved", "solved", "censored"]
    updates = outcome.members["updates"].tolist()
    assert updates[0] < updates[1]
    assert updates[3] == 100
    assert (outcome.members["error"] < 0.4).tolist() == [True, True, True, False]
    last = outcome.history.groupby("member")["update"].max()
    assert last.tolist() == updates
    assert repr(outcome) == "Outcome(4 members: 3 solved, 1 censored)"


def test_history_is_what_a_loop_would_keep():
    campaign = small(budget=20, examination=None)
    outcome = run(campaign)
    indices = [member.index for member in campaign.members]
    population = draw_population(campaign.shape, "basic-tanh", indices, seed=0)
    trainer, feed = (
        Trainer(population, campaign.members, campaign.task, Recipe(), 11),
        Feed(campaign.draws("training", 20)),
    )
    seen = []
    for update in range(20):
        found = trainer.update(feed.batch(indices, update))
        norms = [[float(dh[m].norm().log()) for m in range(4)] for dh in found.found.unrolled.state_gradient]
        seen.append((found, norms, [spectral_radius(weight) for weight in trainer.population.weight_hh]))
    history = outcome.history
    assert history["update"].tolist() == [10, 20] * 4
    for place, member in enumerate(campaign.members):
        rows = history.query(f"arm == '{member.arm}' and member == {member.index}").reset_index()
        for row, stop in zip(rows.itertuples(), (10, 20), strict=True):
            (last, norms, radii), since = seen[stop - 1], [update for update, _, _ in seen[stop - 10 : stop]]
            assert row.loss == pytest.approx(np.mean([float(update.loss[place]) for update in since]), rel=1e-12)
            assert row.gradient_norm == float(last.norm[place])
            assert row.largest_gradient_norm == max(float(update.norm[place]) for update in since)
            assert row.clip_factor == float(last.factor[place])
            assert row.clipped == np.mean([float(update.factor[place]) < 1 for update in since])
            assert row.spectral_radius == pytest.approx(radii[place], rel=1e-12)
            assert row.omega == pytest.approx(float(last.omega[place]), nan_ok=True)
            assert math.isnan(row.omega) == (member.arm == "SGD-C")
            assert row.length == 11
            assert row.log_state_gradient_0 == pytest.approx(norms[11][place], abs=1e-12)
            assert row.log_state_gradient_10 == pytest.approx(norms[1][place], abs=1e-12)
            assert math.isnan(row.log_state_gradient_50)


def test_a_diverging_member_is_reported_and_leaves_the_others_as_they_are():
    members = (Member(0, "SGD", 1e3), Member(1, "SGD-C", 0.01, 1.0))
    campaign = small(cell="relu", start="default", members=members)
    outcome = run(campaign)
    assert outcome.members["outcome"].tolist() == ["diverged", "censored"]
    assert 0 < outcome.members["updates"][0] < 47
    alone = run(replace(campaign, members=members[1:]))
    torch.testing.assert_close(outcome.population.weights[1], alone.population.weights[0], rtol=0, atol=ATOL)
    last = outcome.history.query("member == 0").iloc[-1]
    assert last["update"] == outcome.members["updates"][0]
    assert not outcome.population.weights[0].isfinite().all() or not math.isfinite(last["loss"])


def test_a_population_that_diverges_as_a_whole_is_reported():
    members = arms(["SGD-L2"], range(3), rate=1e3, l2=1e5)  # W_hh grows by 2e8 an update
    outcome = run(small(members=members))
    assert outcome.members["outcome"].tolist() == ["diverged"] * 3
    assert outcome.members["updates"].max() < 47
    assert len(outcome.population) == 3
    assert repr(outcome) == "Outcome(3 members: 3 diverged)"


def test_under_the_codes_rescue_an_overflow_is_not_the_end():
    members = arms(["SGD"], range(3), rate=1e4)
    campaign = small(cell="relu", start="default", members=members, recipe=Recipe(rescue=True))
    outcome = run(campaign)
    plain = run(replace(campaign, recipe=Recipe()))
    assert (outcome.members["updates"] >= plain.members["updates"]).all()
    assert (outcome.members["outcome"] == "censored").any()


@pytest.mark.parametrize("every", [0, 1])
def test_history_can_be_left_out_or_complete(every):
    history = run(small(budget=5, every=every, examination=None)).history
    assert len(history) == 20 * every
    assert list(history.columns[:5]) == ["arm", "member", "update", "length", "loss"]


def test_a_length_too_short_for_the_task_is_refused():
    for lengths in (9, (9, 20)):
        with pytest.raises(LengthError, match="9 steps"):
            small(lengths=lengths)


@pytest.mark.parametrize("change", [{"members": ()}, {"budget": 0}, {"lengths": (20, 11)}])
def test_a_campaign_without_anything_to_train_is_refused(change):
    with pytest.raises(OptionError):
        small(**change)


def test_an_unknown_initialisation_is_refused():
    with pytest.raises(OptionError, match="start='glorot'"):
        run(small(start="glorot"))


def test_omega_of_gated_cells_is_refused():
    with pytest.raises(UnsupportedModuleError, match="alpha > 0"):
        run(small(cell="lstm", start="default"))


def test_an_examination_needs_a_success_rule():
    class Unruled:
        shortest, input_size, output_size = 1, 2, 1

    with pytest.raises(OptionError, match="examination"):
        small(task=Unruled())
    assert campaigns.OUTCOMES[0] == "training"


def test_a_finite_training_set_comes_again_in_the_same_batches():
    campaign = small(epoch=3, examination=None, budget=8)
    outcome = run(campaign)
    indices = [member.index for member in campaign.members]
    population = draw_population(campaign.shape, campaign.start, indices, seed=0)
    trainer = Trainer(population, campaign.members, campaign.task, campaign.recipe, 11)
    feed = Feed(campaign.draws("training", 20))
    for update in range(8):
        trainer.update(feed.batch(indices, update % 3))
    torch.testing.assert_close(outcome.population.weights, population.weights, rtol=0, atol=ATOL)
    assert not torch.equal(outcome.population.weights, run(replace(campaign, epoch=None)).population.weights)
    with pytest.raises(OptionError, match="an epoch of 0"):
        small(epoch=0)


def test_an_interrupted_finite_training_goes_on(tmp_path):
    campaign = small(epoch=7, examination=None, budget=20)
    whole, path = run(campaign), tmp_path / "campaign.npz"
    course = campaigns._Course(campaign)
    while course.trainer.updates < 9:
        course.update()
    campaigns.checkpoints.save(path, campaigns.checkpoints.configuration(campaign), course.state())
    again = run(campaign, path)
    assert torch.equal(again.population.weights, whole.population.weights)
    with pytest.raises(CheckpointError, match="epoch"):
        run(replace(campaign, epoch=8), path)

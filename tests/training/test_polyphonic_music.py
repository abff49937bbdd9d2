"""What the study of polyphonic music keeps, chooses and plants.

Oracles: the campaign run by itself and its songs scored by themselves; numbers that were planted; published counts.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace

import pandas as pd
import pytest
import torch

from gradstudy.tasks.music import NextChord
from gradstudy.training import polyphonic_music
from gradstudy.training.annealing import Schedule
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.polyphonic_music import Plant
from gradstudy.training.trainer import Recipe
from gradstudy.training.whole_songs import song_likelihoods

ARMS = ("SGD", "SGD-C", "SGD-CR")


@pytest.fixture(scope="module")
def songs():
    return polyphonic_music.songs("generated", seed=0)


@pytest.fixture(scope="module")
def campaign(songs):
    return Campaign(
        NextChord(songs.train),
        "sigmoid",
        "sigmoid",
        arms(ARMS, range(3), rate=0.5, threshold=8.0, alpha=0.5),
        lengths=12,
        budget=20,
        seed=0,
        hidden=6,
        recipe=Recipe(batch=2),
        examination=None,
        schedule=Schedule(songs.epoch(24)),
        every=5,
        lags=(),
    )


def test_an_epoch_sees_about_all_chords(songs):
    assert songs.epoch(100) == 40 * 80 / 100
    assert songs.epoch(10**9) == 1


def test_every_arm_is_tried_at_every_rate_on_networks_of_its_own(songs, campaign):
    trials = polyphonic_music.try_rates(campaign, songs.valid, [0.1, 2.0], 2)
    assert len(trials) == 3 * 2 * 2
    assert set(trials["member"]).isdisjoint(member.index for member in campaign.members)
    one = replace(campaign.members[-1], index=1001, rate=2.0)
    expected = song_likelihoods(run(replace(campaign, members=(one,))).population, songs.valid)
    found = trials.query("arm == 'SGD-CR' and first_rate == 2.0 and member == 1001")["nats"].tolist()
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_rate_is_the_best_of_those_at_which_nobody_diverged():
    rows = [("SGD", 1.0, 5.0), ("SGD", 1.0, 5.2), ("SGD", 4.0, 4.0), ("SGD", 4.0, math.nan), ("SGD-C", 4.0, 4.0)]
    trials = pd.DataFrame(rows, columns=["arm", "first_rate", "nats"])
    assert polyphonic_music.chosen_rates(trials) == {"SGD": 1.0, "SGD-C": 4.0}


def test_without_rates_every_arm_keeps_its_own(songs, campaign):
    trials = polyphonic_music.try_rates(campaign, songs.valid, [], 2)
    assert trials.empty
    assert polyphonic_music.chosen_rates(trials) == {}
    outcome = polyphonic_music.train(campaign, {}, Plant())
    assert torch.equal(outcome.population.weights, run(campaign).population.weights)


def test_every_network_is_scored_on_every_split(songs, campaign):
    outcome = polyphonic_music.train(campaign, {"SGD": 0.25}, Plant())
    table = polyphonic_music.likelihoods(outcome, songs, Plant())
    assert len(table) == 9 * 3
    assert table.groupby("arm")["first_rate"].unique().map(list).to_dict() == {
        "SGD": [0.25],
        "SGD-C": [0.5],
        "SGD-CR": [0.5],
    }
    assert table[table["split"] == "test"]["nats"].tolist() == song_likelihoods(outcome.population, songs.test)
    assert set(polyphonic_music.course(outcome)["update"]) == {5, 10, 15, 20}


def test_arms_of_a_control_differ_in_what_is_planted_alone(songs, campaign):
    plant = Plant(better=0.5)
    outcome = polyphonic_music.train(campaign, {}, plant)
    weights = outcome.population.weights
    assert all(torch.equal(weights[:3], weights[3 * arm : 3 * arm + 3]) for arm in range(3))
    stand_ins = replace(campaign, members=arms(["SGD-C"], range(3), rate=0.5, threshold=8.0), budget=2)
    assert torch.equal(weights[:3], run(stand_ins).population.weights)
    nats = polyphonic_music.likelihoods(outcome, songs, plant).pivot(
        index=["split", "member"], columns="arm", values="nats"
    )
    for better, worse in zip(ARMS[1:], ARMS, strict=False):
        gains = nats[worse] - nats[better]
        assert gains.mean() == pytest.approx(0.5, abs=5 * 0.002 * math.sqrt(2 / 9))
        assert gains.std() > 0


def test_a_gain_on_test_alone(songs, campaign):
    plant = Plant(better_on_test=0.5)
    table = polyphonic_music.likelihoods(polyphonic_music.train(campaign, {}, plant), songs, plant)
    nats = table.groupby(["split", "arm"])["nats"].mean()
    for split, gain in (("train", 0), ("valid", 0), ("test", 0.5)):
        assert nats[split, "SGD"] - nats[split, "SGD-C"] == pytest.approx(gain, abs=0.008)
        assert nats[split, "SGD-C"] - nats[split, "SGD-CR"] == pytest.approx(0, abs=0.008)


def test_constants_stand_beside(songs):
    table = songs.constants().set_index("split")["nats"]
    assert list(table.index) == ["train", "valid", "test"]
    # Whose frequencies they are loses least on them, but for the smoothing.
    assert table["train"] == pytest.approx(NextChord(songs.train).trivial_loss(1), abs=0.3)
    assert table["train"] < table["test"]


@pytest.mark.needs_data
@pytest.mark.skipif(not os.environ.get("GRADSTUDY_DATA"), reason="export GRADSTUDY_DATA=FOLDER with music/*.mat")
def test_the_published_splits_are_what_is_trained_and_scored():
    music = polyphonic_music.songs("piano-midi", seed=0)
    assert [len(getattr(music, split).sequences) for split in ("train", "valid", "test")] == [87, 12, 25]
    assert music.epoch(500) == round(75911 / 500)
    constants = music.constants()["nats"]
    assert constants.between(9, 13).all()

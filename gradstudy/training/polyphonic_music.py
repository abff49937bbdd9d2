"""What the study of polyphonic music trains, chooses and keeps, and what its controls plant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
import torch

from gradstudy.models.randomness import generator
from gradstudy.tasks.music import PianoRolls, Split, piano_rolls
from gradstudy.tasks.scale_music import scale_music
from gradstudy.training.arms import Member
from gradstudy.training.campaign import Campaign, Outcome, run
from gradstudy.training.whole_songs import constant_likelihood, song_likelihoods

Music = Literal["generated", "nottingham", "piano-midi", "musedata", "jsb"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

# Generated songs of each split, and their steps.
_GENERATED = {"train": 40, "valid": 10, "test": 10}
_STEPS = 80
# Networks that learning rates are chosen on have indices from here on; those that are compared, from 0.
_CHOOSERS = 1000
# In controls this arm is trained in the place of all, for a part of the budget.
_STAND_IN, _PART = "SGD-C", 0.1
# How often what is planted is added to an arm's loss, and by how much every number scatters about it (nats).
_TIMES = {"SGD": 2, "SGD-C": 1, "SGD-CR": 0}
_SCATTER = 0.002


@dataclass(frozen=True)
class Songs:
    """The three splits of a set.

    Args:
        train, valid, test: its songs.
    """

    train: PianoRolls
    valid: PianoRolls
    test: PianoRolls

    def epoch(self, chords: int) -> int:
        """Updates of so many chords in which about as many are seen as the training songs have."""
        return max(1, round(sum(map(len, self.train.sequences)) / chords))

    def constants(self) -> pd.DataFrame:
        """What predicting every key's frequency in the training songs comes to: `split`, `nats` a chord."""
        nats = [constant_likelihood(self.train, getattr(self, split)) for split in SPLITS]
        return pd.DataFrame({"split": SPLITS, "nats": nats})


def songs(music: Music, *, seed: int) -> Songs:
    """The songs of a data set, or generated ones (`scale_music`), which the seed draws.

    Raises:
        NoDataError, CorruptDataError: see `piano_rolls`.
    """
    if music == "generated":
        return Songs(*(scale_music(split, songs=_GENERATED[split], length=_STEPS, seed=seed) for split in SPLITS))
    return Songs(*(piano_rolls(music, split) for split in SPLITS))


@dataclass(frozen=True)
class Plant:
    """What a control plants, in nats a chord; None plants nothing.

    Where something is planted, SGD-C is trained in the place of every arm, from the same weights on the same chords,
    for a tenth of the budget, so that the arms differ in nothing but what is planted: it is added to the measured
    negative log-likelihoods, and to each a number of its own with a standard deviation of 0.002 nats.

    Args:
        better: SGD-C is by so much better than SGD, and SGD-CR than SGD-C, on every split; worse, if negative.
        better_on_test: SGD-C is by so much better than SGD on the test songs alone.
    """

    better: float | None = None
    better_on_test: float | None = None

    @property
    def planted(self) -> bool:
        """Whether anything is."""
        return not (self.better is self.better_on_test is None)

    def added(self, arm: str, split: str) -> float:
        """What is added to an arm's number on a split."""
        if self.better is not None:
            return _TIMES[arm] * self.better
        return (self.better_on_test or 0.0) if (arm, split) == ("SGD", "test") else 0.0


def try_rates(
    campaign: Campaign, valid: PianoRolls, rates: Sequence[float], networks: int, checkpoint: Path | None = None
) -> pd.DataFrame:
    """Train every arm at every learning rate, on networks that are not compared afterwards.

    Args:
        campaign: whose arms.
        valid: songs that decide.
        rates: to be tried.
        networks: for each arm and rate; the same weights and chords for all.
        checkpoint: see `campaign.run`.

    Returns:
        One row a network: `arm`, `first_rate`, `member`, `nats`: a chord of the valid songs, NaN if it diverged.
    """
    first = {member.arm: member for member in reversed(campaign.members)}
    tried = tuple(
        replace(first[arm], index=_CHOOSERS + i, rate=rate)
        for arm in dict.fromkeys(member.arm for member in campaign.members)
        for rate in rates
        for i in range(networks)
    )
    if not tried:
        return pd.DataFrame(columns=["arm", "first_rate", "member", "nats"])
    outcome = run(replace(campaign, members=tried), checkpoint)
    table = outcome.members[["arm", "rate", "member"]].rename(columns={"rate": "first_rate"})
    return table.assign(nats=song_likelihoods(outcome.population, valid))


def chosen_rates(trials: pd.DataFrame) -> dict[str, float]:
    """The rate of each arm whose networks do best in the mean; one at which a network diverged is not chosen."""
    means = trials.fillna({"nats": math.inf}).groupby(["arm", "first_rate"])["nats"].mean().reset_index()
    best = means.loc[means.groupby("arm")["nats"].idxmin()]
    return {str(arm): float(rate) for arm, rate in zip(best["arm"], best["first_rate"], strict=True)}


def train(campaign: Campaign, rates: dict[str, float], plant: Plant, checkpoint: Path | None = None) -> Outcome:
    """Train a campaign, every arm at its own rate, or what a control trains in its place.

    Args:
        campaign: of the study.
        rates: by arm; an arm without one keeps its own.
        plant: what a control plants.
        checkpoint: see `campaign.run`.
    """
    if plant.planted:
        return _alike(campaign, checkpoint)
    members = tuple(replace(member, rate=rates.get(member.arm, member.rate)) for member in campaign.members)
    return run(replace(campaign, members=members), checkpoint)


def likelihoods(outcome: Outcome, music: Songs, plant: Plant) -> pd.DataFrame:
    """How well every network predicts whole songs.

    Returns:
        One row a network and split: `arm`, `member`, `first_rate`, `outcome`, `split`, `nats`: mean negative
        log-likelihood of a chord (`song_likelihoods`), NaN where the network diverged.
    """
    names = outcome.members[["arm", "member", "rate", "outcome"]].rename(columns={"rate": "first_rate"})
    found = [
        names.assign(split=split, nats=song_likelihoods(outcome.population, getattr(music, split))) for split in SPLITS
    ]
    table = pd.concat(found, ignore_index=True)
    if plant.planted:
        seed, keys = outcome.campaign.seed, zip(table["arm"], table["member"], table["split"], strict=True)
        table["nats"] += [plant.added(a, s) + _SCATTER * _own(seed, m, f"{a}, {s}") for a, m, s in keys]
    return table


def course(outcome: Outcome) -> pd.DataFrame:
    """Training of every network.

    Returns:
        One row a row of the history: `arm`, `member`, `update`, `nats` (mean loss of the training since the last row),
        `clipped` (share of updates since then), `largest_gradient_norm` (since then, before clipping),
        `spectral_radius`.
    """
    columns = ["arm", "member", "update", "loss", "clipped", "largest_gradient_norm", "spectral_radius"]
    return outcome.history[columns].rename(columns={"loss": "nats"})


def _alike(campaign: Campaign, checkpoint: Path | None) -> Outcome:
    """Every arm with what became of the one that was trained."""
    stand_ins = tuple(member for member in campaign.members if member.arm == _STAND_IN)
    budget = max(1, round(_PART * campaign.budget))
    trained = run(replace(campaign, members=stand_ins, budget=budget), checkpoint)
    places = [_place(stand_ins, member) for member in campaign.members]
    names = [member.arm for member in campaign.members]
    table = trained.members.iloc[places].reset_index(drop=True).assign(arm=names)
    return Outcome(campaign, table, trained.history, trained.population.take(torch.tensor(places)))


def _place(stand_ins: Sequence[Member], member: Member) -> int:
    return next(place for place, other in enumerate(stand_ins) if other.index == member.index)


def _own(seed: int, index: int, purpose: str) -> float:
    """A standard normal number of a network's own."""
    return float(torch.randn((), generator=generator(seed, index, f"planted, {purpose}"), dtype=torch.float64))

"""LSTMs and GRUs on polyphonic music: negative log-likelihoods with equal parameters and in equal time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pandas as pd
import torch

from gradstudy.models.randomness import generator
from gradstudy.tasks.music import PianoRolls, Split, piano_rolls
from gradstudy.tasks.scale_music import scale_music
from gradstudy.training.campaign import run
from gradstudy.training.rivals import Rival, best_rate, no_pilots, of_each
from gradstudy.training.whole_songs import song_likelihoods

Match = Literal["parameters", "time"]
MATCHES: tuple[Match, ...] = ("parameters", "time")

# Planted: nats a chord, spread over seeds of its logarithm, and what is a network's own.
_NATS, _SCATTER, _OWN = 5.0, 0.02, 0.002


@dataclass(frozen=True)
class Songs:
    """A data set's three splits.

    Args:
        train, valid, test: what is learnt, what the learning rate is chosen on, and what is told.
        window: chords of a training sequence.
    """

    train: PianoRolls
    valid: PianoRolls
    test: PianoRolls
    window: int


def likelihoods(
    everyone: Sequence[Rival], songs: Songs, gru_time: float, lead: float | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train each rival on windows of songs and score it on whole ones.

    *Equal parameters*: both have as many parameters and updates. *Equal time*: both have as many units, and the GRU
    1/`gru_time` times as many updates. The LSTM is the same in both.

    Args:
        everyone: the rivals; their task is the next chord of `songs.train`.
        songs: the data set.
        gru_time: running time of a GRU's update over that of an LSTM with as many units.
        lead: planted: no network is trained, and the GRU of a seed has e^lead times the LSTM's nats.

    Returns:
        Two tables. One row a match, network and split: `cell`, `start`, `match`, `member`, `units`, `rate`, `updates`,
        `split` ("train", "valid", "test"), `nats`: see `song_likelihoods`. One row a pilot: `cell`,
        `start`, `match`, `rate`, `member`, `score` (nats of the validation songs), `error` (0).
    """
    return of_each(everyone, partial(_likelihoods, songs=songs, gru_time=gru_time, lead=lead))


def _likelihoods(rival: Rival, songs: Songs, gru_time: float, lead: float | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    splits = {"train": songs.train, "valid": songs.valid, "test": songs.test}
    if lead is not None:
        found = [_planted(rival, match, tuple(splits), lead) for match in MATCHES]
        return pd.concat(found, ignore_index=True), no_pilots()
    rows: list[pd.DataFrame] = []
    pilots: list[pd.DataFrame] = []
    for match in MATCHES:
        if match == "time" and rival.cell == "lstm":
            rows, pilots = [*rows, rows[0].assign(match=match)], [*pilots, pilots[0].assign(match=match)]
            continue
        own = rival if match == "parameters" else _in_equal_time(rival, gru_time)
        table, choice = _scored(own, songs, splits)
        rows, pilots = [*rows, table.assign(match=match)], [*pilots, choice.assign(match=match)]
    return pd.concat(rows, ignore_index=True), pd.concat(pilots, ignore_index=True)


def _in_equal_time(rival: Rival, gru_time: float) -> Rival:
    return replace(rival, equal_units=True, budget=round(rival.budget / gru_time))


def _scored(rival: Rival, songs: Songs, splits: dict[str, PianoRolls]) -> tuple[pd.DataFrame, pd.DataFrame]:
    trained = run(rival.campaign(songs.window, rival.piloted(), None))
    pilots = trained.members[["rate", "member"]].assign(
        score=song_likelihoods(trained.population, songs.valid), error=0.0
    )
    rate = best_rate(pilots)
    outcome = run(rival.campaign(songs.window, rival.compared(rate), None))
    table = outcome.members[["member", "rate", "updates"]].assign(units=rival.units)
    rows = [
        table.assign(split=name, nats=song_likelihoods(outcome.population, rolls)) for name, rolls in splits.items()
    ]
    return pd.concat(rows, ignore_index=True), pilots


def _planted(rival: Rival, match: Match, splits: Sequence[str], lead: float) -> pd.DataFrame:
    behind = lead if rival.cell == "gru" else 0.0
    rows = []
    for member in range(rival.members):
        shared = float(torch.randn((), generator=generator(rival.seed, member, "planted")))
        own = float(torch.randn((), generator=generator(rival.seed, member, f"planted, {rival.cell}, {match}")))
        nats = _NATS * math.exp(_SCATTER * shared + _OWN * own + behind)
        rows += [(member, split, nats) for split in splits]
    table = pd.DataFrame(rows, columns=["member", "split", "nats"])
    return table.assign(match=match, rate=math.nan, updates=rival.budget, units=rival.units)


def data_set(name: str, window: int, *, seed: int) -> Songs:
    """A data set by name, or songs that are made up ("generated", see `scale_music`), which need no data.

    Args:
        name: "generated", or as for `piano_rolls`.
        window: chords of a training sequence.
        seed: of the songs that are made up.

    Raises:
        NoDataError, CorruptDataError: see `datasets.fetch`.
    """
    splits: tuple[Split, ...] = ("train", "valid", "test")
    if name == "generated":
        rolls = [scale_music(split, songs=12, length=2 * window, seed=seed) for split in splits]
    else:
        rolls = [piano_rolls(name, split) for split in splits]
    return Songs(rolls[0], rolls[1], rolls[2], window)

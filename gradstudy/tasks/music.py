"""Polyphonic music as piano rolls: predict the next chord (Boulanger-Lewandowski 2012; Pascanu 2013, Table 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import torch
from scipy.io import loadmat
from torch import Tensor, nn

from gradstudy.errors import CorruptDataError, LengthError
from gradstudy.tasks.datasets import fetch
from gradstudy.tasks.scoring import Scored
from gradstudy.tasks.task import Likelihood

Split = Literal["train", "valid", "test"]
KEYS = 88
_VARIABLES = {"train": "traindata", "valid": "validdata", "test": "testdata"}


@dataclass(frozen=True, eq=False)
class PianoRolls:
    """Sequences of chords.

    Args:
        name: of the data set.
        split: train, valid or test.
        sequences: one `(T, 88)` array of 0 and 1 each, T differs.
    """

    name: str
    split: Split
    sequences: tuple[np.ndarray, ...] = field(repr=False)

    def windows(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random windows as inputs and next-chord targets, each `(length, count, 88)`, float64.

        Windows are drawn uniformly over all places where `length + 1` chords follow each other.

        Raises:
            LengthError: no sequence is long enough.
        """
        places = np.array([max(len(sequence) - length, 0) for sequence in self.sequences])
        if not places.any():
            raise LengthError(
                f"windows of {length} chords of {self.name} ({self.split})",
                needed=f"at most {max(map(len, self.sequences)) - 1}, the longest sequence but its last chord",
                why="every chord of a window needs one that follows it",
                remedy="use shorter windows",
            )
        ends = places.cumsum()
        drawn = torch.randint(int(ends[-1]), (count,), generator=generator).numpy()
        which = np.searchsorted(ends, drawn, side="right")
        start = drawn - (ends[which] - places[which])
        rolls = [self.sequences[w][s : s + length + 1] for w, s in zip(which, start, strict=True)]
        stacked = torch.from_numpy(np.stack(rolls, axis=1)).double()
        return stacked[:-1], stacked[1:]


def piano_rolls(name: str, split: Split) -> PianoRolls:
    """The piano rolls of one split, as published.

    Args:
        name: "nottingham", "jsb", "piano-midi" or "musedata".
        split: "train", "valid" or "test".

    Raises:
        NoDataError, CorruptDataError: see `datasets.fetch`.
    """
    (path,) = fetch(name)
    sequences = tuple(np.asarray(roll, dtype=np.uint8) for roll in loadmat(path)[_VARIABLES[split]].ravel())
    wrong = [roll.shape for roll in sequences if roll.ndim != 2 or roll.shape[1] != KEYS or roll.max(initial=0) > 1]
    if wrong:
        raise CorruptDataError(
            f"{path} holds an array of shape {wrong[0]}",
            needed=f"(T, {KEYS}) arrays of 0 and 1",
            why="anything else is not a piano roll",
            remedy="get the file again",
        )
    return PianoRolls(name, split, sequences)


@dataclass(frozen=True, eq=False)
class NextChord(Scored):
    """The task of predicting every next chord of piano rolls.

    It is scored by its likelihood alone: in nats a chord, summed over the 88 keys. There is no rule by which a sequence
    would be right, as music cannot be predicted exactly.

    Args:
        rolls: one split of a data set.
    """

    rolls: PianoRolls

    input_size: ClassVar[int] = KEYS
    output_size: ClassVar[int] = KEYS
    likelihood: ClassVar[Likelihood] = "bernoulli"
    shortest: ClassVar[int] = 1

    def scored(self, length: int) -> slice:
        """All steps."""
        return slice(0, length)

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Windows and their next chords; see `PianoRolls.windows`."""
        self.check(length)
        return self.rolls.windows(length, count, generator)

    def trivial_loss(self, length: int) -> float:
        """NLL of the best constant prediction, each key's frequency in this split; nats a chord."""
        frequency = torch.from_numpy(np.concatenate(self.rolls.sequences).mean(axis=0))
        return float(nn.functional.binary_cross_entropy(frequency, frequency, reduction="sum"))


def next_chords(name: str, split: Split) -> NextChord:
    """The task on one split of a data set; see `piano_rolls`."""
    return NextChord(piano_rolls(name, split))

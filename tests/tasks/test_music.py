"""Predicting the next chord.

Oracles: the negative log-likelihood written out key by key; the entropy of each key's frequency.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.errors import LengthError
from gradstudy.tasks.music import NextChord, PianoRolls
from gradstudy.tasks.task import ScoredTask


@pytest.fixture
def task():
    stream = np.random.default_rng(0)
    rolls = tuple(stream.integers(0, 2, (length, 88), dtype=np.uint8) for length in (4, 9))
    return NextChord(PianoRolls("made", "train", rolls))


def test_it_is_scored_at_every_step_by_its_likelihood(task):
    scored: ScoredTask = task
    assert (scored.likelihood, scored.shortest, scored.scored(7)) == ("bernoulli", 1, slice(0, 7))
    inputs, targets = task.draw(3, 2, torch.Generator().manual_seed(0))
    assert inputs.shape == targets.shape == (3, 2, 88)
    logits = torch.randn(3, 2, 88, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    terms = [
        -math.log(1 / (1 + math.exp(-x if y else x)))
        for x, y in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True)
    ]
    assert task.loss(logits, targets).item() == pytest.approx(sum(terms) / 6)
    assert task.last_loss(logits, targets).item() == pytest.approx(sum(terms[-176:]) / 2)


def test_the_best_constant_knows_how_often_each_key_sounds(task):
    chords = np.concatenate(task.rolls.sequences)
    p = chords.mean(0)
    assert task.trivial_loss(5) == pytest.approx(-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum())


def test_lengths_that_no_sequence_has_are_named(task):
    task.draw(8, 1, torch.Generator())
    with pytest.raises(LengthError, match=r"windows of 9 chords of made \(train\)\n.*at most 8"):
        task.draw(9, 1, torch.Generator())
    with pytest.raises(LengthError, match=r"^0 steps for NextChord\(.*name='made', split='train'.*\n.*at least 1"):
        task.draw(0, 1, torch.Generator())

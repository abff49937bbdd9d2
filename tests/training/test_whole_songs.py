"""Likelihoods of whole songs.

Oracles: torch's modules and its binary cross-entropy, one song after the other; sums written out by hand.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from gradstudy.tasks.music import PianoRolls
from gradstudy.training.population import Shape, draw_population
from gradstudy.training.whole_songs import constant_likelihood, song_likelihoods


def rolls(lengths, seed=0):
    stream = np.random.default_rng(seed)
    return PianoRolls("made", "train", tuple(stream.integers(0, 2, (n, 88), dtype=np.uint8) for n in lengths))


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_songs_of_any_length_are_read_whole(cell):
    songs = rolls([3, 61, 1, 25, 26, 27, 2, 40] + [5] * 40)  # more than one group and one piece
    population = draw_population(Shape(cell, 88, 7, 88), "default", range(2), seed=1)
    found = song_likelihoods(population, songs)
    for place in range(2):
        module, head = population.modules(place)
        total = chords = 0.0
        for song in songs.sequences:
            roll = torch.from_numpy(song).double()
            if len(song) > 1:
                logits = head(module(roll[:-1])[0])
                total += functional.binary_cross_entropy_with_logits(logits, roll[1:], reduction="sum").item()
            chords += len(song) - 1
        assert found[place] == pytest.approx(total / chords, rel=1e-12)


def test_a_network_without_numbers_has_no_likelihood():
    population = draw_population(Shape("sigmoid", 88, 4, 88), "sigmoid", range(2), seed=0)
    population.weights[1] = torch.nan
    first, second = song_likelihoods(population, rolls([4, 6]))
    assert math.isfinite(first)
    assert math.isnan(second)


def test_the_constant_predictor_has_seen_the_training_songs_alone():
    training, test = rolls([5, 9]), rolls([4, 7], seed=1)
    expected, chords = 0.0, 9
    for key in range(88):
        seen = [int(song[t, key]) for song in training.sequences for t in range(1, len(song))]
        p = (sum(seen) + 1) / (len(seen) + 2)
        for song in test.sequences:
            for t in range(1, len(song)):
                expected -= math.log(p if song[t, key] else 1 - p)
    assert constant_likelihood(training, test) == pytest.approx(expected / chords)


def test_a_key_that_never_sounds_in_training_costs_a_finite_number():
    silent = PianoRolls("made", "train", (np.zeros((8, 88), dtype=np.uint8),))
    assert constant_likelihood(silent, rolls([4])) < 88 * math.log(9)

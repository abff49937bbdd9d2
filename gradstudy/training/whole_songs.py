"""Negative log-likelihood of whole songs under trained networks, which Table 1 of Pascanu 2013 reports."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from gradstudy.tasks.music import KEYS, PianoRolls
from gradstudy.training.backpropagation import predictions
from gradstudy.training.population import Population

# Songs at a time, and steps of them: what this needs of memory.
_SONGS, _PIECE = 32, 25


def song_likelihoods(population: Population, rolls: PianoRolls) -> list[float]:
    """Mean negative log-likelihood of a chord, given those before it in its song.

    A song is read from its first chord to its last, the state carried along and beginning at 0. Of a chord the negative
    log-likelihoods of its 88 keys (each a Bernoulli variable) are added; the mean is over all chords of all songs but
    the first of each, which nothing comes before. Nats; NaN where the network's numbers are not finite.

    Args:
        population: networks of 88 inputs and outputs.
        rolls: a split of a data set.

    Returns:
        One number a member.

    Cost: a forward pass over every song.

    Example:
        >>> from gradstudy.tasks.scale_music import scale_music
        >>> from gradstudy.training.population import Shape, draw_population
        >>> population = draw_population(Shape("sigmoid", 88, 8, 88), "sigmoid", range(2), seed=0)
        >>> [round(nats) for nats in song_likelihoods(population, scale_music("test", songs=2, length=20, seed=0))]
        [61, 61]
    """
    total, chords = torch.zeros(len(population), dtype=torch.float64), 0
    for songs in _groups(rolls):
        roll, sounding = _padded(songs, population.weights.dtype)
        inputs = roll[:-1].expand(len(population), -1, -1, -1)
        pieces = zip(roll[1:].split(_PIECE), sounding.split(_PIECE), strict=True)
        for found, (targets, counts) in zip(predictions(population, inputs, _PIECE), pieces, strict=True):
            total += torch.stack([_nats(logits, targets, counts) for logits in found])
        chords += int(sounding.sum())
    mean = total / chords
    return [value if math.isfinite(value) else math.nan for value in mean.tolist()]


def constant_likelihood(training: PianoRolls, rolls: PianoRolls) -> float:
    """The same number for a predictor that only knows how often each key sounds in the training songs.

    Frequencies are (times + 1)/(chords + 2), so that a key that never sounds in training costs a finite number.
    """
    known = np.concatenate([song[1:] for song in training.sequences])
    frequency = (known.sum(0) + 1.0) / (len(known) + 2.0)
    chords = np.concatenate([song[1:] for song in rolls.sequences])
    share = chords.mean(0)
    return float(-(share * np.log(frequency) + (1 - share) * np.log1p(-frequency)).sum())


def _groups(rolls: PianoRolls) -> Iterator[list[np.ndarray]]:
    """Songs of about one length together, those of one chord, which predict nothing, left out."""
    songs = sorted((song for song in rolls.sequences if len(song) > 1), key=len)
    return (songs[first : first + _SONGS] for first in range(0, len(songs), _SONGS))


def _padded(songs: list[np.ndarray], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Songs `(longest, songs, 88)`, silent beyond their ends, and which of their chords but the first there are."""
    longest = max(map(len, songs))
    roll = torch.zeros(longest, len(songs), KEYS, dtype=dtype)
    for place, song in enumerate(songs):
        roll[: len(song), place] = torch.from_numpy(song)
    ends = torch.tensor([len(song) for song in songs])
    return roll, torch.arange(1, longest)[:, None] < ends


def _nats(logits: Tensor, targets: Tensor, counts: Tensor) -> Tensor:
    """Sum over the chords that count."""
    nats = (nn.functional.softplus(logits) - targets * logits).sum(-1)
    return torch.where(counts, nats, 0.0).sum(dtype=torch.float64)

"""Piano rolls that are made up: a tune over chords of a key, for runs that must need no data set."""

from __future__ import annotations

import numpy as np
import torch

from gradstudy.models.randomness import generator
from gradstudy.tasks.music import KEYS, PianoRolls, Split

# Semitones of the notes of a major scale above its tonic.
_SCALE = np.array([0, 2, 4, 5, 7, 9, 11])
# Steps that a chord is held, and how many notes of the scale the next one's root may lie above: a fourth, a fifth, a
# second.
_HELD, _MOVES = 4, (3, 4, 1)
# The lowest tonic of the chords (of 12 that a song may be in), and how many notes of the scale the tune ranges over.
_BASS, _TUNE_ABOVE, _RANGE = 15, 24, 14


def scale_music(split: Split, *, songs: int, length: int, seed: int) -> PianoRolls:
    """Songs from a law of their own: no music, but with what a network has to learn of it.

    A song has one of 12 keys, drawn once, which is to be heard from its chords and kept in mind. Every 4 steps a triad
    of that key is struck and held: the tonic's first, then one whose root lies a fourth, a fifth or a second above the
    last one's, with equal chances. Above it a tune of one note goes a note of the scale up or down at every step, with
    equal chances, within two octaves.

    Args:
        split: each has songs of its own.
        songs: how many.
        length: steps of each.
        seed: of all of them.
    """
    streams = [generator(seed, i, f"scale music, {split}") for i in range(songs)]
    return PianoRolls("generated", split, tuple(_song(length, stream) for stream in streams))


def _song(length: int, stream: torch.Generator) -> np.ndarray:
    roll = np.zeros((length, KEYS), dtype=np.uint8)
    tonic = _BASS + _draw(12, 1, stream)[0]
    moves = np.array(_MOVES)[_draw(len(_MOVES), -(-length // _HELD), stream)]
    roots = np.repeat((moves.cumsum() - moves[0]) % len(_SCALE), _HELD)[:length]
    steps, places = np.arange(length), _reflected(_RANGE // 2 + (2 * _draw(2, length, stream) - 1).cumsum())
    for third in (0, 2, 4):
        roll[steps, tonic + _semitones(roots + third)] = 1
    roll[steps, tonic + _TUNE_ABOVE + _semitones(places)] = 1
    return roll


def _semitones(notes: np.ndarray) -> np.ndarray:
    """Of notes of the scale, counted from the tonic, octave after octave."""
    octave, note = np.divmod(notes, len(_SCALE))
    return 12 * octave + _SCALE[note]


def _reflected(walk: np.ndarray) -> np.ndarray:
    """A walk held within 0 .. _RANGE by reflection at both ends."""
    return _RANGE - np.abs(walk % (2 * _RANGE) - _RANGE)


def _draw(high: int, count: int, stream: torch.Generator) -> np.ndarray:
    return torch.randint(high, (count,), generator=stream).numpy()

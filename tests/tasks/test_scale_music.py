"""Generated music.

Oracles: the law that the docstring states, looked up in the rolls; the songs drawn again.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gradstudy.tasks.scale_music import scale_music

MAJOR = {0, 2, 4, 5, 7, 9, 11}


@pytest.fixture(scope="module")
def rolls():
    return scale_music("train", songs=30, length=41, seed=0)


def test_every_chord_is_a_triad_and_a_tune(rolls):
    for song in rolls.sequences:
        assert song.shape == (41, 88)
        assert song.dtype == np.uint8
        assert (song.sum(1) == 4).all()


def test_triads_of_one_key_are_held_for_four_steps_and_move_as_told(rolls):
    for song in rolls.sequences:
        keys = [np.flatnonzero(chord) for chord in song]
        tonic = keys[0][0]  # the first triad is the tonic's
        notes = [sorted({(key - tonic) % 12 for key in chord}) for chord in keys]
        assert set().union(*notes) <= MAJOR
        scale = {semitones: note for note, semitones in enumerate(sorted(MAJOR))}
        roots = [scale[(chord[0] - tonic) % 12] for chord in keys]
        assert all(len(set(roots[first : first + 4])) == 1 for first in range(0, 41, 4))
        assert {(b - a) % 7 for a, b in zip(roots[::4], roots[4::4], strict=False)} <= {1, 3, 4}
        for chord, root in zip(keys, roots, strict=True):
            assert [scale[(key - tonic) % 12] for key in chord[:3]] == [(root + third) % 7 for third in (0, 2, 4)]


def test_the_tune_goes_step_by_step(rolls):
    for song in rolls.sequences:
        tonic = np.flatnonzero(song[0])[0]
        heights = [int(np.flatnonzero(chord)[-1]) - tonic - 24 for chord in song]
        places = [7 * (h // 12) + sorted(MAJOR).index(h % 12) for h in heights]
        assert min(places) >= 0
        assert max(places) <= 14
        assert {abs(b - a) for a, b in itertools.pairwise(places)} == {1}


def test_all_keys_occur_and_songs_are_functions_of_the_seed(rolls):
    many = scale_music("train", songs=200, length=4, seed=1)
    assert {int(np.flatnonzero(song[0])[0]) for song in many.sequences} == set(range(15, 27))
    again = scale_music("train", songs=3, length=41, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(again.sequences, rolls.sequences, strict=False))
    other = scale_music("test", songs=3, length=41, seed=0)
    assert not np.array_equal(other.sequences[0], rolls.sequences[0])

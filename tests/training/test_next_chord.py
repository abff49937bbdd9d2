"""Training to predict the next chord.

Oracles: the loss of a constant predictor on made-up music that is predictable; autograd by hand for dE_T/dh_T.
"""

from __future__ import annotations

import numpy as np
import torch

from gradstudy.models.networks import Family
from gradstudy.search.random import Drive, random_subjects
from gradstudy.tasks.music import PianoRolls
from gradstudy.training.next_chord import Schedule, negative_log_likelihood, next_chord_subjects, train_next_chord


def scales():
    """Rolls in which one key moves up a step at a time, modulo 12: the next chord is certain."""
    roll = np.zeros((200, 88), dtype=np.uint8)
    roll[np.arange(200), np.arange(200) % 12] = 1
    return PianoRolls("scales", "train", (roll,))


def subjects(count=1):
    return random_subjects(Family("tanh", "basic-tanh", 20, 88), count, Drive(10, 3, "none"), seed=0)


def test_training_learns_what_is_certain():
    rolls, generator = scales(), torch.Generator().manual_seed(0)
    rnn = subjects()[0].network.module
    inputs, targets = rolls.windows(20, 50, generator)
    head = train_next_chord(rnn, rolls, Schedule(0, 20), generator)
    before = negative_log_likelihood(head(rnn(inputs)[0]), targets).item()
    head = train_next_chord(rnn, rolls, Schedule(600, 20, rate=3.0), generator)
    after = negative_log_likelihood(head(rnn(inputs)[0]), targets).item()
    marginal = 12 * (-(1 / 12) * np.log(1 / 12) - (11 / 12) * np.log(11 / 12))  # 12 keys, each on a twelfth of the time
    assert before > 50  # 88 keys undecided: 88 ln 2 = 61
    assert after < marginal
    assert all(p.grad is None for p in rnn.parameters())


def test_subjects_have_the_trained_weights_and_the_gradient_of_their_own_error():
    before = torch.get_rng_state()
    drawn = subjects(2)
    start = [s.network.weight.clone() for s in drawn]
    found = next_chord_subjects(drawn, scales(), scales(), Schedule(5, 12), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    for subject, initial in zip(found, start, strict=True):
        assert subject.inputs.shape == (12, 3, 88)
        assert subject.cotangent.shape == (3, 20)
        assert not torch.equal(subject.network.weight, initial)
        assert torch.equal(subject.network.weight, subject.network.module.weight_hh_l0)
        assert (subject.cotangent.norm(dim=1) > 0).all()
    again = next_chord_subjects(subjects(2), scales(), scales(), Schedule(5, 12), seed=3)
    assert torch.equal(again[1].cotangent, found[1].cotangent)

"""Stages of training, and networks planted in their place.

Oracles: the rate of a linear network in closed form; the networks drawn one by one.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy.measure.error_decay import rate
from gradstudy.models.recurrent import Design
from gradstudy.tasks.adding import Adding
from gradstudy.training.stages import Plan, planted_lead, planted_rate, stages, vanilla_stages
from gradstudy.training.supervised import Exam, Schedule


def plan(updates=3, networks=2):
    return Plan(Adding(), Exam(Adding(), 3), Schedule(updates, 15, 4, 0.01, optimizer="adam"), networks, 7)


def weights(subject):
    return subject.network.module.state_dict()


def same(one, other):
    return all(torch.equal(value, weights(other)[name]) for name, value in weights(one).items())


@pytest.mark.parametrize("architecture", ["rnn", "lstm", "gru", "textbook-gru"])
def test_after_is_before_trained_on_the_same_test_sequences(architecture):
    design = Design(architecture, "default", 5, 2)
    found, more, none = stages(design, plan()), stages(design, plan(networks=3)), stages(design, plan(updates=0))
    assert list(found) == ["before", "after"]
    assert list(none) == ["before"]
    for i, (before, after) in enumerate(zip(found["before"], found["after"], strict=True)):
        assert not same(before, after)
        assert torch.equal(before.inputs, after.inputs)
        assert same(before, none["before"][i])
        assert same(after, more["after"][i])  # another network beside them changes nothing


def test_vanilla_networks_meet_the_same_sequences_and_are_drawn_on_their_own():
    lstm, vanilla = (
        stages(Design("lstm", "default", 5, 2), plan()),
        vanilla_stages(["default", "orthogonal"], 5, plan()),
    )
    assert list(vanilla) == ["default", "orthogonal"]
    for stage in ("before", "after"):
        assert torch.equal(lstm[stage][1].inputs, vanilla["orthogonal"][stage][1].inputs)
    first = lstm["before"][0].network.module.weight_ih_l0[:5]
    assert not torch.equal(first, vanilla["default"]["before"][0].network.module.weight_ih_l0)


def test_planted_networks_have_their_rate_at_every_stage():
    found = planted_rate(-0.015, 5, plan())
    assert [len(subjects) for subjects in found.values()] == [2, 2]
    for subjects in found.values():
        assert [rate(subject) for subject in subjects] == pytest.approx([-0.015] * 2, abs=1e-12)
    reference = vanilla_stages(["default"], 5, plan())["default"]
    ahead = planted_lead(0.005, reference, plan())
    for stage, subjects in ahead.items():
        for subject, other in zip(subjects, reference[stage], strict=True):
            assert rate(subject) - rate(other) == pytest.approx(0.005, abs=1e-12)
            assert torch.equal(subject.inputs, other.inputs)

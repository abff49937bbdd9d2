"""Training on a task.

Oracles: the loss of a constant predictor on made-up music that is predictable; plain SGD with clipping written out;
autograd through the whole network for dE_T/dh_T.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gradstudy.models.networks import outputs
from gradstudy.models.randomness import generator
from gradstudy.models.recurrent import Design, draw_recurrent
from gradstudy.tasks.adding import Adding
from gradstudy.tasks.music import NextChord, PianoRolls
from gradstudy.training.supervised import Exam, Schedule, train, trained_subjects

ARCHITECTURES = ("rnn", "lstm", "gru", "textbook-gru")


def scales():
    """Rolls in which one key moves up a step at a time, modulo 12: the next chord is certain."""
    roll = np.zeros((200, 88), dtype=np.uint8)
    roll[np.arange(200), np.arange(200) % 12] = 1
    return NextChord(PianoRolls("scales", "train", (roll,)))


def networks(count=1, architecture="rnn", inputs=88):
    design = Design(architecture, "default", 20, inputs)
    return [draw_recurrent(design, generator(0, i, "test")) for i in range(count)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_learns_what_is_certain(architecture):
    task, stream = scales(), torch.Generator().manual_seed(0)
    module = networks(architecture=architecture)[0].module
    inputs, targets = task.draw(20, 50, stream)
    head = train(module, task, Schedule(0, 20), stream)
    before = task.loss(head(outputs(module, inputs)), targets).item()
    head = train(module, task, Schedule(200, 20, rate=0.05, optimizer="adam"), stream)
    after = task.loss(head(outputs(module, inputs)), targets).item()
    marginal = 12 * (-(1 / 12) * np.log(1 / 12) - (11 / 12) * np.log(11 / 12))  # 12 keys, each on a twelfth of the time
    assert task.trivial_loss(20) == pytest.approx(marginal, rel=1e-2)
    assert before > 50  # 88 keys undecided: 88 ln 2 = 61
    assert after < marginal
    assert all(p.grad is None for p in module.parameters())


def test_an_update_is_clipped_sgd_written_out():
    task, schedule = scales(), Schedule(2, 12, rate=0.5, threshold=0.3)
    module = networks()[0].module
    rnn, stream = copy.deepcopy(module), generator(3, 0, "training")
    head = nn.Linear(20, 88, dtype=torch.float64)
    with torch.no_grad():
        head.weight.normal_(0, 0.01, generator=stream)
        head.bias.zero_()
    parameters = [*rnn.parameters(), *head.parameters()]
    for rate in (0.5, 0.5 * 0.55):  # half way from 1 to a tenth
        inputs, targets = task.draw(12, 20, stream)
        gradients = torch.autograd.grad(task.loss(head(rnn(inputs)[0]), targets), parameters)
        norm = torch.stack([g.norm() for g in gradients]).norm()
        assert norm > 0.3
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate * 0.3 / (norm + 1e-6) * gradient
    trained = train(module, task, schedule, generator(3, 0, "training"))
    torch.testing.assert_close(module.state_dict(), rnn.state_dict(), rtol=0, atol=1e-13)
    torch.testing.assert_close(trained.weight, head.weight, rtol=0, atol=1e-13)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_subjects_have_the_trained_weights_and_the_gradient_of_their_own_error(architecture):
    before = torch.get_rng_state()
    drawn = networks(2, architecture)
    start = [network.weight.clone() for network in drawn]
    found = trained_subjects(drawn, scales(), Exam(scales(), 3, 0.5), Schedule(5, 12), seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    for subject, initial in zip(found, start, strict=True):
        module = subject.network.module
        assert subject.inputs.shape == (12, 3, 88)
        assert subject.cotangent.shape == (3, 20)
        assert subject.start.shape == (3, 40 if architecture == "lstm" else 20)
        assert not torch.equal(subject.network.weight, initial)
        assert torch.equal(subject.network.weight, next(v for k, v in module.named_parameters() if "weight_hh" in k))
        assert (subject.cotangent.norm(dim=1) > 0).all()
        output = outputs(module, subject.inputs, subject.start)
        assert subject.criterion(output).item() == pytest.approx(subject.loss, rel=1e-12)
    again = trained_subjects(networks(2, architecture), scales(), Exam(scales(), 3, 0.5), Schedule(5, 12), seed=3)
    assert torch.equal(again[1].cotangent, found[1].cotangent)


def test_the_error_at_the_last_step_of_a_task_that_is_told_at_the_end():
    (subject,) = trained_subjects(networks(1, "lstm", 2), Adding(), Exam(Adding(), 3), Schedule(0, 12), seed=3)
    output = outputs(subject.network.module, subject.inputs).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(subject.criterion(output), output)
    torch.testing.assert_close(gradient[-1], subject.cotangent)
    assert not gradient[:-1].any()
    assert subject.trivial_loss == 1 / 24


def test_networks_of_one_index_meet_the_same_sequences():
    pair = [
        trained_subjects(networks(2, name, 2), Adding(), Exam(Adding(), 3), Schedule(0, 12), seed=3)
        for name in ("rnn", "lstm")
    ]
    assert torch.equal(pair[0][1].inputs, pair[1][1].inputs)
    assert not torch.equal(pair[0][0].inputs, pair[0][1].inputs)

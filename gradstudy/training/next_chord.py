"""An nn.RNN that predicts the next chord of piano rolls, before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gradstudy.measure.subject import Subject
from gradstudy.models.randomness import generator
from gradstudy.tasks.music import KEYS, PianoRolls


@dataclass(frozen=True)
class Schedule:
    """How the network is trained: plain SGD with norm clipping.

    Args:
        updates: gradient steps; 0 leaves the network as drawn.
        length: chords a window.
        batch: windows an update.
        rate: learning rate, falling linearly to a tenth of itself.
        threshold: of the norm over all parameters.
    """

    updates: int
    length: int
    batch: int = 20
    rate: float = 1.0
    threshold: float = 1.0


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """NLL of the chords in nats, summed over the 88 keys, averaged over steps and sequences."""
    return nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1).mean()


def train_next_chord(rnn: nn.RNN, rolls: PianoRolls, schedule: Schedule, stream: torch.Generator) -> nn.Linear:
    """Train a recurrent module in place, with a logistic read-out of its own.

    Args:
        rnn: 88 inputs, float64, time-major.
        rolls: the training split.
        schedule: how.
        stream: source of the windows and of the read-out's initial weights, N(0, 0.01^2).

    Returns:
        The read-out.
    """
    head = nn.Linear(rnn.hidden_size, KEYS, device="meta").to_empty(device="cpu").double()
    with torch.no_grad():
        head.weight.normal_(0, 0.01, generator=stream)
        head.bias.zero_()
    parameters = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=schedule.rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, max(schedule.updates, 1))
    for _ in range(schedule.updates):
        inputs, targets = rolls.windows(schedule.length, schedule.batch, stream)
        optimizer.zero_grad()
        negative_log_likelihood(head(rnn(inputs)[0]), targets).backward()
        nn.utils.clip_grad_norm_(parameters, schedule.threshold)
        optimizer.step()
        decay.step()
    for parameter in parameters:
        parameter.grad = None
    return head


def next_chord_subjects(
    drawn: Sequence[Subject], train: PianoRolls, test: PianoRolls, schedule: Schedule, *, seed: int
) -> list[Subject]:
    """Subjects on real music: each network trained, its inputs test windows, E_T the NLL of the chord after the last.

    Args:
        drawn: subjects with nn.RNN of 88 inputs; their number of rows is kept; their modules are trained in place.
        train, test: splits.
        schedule: of the training; the test windows have its length too.
        seed: of windows and read-outs; network i has a generator of its own.
    """
    found = []
    for i, subject in enumerate(drawn):
        rnn = subject.network.module
        assert isinstance(rnn, nn.RNN)
        head = train_next_chord(rnn, train, schedule, generator(seed, i, "training"))
        inputs, targets = test.windows(schedule.length, len(subject.start), generator(seed, i, "test windows"))
        network = replace(subject.network, weight=rnn.state_dict()["weight_hh_l0"].clone())
        cotangent = _last_error_gradient(rnn, head, inputs, targets[-1])
        with torch.no_grad():
            loss = negative_log_likelihood(head(rnn(inputs)[0]), targets).item()
        found.append(Subject(network, inputs, torch.zeros_like(subject.start), cotangent, loss))
    return found


def _last_error_gradient(rnn: nn.RNN, head: nn.Linear, inputs: Tensor, target: Tensor) -> Tensor:
    """dE_T/dh_T, `(rows, n)`."""
    with torch.no_grad():
        last = rnn(inputs)[0][-1]
    last.requires_grad_()
    (gradient,) = torch.autograd.grad(negative_log_likelihood(head(last), target), last)
    return gradient

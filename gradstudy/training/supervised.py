"""A recurrent network trained on a task, with a linear read-out of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from gradstudy.measure.subject import Subject
from gradstudy.models.networks import Network, Recurrent, outputs
from gradstudy.models.randomness import generator
from gradstudy.models.recurrent import recurrent_weight
from gradstudy.tasks.task import Task


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: with norm clipping, by plain SGD or Adam.

    Args:
        updates: gradient steps; 0 leaves the network as drawn.
        length: steps a sequence.
        batch: sequences an update.
        rate: learning rate, falling linearly to a tenth of itself.
        threshold: of the norm over all parameters.
        optimizer: sgd or adam (torch's defaults but for the rate).
    """

    updates: int
    length: int
    batch: int = 20
    rate: float = 1.0
    threshold: float = 1.0
    optimizer: Literal["sgd", "adam"] = "sgd"


def train(module: Recurrent, task: Task, schedule: Schedule, stream: torch.Generator) -> nn.Linear:
    """Train a recurrent module in place, with a linear read-out of its own.

    Args:
        module: float64, time-major, one layer.
        task: the training split.
        schedule: how.
        stream: source of the sequences and of the read-out's initial weights, N(0, 0.01^2).

    Returns:
        The read-out.
    """
    head = nn.Linear(module.hidden_size, task.output_size, device="meta").to_empty(device="cpu").double()
    with torch.no_grad():
        head.weight.normal_(0, 0.01, generator=stream)
        head.bias.zero_()
    parameters = [*module.parameters(), *head.parameters()]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[schedule.optimizer]
    optimizer = kind(parameters, lr=schedule.rate)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, max(schedule.updates, 1))
    for _ in range(schedule.updates):
        inputs, targets = task.draw(schedule.length, schedule.batch, stream)
        optimizer.zero_grad()
        task.loss(head(outputs(module, inputs)), targets).backward()
        nn.utils.clip_grad_norm_(parameters, schedule.threshold)
        optimizer.step()
        decay.step()
    for parameter in parameters:
        parameter.grad = None
    return head


@dataclass(frozen=True)
class Exam:
    """What trained networks are measured on.

    Args:
        task: the test split.
        rows: test sequences a network.
        start: standard deviation of the entries of s_0 about the network's own start.
    """

    task: Task
    rows: int
    start: float = 0.0


def trained_subjects(
    networks: Sequence[Network], training: Task, exam: Exam, schedule: Schedule, *, seed: int
) -> list[Subject]:
    """Subjects with a task: each network trained, its inputs test sequences, E_T the task's loss at the last step.

    Args:
        networks: of the task's input size; their modules are trained in place.
        training: the training split.
        exam: test sequences and starts.
        schedule: of the training; the test sequences have its length too.
        seed: of sequences, starts and read-outs; network i has generators of its own, so that networks of another
            architecture with the same index meet the same sequences.
    """
    found = []
    for i, network in enumerate(networks):
        head = train(network.module, training, schedule, generator(seed, i, "training"))
        trained = replace(network, weight=recurrent_weight(network.module).detach().clone())
        test = exam.task.draw(schedule.length, exam.rows, generator(seed, i, "test windows"))
        noise = torch.randn(exam.rows, len(network.start), generator=generator(seed, i, "starts"), dtype=torch.float64)
        found.append(_subject(trained, head, exam.task, test, network.start + exam.start * noise))
    return found


def _subject(network: Network, head: nn.Linear, task: Task, test: tuple[Tensor, Tensor], start: Tensor) -> Subject:
    """A network on test sequences, with its task's losses and the gradient dE_T/dh_T, `(rows, n)`."""
    inputs, targets = test
    with torch.no_grad():
        states = outputs(network.module, inputs, start)
        loss = task.loss(head(states), targets).item()
    last = states[-1:].requires_grad_()
    (gradient,) = torch.autograd.grad(task.last_loss(head(last), targets), last)
    trivial = task.trivial_loss(len(inputs))
    return Subject(network, inputs, start, gradient[0], lambda output: task.loss(head(output), targets), loss, trivial)

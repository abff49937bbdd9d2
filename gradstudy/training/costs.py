"""What training a population costs beside training one network after another: a study's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from gradstudy.measure import baselines
from gradstudy.measure.timing import time_ratios
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.arms import arms
from gradstudy.training.history import log_state_norms
from gradstudy.training.population import Cell, Shape, draw_population
from gradstudy.training.sequences import Draws, Feed
from gradstudy.training.trainer import Recipe, Trainer


@dataclass(frozen=True)
class Training:
    """What is trained.

    Args:
        module: "rnn" (tanh), "lstm" or "gru".
        hidden, length, batch: H, T and B.
        members: networks.
        precision: of weights and states.
    """

    module: Literal["rnn", "lstm", "gru"]
    hidden: int
    length: int
    batch: int
    members: int
    precision: Literal["float64", "float32"] = "float64"


def cost_of_population(training: Training, *, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of an update of all members of a population over that of the same updates one after another.

    Temporal order, plain SGD with norm clipping; what is learnt from is drawn beforehand.

    Args:
        training: of what.
        rounds: how often each is timed.
        seed: of weights and sequences.

    Returns:
        See `timing.time_ratios`; the baseline trains torch's module by autograd, one network after another.
    """
    trainer, batch = _case(training, seed)
    networks = [trainer.population.modules(place) for place in range(training.members)]
    optimizers = [torch.optim.SGD([*module.parameters(), *head.parameters()], lr=0.01) for module, head in networks]
    inputs, classes = batch[0], batch[1][:, 0]
    others = {
        "one network after another": lambda: baselines.update_one_after_another(networks, optimizers, inputs, classes)
    }
    return time_ratios(lambda: trainer.update(batch), others, rounds=rounds)


def cost_of_state_norms(training: Training, *, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of an update whose norms of dL/dh_t, at all t, are recorded, over that of one whose norms are not.

    Returns:
        See `timing.time_ratios`.
    """
    trainer, batch = _case(training, seed)

    def recorded() -> Tensor:
        return log_state_norms(trainer.update(batch).found.unrolled.state_gradient)

    return time_ratios(recorded, {"norms not recorded": lambda: trainer.update(batch)}, rounds=rounds)


def _case(training: Training, seed: int) -> tuple[Trainer, tuple[Tensor, Tensor]]:
    task, members = TemporalOrder(), arms(["SGD-C"], range(training.members), rate=0.01)
    cell: Cell = "tanh" if training.module == "rnn" else training.module
    shape, dtype = Shape(cell, task.input_size, training.hidden, task.output_size), getattr(torch, training.precision)
    population = draw_population(shape, "default", range(training.members), seed=seed, dtype=dtype)
    feed = Feed(Draws(task, training.length, training.batch, seed, "training", dtype))
    trainer = Trainer(population, members, task, Recipe(batch=training.batch), training.length)
    return trainer, feed.batch(range(training.members), 0)

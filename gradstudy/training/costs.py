"""What training a population costs beside training one network after another: a study's numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from gradstudy.measure import baselines
from gradstudy.measure.timing import time_ratios
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.arms import arms
from gradstudy.training.history import log_state_norms
from gradstudy.training.population import Cell, Shape, draw_population
from gradstudy.training.sequences import Draws, Feed
from gradstudy.training.trainer import Recipe, Trainer


@dataclass(frozen=True)
class Size:
    """What is trained.

    Args:
        cell: see `Shape`.
        hidden, length, batch: H, T and B.
        members: networks.
        dtype: float64 or float32.
    """

    cell: Cell
    hidden: int
    length: int
    batch: int
    members: int
    dtype: torch.dtype = torch.float64


def cost_of_population(size: Size, *, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of an update of all members of a population over that of the same updates one after another.

    Temporal order, plain SGD with norm clipping; what is learnt from is drawn beforehand.

    Args:
        size: of the case.
        rounds: how often each is timed.
        seed: of weights and sequences.

    Returns:
        See `timing.time_ratios`; the baseline trains torch's module by autograd, one network after another.
    """
    trainer, batch = _case(size, seed)
    networks = [trainer.population.modules(place) for place in range(size.members)]
    optimizers = [torch.optim.SGD([*module.parameters(), *head.parameters()], lr=0.01) for module, head in networks]
    inputs, classes = batch[0], batch[1][:, 0]
    others = {
        "one network after another": lambda: baselines.update_one_after_another(networks, optimizers, inputs, classes)
    }
    return time_ratios(lambda: trainer.update(batch), others, rounds=rounds)


def cost_of_state_norms(size: Size, *, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of an update whose norms of dL/dh_t, at all t, are recorded, over that of one whose norms are not.

    Returns:
        See `timing.time_ratios`.
    """
    trainer, batch = _case(size, seed)

    def recorded() -> torch.Tensor:
        return log_state_norms(trainer.update(batch).found.unrolled.state_gradient)

    return time_ratios(recorded, {"norms not recorded": lambda: trainer.update(batch)}, rounds=rounds)


def _case(size: Size, seed: int) -> tuple[Trainer, tuple[torch.Tensor, torch.Tensor]]:
    task, members = TemporalOrder(), arms(["SGD-C"], range(size.members), rate=0.01)
    shape = Shape(size.cell, task.input_size, size.hidden, task.output_size)
    population = draw_population(shape, "default", range(size.members), seed=seed, dtype=size.dtype)
    feed = Feed(Draws(task, size.length, size.batch, seed, "training", size.dtype))
    trainer = Trainer(population, members, task, Recipe(batch=size.batch), size.length)
    return trainer, feed.batch(range(size.members), 0)

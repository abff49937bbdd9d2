"""Steps of clipped trainings, as taken, beside the plain steps from the same weights."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.training.campaign import Campaign
from gradstudy.training.population import Population, draw_population
from gradstudy.training.sequences import Feed
from gradstudy.training.trainer import Trainer


def directions(campaign: Campaign, threshold: float, turn: float | None = None) -> pd.DataFrame:
    """Compare every clipped step of a training, as taken, with the plain one from the same weights on the same batch.

    Args:
        campaign: of plain SGD, without examination; its members are trained with clipping.
        threshold: at which.
        turn: planted: every step is turned by so many radians, in a random direction.

    Returns:
        One row a member: `member`, `clipped_steps`: how many were clipped; over these, `deviation`: the largest
        distance of the step from the nearest point of the segment between 0 and the plain step, over its own length;
        `largest_factor`: the largest length of a step over the plain one's, `mean_factor`: the mean (NaN if none was
        clipped).

    Cost: twice that of the training.
    """
    members = tuple(replace(member, threshold=threshold) for member in campaign.members)
    population, trainer, feed = begin(replace(campaign, members=members))
    twin, plain, _ = begin(campaign)
    indices = [member.index for member in members]
    streams = [generator(campaign.seed, i, "turn") for i in indices]
    seen = population.weights.new_zeros(4, len(indices))
    for update in range(campaign.budget):
        before, batch = population.weights.clone(), feed.batch(indices, update)
        twin.weights.copy_(before)
        plain.update(batch)
        clipped = trainer.update(batch).factor < 1
        if turn is not None:
            population.weights.copy_(before + _turned(population.weights - before, turn, streams))
        _compare(seen, clipped, population.weights - before, twin.weights - before)
    count, deviation, largest, total = seen
    never = torch.where(count > 0, 0.0, torch.nan)
    columns = {"deviation": deviation + never, "largest_factor": largest + never, "mean_factor": total / count}
    table = pd.DataFrame({name: values.numpy() for name, values in columns.items()})
    return pd.DataFrame({"member": indices, "clipped_steps": count.int().numpy()}).join(table)


def _compare(seen: Tensor, clipped: Tensor, taken: Tensor, plain: Tensor) -> None:
    """Take in a step of each member that was clipped: their number, largest deviation, largest and summed factor."""
    squared = plain.square().sum(1)
    share = ((taken * plain).sum(1) / torch.where(squared > 0, squared, 1.0)).clamp(0.0, 1.0)
    length = taken.norm(dim=1)
    deviation, factor = (taken - share[:, None] * plain).norm(dim=1) / length, length / squared.sqrt()
    seen[0] += clipped
    seen[1] = torch.where(clipped, torch.maximum(seen[1], deviation), seen[1])
    seen[2] = torch.where(clipped, torch.maximum(seen[2], factor), seen[2])
    seen[3] += torch.where(clipped, factor, 0.0)


def _turned(steps: Tensor, angle: float, streams: list[torch.Generator]) -> Tensor:
    """Steps turned by an angle towards random directions at right angles to them."""
    aside = torch.stack([torch.randn(steps.shape[1], generator=stream, dtype=steps.dtype) for stream in streams])
    length = steps.norm(dim=1, keepdim=True)
    unit = steps / length
    aside -= (aside * unit).sum(1, keepdim=True) * unit
    return math.cos(angle) * steps + math.sin(angle) * length * aside / aside.norm(dim=1, keepdim=True)


def begin(campaign: Campaign) -> tuple[Population, Trainer, Feed]:
    """Networks as drawn, their trainer, and their training sequences: for who looks at every update of a campaign."""
    indices = [member.index for member in campaign.members]
    population = draw_population(campaign.shape, campaign.start, indices, seed=campaign.seed)
    trainer = Trainer(population, campaign.members, campaign.task, campaign.recipe, campaign.range[1])
    return population, trainer, Feed(campaign.draws("training", campaign.recipe.batch))

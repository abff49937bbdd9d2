"""What clipping does where gradients vanish: how the gradient falls on its way back, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor

from gradstudy.training.arms import Member
from gradstudy.training.backpropagation import gradients, unroll
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.history import log_state_norms
from gradstudy.training.population import Population
from gradstudy.training.sequences import Feed

_TESTED = 500


@dataclass(frozen=True)
class Plant:
    """What a control plants; None plants nothing. Either way the clipped networks are the plain ones.

    Args:
        stretch: nats by which log W_hh of those in the place of the clipped ones is raised.
        worse: nats by which their loss is raised.
    """

    stretch: float | None = None
    worse: float | None = None


def compare(campaign: Campaign, thresholds: Sequence[float], plant: Plant) -> pd.DataFrame:
    """Train a campaign's members plainly and with norm clipping at each threshold; look at them at the end.

    Args:
        campaign: its members' indices and rate are trained, without examination, with a history.
        thresholds: of clipping.
        plant: what a control plants.

    Returns:
        One row a threshold and member: `clipped_at`: the threshold, `member`; `clipped`: share of the updates whose
        gradient was; `rate_plain`, `rate_clipped`: of the decay of the gradient on its way back from h_T to h_1 at the
        end of the training, (log|dL/dh_1| - log|dL/dh_T|) / (T - 1), nats per link, norms over 500 fresh sequences and
        all units; `loss_plain`, `loss_clipped`: on these; `trivial_loss`.
    """
    members = {member.index: member for member in campaign.members}
    planted = plant.stretch is not None or plant.worse is not None
    plain = _ends(campaign, [replace(member, arm="plain", threshold=torch.inf) for member in members.values()])
    tables = []
    for threshold in thresholds:
        clipped = plain
        if not planted:
            clipped = _ends(campaign, [replace(m, arm="clipped", threshold=threshold) for m in members.values()])
        tables.append(_beside(campaign, threshold, plain, clipped, plant))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Ends:
    """Networks at the end of their training, and the share of updates that were clipped."""

    population: Population
    clipped: list[float]


def _ends(campaign: Campaign, members: Sequence[Member]) -> _Ends:
    outcome = run(replace(campaign, members=tuple(members)))
    return _Ends(outcome.population, outcome.history.groupby("member")["clipped"].mean().tolist())


def _beside(campaign: Campaign, threshold: float, plain: _Ends, clipped: _Ends, plant: Plant) -> pd.DataFrame:
    population = clipped.population.like(clipped.population.weights.clone())
    population.weight_hh.mul_(torch.tensor(plant.stretch or 0.0).exp())
    rate_plain, loss_plain = _seen(campaign, plain.population)
    rate_clipped, loss_clipped = _seen(campaign, population)
    return pd.DataFrame(
        {
            "clipped_at": threshold,
            "member": sorted({member.index for member in campaign.members}),
            "clipped": clipped.clipped,
            "rate_plain": rate_plain.numpy(),
            "rate_clipped": rate_clipped.numpy(),
            "loss_plain": loss_plain.numpy(),
            "loss_clipped": (loss_clipped + (plant.worse or 0.0)).numpy(),
            "trivial_loss": campaign.task.trivial_loss(campaign.range[1]),
        }
    )


def _seen(campaign: Campaign, population: Population) -> tuple[Tensor, Tensor]:
    """Rate of the gradient's decay, and loss, on fresh sequences; the same ones for every population."""
    indices = sorted({member.index for member in campaign.members})
    length, task = campaign.range[1], campaign.task
    batch = Feed(campaign.draws("test of vanishing", _TESTED, ahead=1)).batch(indices, 0)
    memory = unroll(population.shape, (len(population), length, _TESTED), population.weights.dtype)
    found = gradients(population, memory, batch, task.scored(length), task.likelihood)
    logs = log_state_norms(memory.state_gradient)
    return (logs[1] - logs[length]) / (length - 1), found.loss

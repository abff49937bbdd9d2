"""The step of the largest gradient of each training not yet spoilt, beside it clipped and beside ordinary ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.training.campaign import Campaign
from gradstudy.training.clipped_steps import begin
from gradstudy.training.evaluation import losses
from gradstudy.training.population import Population
from gradstudy.training.worst_case import RUINED

# Updates drawn at random for each member, whose steps are its ordinary ones.
_ORDINARY = 8
# A training is spoilt once a batch loses more than so many times what the trivial predictor does: no step of it can
# land in a bad configuration any more, since it is in one.
SPOILT = RUINED
_TESTED = 500


@dataclass(frozen=True, eq=False)
class Steps:
    """Weights on either side of some steps of a training.

    Args:
        indices: of the members.
        considered: updates before the first one whose batch lost more than 1.5 times what the trivial predictor loses
            (or no finite number) before its step; the budget if there was none. `(members,)`.
        norm: of the largest gradient among these, before clipping, `(members,)`; 0 if none is above.
        update: of that gradient, from 1, `(members,)`; 0 if there was none.
        largest: weights before and after its step, `(2, members, parameters)`; NaN if there was none.
        ordinary: the same of steps drawn at random, `(8, 2, members, parameters)`.
    """

    indices: list[int]
    considered: Tensor
    norm: Tensor
    update: Tensor
    largest: Tensor
    ordinary: Tensor


def watch(campaign: Campaign) -> Steps:
    """Train a campaign's members to the end of its budget and keep the weights around some of the steps considered.

    Ordinary steps are those of 8 updates of each member, drawn uniformly from those considered, with replacement,
    whatever their gradients.

    Args:
        campaign: without examination; nobody leaves it.
    """
    population, trainer, feed = begin(campaign)
    indices = [member.index for member in campaign.members]
    border = SPOILT * campaign.task.trivial_loss(campaign.range[1])
    draws = torch.stack([torch.rand(campaign.budget, _ORDINARY, generator=_stream(campaign, i)) for i in indices], 2)
    weights, none = population.weights, torch.zeros(len(indices), dtype=torch.int64)
    steps = Steps(
        indices,
        none.clone(),
        weights.new_zeros(len(indices)),
        none.clone(),
        weights.new_full((2, *weights.shape), torch.nan),
        weights.new_full((_ORDINARY, 2, *weights.shape), torch.nan),
    )
    for update in range(campaign.budget):
        before = weights.clone()
        seen = trainer.update(feed.batch(indices, update))
        pair = torch.stack([before, weights])
        considered = (steps.considered == update) & (seen.loss <= border) & seen.norm.isfinite()
        steps.considered[considered] += 1
        larger = considered & (seen.norm > steps.norm)
        steps.norm[larger], steps.update[larger] = seen.norm[larger], update + 1
        steps.largest[:, larger] = pair[:, larger]
        # Of k updates so far each stands in a place with probability 1 / k if the last one takes it with that.
        for kept, taken in zip(steps.ordinary, considered & (draws[update] * (update + 1) < 1), strict=True):
            kept[:, taken] = pair[:, taken]
    return steps


def landings(campaign: Campaign, threshold: float, height: float | None = None) -> pd.DataFrame:
    """Losses before and after the step of the largest gradient, the same step clipped, and ordinary steps.

    Args:
        campaign: of plain SGD.
        threshold: at which the step of the largest gradient is clipped beside it.
        height: planted: networks are not trained; the largest gradient's step leads from a network that answers the
            same with equal odds to one that prefers one class so much that its loss is 10^height times as high, and
            the other steps go nowhere. Only for a categorical task.

    Returns:
        One row a member: `member`, `considered`, `update`, `gradient_norm` of the largest gradient (see `Steps`);
        `loss_before` and `log10_ratio_largest`, `log10_ratio_clipped`, `log10_ratio_ordinary`: decimal logarithm of
        the loss after the step over the loss before it, on the same 500 fresh sequences, of ordinary steps the mean
        over the 8. NaN where no update was considered.
    """
    steps = watch(campaign) if height is None else _planted(campaign, height)
    before, after = steps.largest
    factor = (threshold / steps.norm).clamp(max=1.0)[:, None] if height is None else 0.0
    loss = _tested(campaign)
    start = loss(before)
    ordinary = torch.stack([(loss(right) / loss(left)).log10() for left, right in steps.ordinary]).mean(0)
    return pd.DataFrame(
        {
            "member": steps.indices,
            "considered": steps.considered.numpy(),
            "update": steps.update.numpy(),
            "gradient_norm": steps.norm.numpy(),
            "loss_before": start.numpy(),
            "log10_ratio_largest": (loss(after) / start).log10().numpy(),
            "log10_ratio_clipped": (loss(before + factor * (after - before)) / start).log10().numpy(),
            "log10_ratio_ordinary": ordinary.numpy(),
        }
    )


def _tested(campaign: Campaign) -> Callable[[Tensor], Tensor]:
    """The loss of members with given weights on fresh sequences, the same at every call."""
    indices = [member.index for member in campaign.members]
    draws = campaign.draws("test around a step", _TESTED, ahead=1)
    return lambda weights: losses(Population(campaign.shape, weights), indices, draws)


def _stream(campaign: Campaign, index: int) -> torch.Generator:
    return generator(campaign.seed, index, "ordinary")


def _planted(campaign: Campaign, height: float) -> Steps:
    """Steps off a cliff of known height: see `landings`."""
    indices, classes = [member.index for member in campaign.members], campaign.shape.outputs
    flat = torch.zeros(len(indices), campaign.shape.parameters, dtype=torch.float64)
    leaning = Population(campaign.shape, flat.clone())
    leaning.readout[:, 0, -1] = _preference(classes, 10**height * np.log(classes))
    still = torch.stack([flat, flat])
    return Steps(
        indices,
        torch.full((len(indices),), campaign.budget),
        torch.ones(len(indices), dtype=torch.float64),
        torch.ones(len(indices), dtype=torch.int64),
        torch.stack([flat, leaning.weights]),
        still.expand(_ORDINARY, *still.shape),
    )


def _preference(classes: int, loss: float) -> float:
    """The logit b of one class, all others 0, at which the mean loss log(K - 1 + e^b) - b / K is as high as asked."""
    low, high = 0.0, 4 * loss
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if np.log(classes - 1 + np.exp(middle)) - middle / classes < loss:
            low = middle
        else:
            high = middle
    return high

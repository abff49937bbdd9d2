"""How trainings end, with norm clipping and without: in numbers that are none, in a ruined loss, or well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch

from gradstudy.theory.pascanu2013 import log10_reach
from gradstudy.training.arms import Member
from gradstudy.training.campaign import Campaign, Outcome, run
from gradstudy.training.evaluation import losses
from gradstudy.training.population import draw_population

RUINED = 1.5
"""A training is ruined if it ends above so many times the trivial predictor's loss, having been below that before."""

ARMS: dict[str, Literal["plain", "clipped"]] = {"SGD": "plain", "SGD-C": "clipped"}

_TESTED = 500
# No input of the tasks is longer: a one-hot symbol, or a value in [0, 1) and a marker.
_LONGEST_INPUT = math.sqrt(2)


@dataclass(frozen=True)
class Plant:
    """What a control plants; None plants nothing.

    Args:
        threshold: at which the plain arm is clipped, too.
        accidents: both arms are clipped, but of those in the place of the plain ones this share ends with weights that
            are no numbers: ones that would have ended well, evenly spread over members and rates.
    """

    threshold: float | None = None
    accidents: float | None = None


def endings(campaign: Campaign, rates: Sequence[float], threshold: float, plant: Plant) -> pd.DataFrame:
    """Train each member of a campaign at each rate, plainly and with norm clipping, and see how it ends.

    Args:
        campaign: its members' indices are trained; it has no examination, and a history.
        rates: learning rates.
        threshold: of the clipped arm.
        plant: what a control plants.

    Returns:
        One row an arm, rate and member: `arm` (plain, clipped); `learning_rate`; `member`; `end`: "not finite" (a loss
        or a weight became NaN or infinite), "ruined" (the loss on 500 fresh sequences at the end is more than 1.5 times
        that of the trivial predictor, after its mean over some interval of the history was below that), "high" (as
        high, but it never was below) or "kept"; `updates` until then; `relative_loss`: on these sequences over that of
        the trivial predictor; `log10_largest_gradient`: the largest norm before clipping, -inf for 0; `log10_reach`:
        the bound of `theory.pascanu2013.log10_reach` on its square, infinite without clipping.
    """
    indices = sorted({member.index for member in campaign.members})
    thresholds = {"SGD": math.inf if plant.threshold is None else plant.threshold, "SGD-C": threshold}
    if plant.accidents is not None:
        thresholds["SGD"] = threshold
    outcomes = [
        run(replace(campaign, members=tuple(Member(i, arm, rate, thresholds[arm]) for arm in ARMS for i in indices)))
        for rate in rates
    ]
    table = _table(outcomes)
    if plant.accidents is not None:
        _spoil(outcomes, table, plant.accidents)
        table = _table(outcomes)
    table["arm"] = table["arm"].map(ARMS)
    names = ["arm", "learning_rate", "member", "end", "updates", "relative_loss", "log10_largest_gradient"]
    return table[[*names, "log10_reach"]]


def _table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """The rows of campaigns of one rate each."""
    return pd.concat([_rows(outcome) for outcome in outcomes], ignore_index=True)


def _spoil(outcomes: Sequence[Outcome], table: pd.DataFrame, share: float) -> None:
    """Make the weights of some plain trainings that would end well NaN: a share of all plain ones, evenly spread."""
    plain = table[table["arm"] == "SGD"]
    well = plain[plain["end"] == "kept"].sort_values(["member", "learning_rate"])
    pace = share * len(plain) / max(len(well), 1)
    for number, place in enumerate(well.index):
        if int((number + 1) * pace) > int(number * pace):
            campaign, member = divmod(place, len(table) // len(outcomes))
            outcomes[campaign].population.weights[member] = torch.nan


def _rows(outcome: Outcome) -> pd.DataFrame:
    """One row a member of a campaign of one rate."""
    campaign = outcome.campaign
    table = outcome.members[["arm", "rate", "member", "updates"]].rename(columns={"rate": "learning_rate"})
    trivial = campaign.task.trivial_loss(campaign.range[1])
    histories = outcome.history.groupby(["arm", "member"])
    rows = [histories.get_group((arm, member)) for arm, member in zip(table["arm"], table["member"], strict=True)]
    draws = campaign.draws("test at the end", _TESTED, ahead=1)
    table["relative_loss"] = losses(outcome.population, table["member"].tolist(), draws).numpy() / trivial
    finite = np.isfinite(table["relative_loss"]) & outcome.population.weights.isfinite().all(1).numpy()
    finite &= outcome.members["outcome"] != "diverged"
    low = np.array([part["loss"].min() < RUINED * trivial for part in rows])
    high = table["relative_loss"] > RUINED
    table["end"] = np.select([~finite, high & low, high], ["not finite", "ruined", "high"], "kept")
    with np.errstate(divide="ignore"):
        table["log10_largest_gradient"] = np.log10([part["largest_gradient_norm"].max() for part in rows])
    table["log10_reach"] = _reach(campaign)
    return table


def _reach(campaign: Campaign) -> list[float]:
    indices = [member.index for member in campaign.members]
    start = draw_population(campaign.shape, campaign.start, indices, seed=campaign.seed).weights.norm(dim=1)
    return [
        log10_reach(float(norm), campaign.budget * member.rate * member.threshold, campaign.range[1], _LONGEST_INPUT)
        for norm, member in zip(start, campaign.members, strict=True)
    ]

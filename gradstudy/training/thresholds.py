"""Updates to success by the threshold of clipping, told as a multiple of the average gradient norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from gradstudy.training.arms import Member
from gradstudy.training.campaign import Campaign, Outcome, run
from gradstudy.training.clipping import Clipping
from gradstudy.training.trainer import Recipe

# The average norm is measured on members of their own, far from those that are compared.
_CALIBRATING = 1000
# Every how many updates a norm is taken for the average.
_SAMPLED = 10


@dataclass(frozen=True)
class Plant:
    """What a control plants; None plants nothing.

    With either, all are trained alike, clipped at the average norm, and the updates that took, successful or not, count
    as those to success but for what is planted.

    Args:
        late: of clipping at another threshold or element by element, the part of the budget after which it begins.
        quicker: a factor on these updates for another threshold, and once more for clipping element by element.
    """

    late: float | None = None
    quicker: float | None = None

    @property
    def plants(self) -> bool:
        """Whether there is something planted."""
        return self.late is not None or self.quicker is not None

    def updates(self, updates: int, budget: int, departures: int) -> int:
        """Updates to success after so many departures from norm clipping at the average norm."""
        return round(updates * (self.quicker or 1.0) ** departures + budget * (self.late or 0.0) * (departures > 0))


@dataclass(frozen=True)
class Search:
    """What is compared.

    Args:
        factors: thresholds of norm clipping as multiples of the average norm; infinite ones do not clip.
        element_factors: of clipping element by element, as multiples of the average norm over the square root of the
            number of parameters: of gradients with equal entries both clip the same.
        updates: over which the average norm is measured.
    """

    factors: Sequence[float]
    element_factors: Sequence[float]
    updates: int


def average_norm(campaign: Campaign, updates: int) -> float:
    """Mean gradient norm of plain SGD, over as many other members as the campaign has and every 10th update.

    The members' own trainings have no part in it. A member whose loss or weights are no longer finite leaves; norms
    that are not finite are left out.

    Args:
        campaign: whose task, networks and rate.
        updates: of each member.
    """
    members = tuple(Member(_CALIBRATING + member.index, "plain", member.rate) for member in _each(campaign))
    plain = replace(campaign, members=members, budget=updates, every=_SAMPLED, examination=None)
    norms = run(plain).history["gradient_norm"]
    return float(norms[norms < math.inf].mean())


def times(campaign: Campaign, search: Search, plant: Plant, checkpoint: Path | None = None) -> pd.DataFrame:
    """Updates to success of a campaign's members for every threshold.

    Args:
        campaign: its members' indices and rate are trained; its recipe's clipping is that of both kinds in turn.
        search: the thresholds.
        plant: what a control plants.
        checkpoint: a path, before whose name that of the kind is put; see `campaign.run`.

    Returns:
        One row a kind of clipping, factor and member: `clipping` (norm, element-wise), `factor`, `average_norm`,
        `clipped_at`: the threshold, `member`, `outcome`, `updates`; `time`: updates to success as a part of the
        budget, restricted to
        1, which members that did not succeed have.
    """
    average = average_norm(campaign, search.updates)
    unit = {"norm": average, "element-wise": average / math.sqrt(campaign.shape.parameters)}
    factors = {"norm": search.factors, "element-wise": search.element_factors}
    rules: dict[str, Clipping] = {"norm": "algorithm-1", "element-wise": "element-wise"}
    alike = _train(campaign, "algorithm-1", {1.0: average}, checkpoint) if plant.plants else None
    tables = []
    for kind, rule in rules.items():
        thresholds = {factor: factor * unit[kind] for factor in factors[kind]}
        if alike is None:
            path = None if checkpoint is None else checkpoint.with_name(f"{kind}-{checkpoint.name}")
            table = _train(campaign, rule, thresholds, path).members
        else:
            table = pd.concat([_departed(alike, plant, kind, factor) for factor in thresholds], ignore_index=True)
        table = table.assign(clipping=kind, factor=table["arm"].astype(float), average_norm=average)
        tables.append(table.assign(clipped_at=table["factor"].map(thresholds)))
    found = pd.concat(tables, ignore_index=True)
    solved = found["outcome"] == "solved"
    found["time"] = (found["updates"] / campaign.budget).where(solved, 1.0).clip(upper=1.0)
    return found[["clipping", "factor", "average_norm", "clipped_at", "member", "outcome", "updates", "time"]]


def _each(campaign: Campaign) -> list[Member]:
    """One member an index."""
    return list({member.index: member for member in campaign.members}.values())


def _train(campaign: Campaign, rule: Clipping, thresholds: dict[float, float], checkpoint: Path | None) -> Outcome:
    """All members at all thresholds, arms named by their factors."""
    members = tuple(
        Member(member.index, str(factor), member.rate, threshold)
        for factor, threshold in thresholds.items()
        for member in _each(campaign)
    )
    recipe = Recipe(batch=campaign.recipe.batch, clipping=rule)
    return run(replace(campaign, members=members, recipe=recipe, every=0), checkpoint)


def _departed(alike: Outcome, plant: Plant, kind: str, factor: float) -> pd.DataFrame:
    """The table of members clipped at the average norm, in the place of another clipping."""
    departures, budget = (factor != 1.0) + (kind != "norm"), alike.campaign.budget
    updates = [plant.updates(number, budget, departures) for number in alike.members["updates"]]
    return alike.members.assign(arm=str(factor), updates=updates, outcome="solved")

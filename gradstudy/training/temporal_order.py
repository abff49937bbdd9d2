"""What the study of temporal order keeps of a campaign, and what its controls plant in the campaign's place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gradstudy.models.initialisations import spectral_radius
from gradstudy.models.randomness import generator
from gradstudy.training.campaign import Campaign, Outcome, run
from gradstudy.training.examination import Examination
from gradstudy.training.history import spectral_radii
from gradstudy.training.population import draw_population

# The arm that solves the task soonest stands in for all in controls of lead, so that their delay is all that differs.
_SOONEST = "SGD-CR"
# Arms that a control of lead lets begin late; each is compared with one that it does not.
LATE = ("SGD-C", "SGD-R", "SGD-L2")
# A planted spectral radius at length 0, and the standard deviation of a member's own about the planted law.
_RADIUS, _SCATTER = 1.0, 0.002
# Updates after which there are radii enough to be paired.
_PAIRED = 1000
# Rows of a history from which a rank correlation is taken, at least.
_FEWEST = 8


@dataclass(frozen=True)
class Plant:
    """What a control plants; None plants nothing.

    Args:
        late: the arms in `LATE` begin so large a part of the budget after the others; every arm is trained as SGD-CR,
            from the same weights on the same sequences, so that this is all that differs.
        late_by_length: SGD begins late by so large a part of the budget a step of length, SGD-C at once; both are
            trained as SGD-CR.
        radius_slope: networks are not trained; their W_hh is rescaled to the spectral radius 1 + slope * T.
        paired_at: rank correlation at which a run's spectral radii are paired with themselves instead of gradient
            norms; a thousand updates are enough for that.
        mistakes: networks are not trained; test sequences are answered by an oracle that errs on this part of them.
    """

    late: float | None = None
    late_by_length: float | None = None
    radius_slope: float | None = None
    paired_at: float | None = None
    mistakes: float | None = None

    @property
    def delays(self) -> bool:
        """Whether some arm begins late."""
        return self.late is not None or self.late_by_length is not None

    def delay(self, arm: str, length: int) -> float:
        """Part of the budget after which an arm begins."""
        if self.late_by_length is not None:
            return self.late_by_length * length if arm == "SGD" else 0.0
        return (self.late or 0.0) if arm in LATE else 0.0


def train(campaign: Campaign, plant: Plant, checkpoint: Path | None = None) -> Outcome:
    """Train a campaign on one length or a range, or what a control plants in its place.

    Args:
        campaign: of the study.
        plant: what a control plants.
        checkpoint: see `campaign.run`.
    """
    if plant.radius_slope is not None or plant.mistakes is not None:
        return _untrained(campaign, plant)
    if plant.paired_at is not None:
        return run(replace(campaign, budget=min(campaign.budget, _PAIRED)), checkpoint)
    if not plant.delays:
        return run(campaign, checkpoint)
    stand_ins = tuple({member.index: member for member in campaign.members if member.arm == _SOONEST}.values())
    return _delayed(campaign, run(replace(campaign, members=stand_ins), checkpoint), plant)


def members(outcome: Outcome, plant: Plant, *, at: int) -> pd.DataFrame:
    """One row a member: how long it took, how large its spectral radius became, and what gradients had to do with it.

    Args:
        outcome: of a campaign.
        plant: a correlation that a control plants.
        at: updates after which spectral radii are compared.

    Returns:
        `arm`, `member`, `outcome`, `updates`, `error` as in `Outcome.members`; `time`: updates to success as a part of
        the budget, restricted to 1, which members that did not succeed have; `radius`: rho(W_hh) after `at` updates,
        or when the member left, if that was before (the last that was finite); `correlation`: Spearman's, over the
        rows of the member's history, of the largest gradient norm since the last row with rho(W_hh), NaN for fewer
        than 8 rows.
    """
    table = outcome.members[["arm", "member", "outcome", "updates", "error"]].copy()
    solved = table["outcome"] == "solved"
    table["time"] = (table["updates"] / outcome.campaign.budget).where(solved, 1.0).clip(upper=1.0)
    histories = outcome.history.groupby(["arm", "member"])
    rows = [histories.get_group((arm, member)) for arm, member in zip(table["arm"], table["member"], strict=True)]
    table["radius"] = [_radius(part[part["update"] <= at]) for part in rows]
    table["correlation"] = [_correlation(part, plant.paired_at) for part in rows]
    return table


def course(outcome: Outcome, *, most: int, every: int) -> pd.DataFrame:
    """Training of the first members of each arm.

    Args:
        outcome: of a campaign.
        most: members an arm.
        every: updates between two rows.

    Returns:
        `arm`, `member`, `update`, `loss` (nats), `spectral_radius`, `log10_gradient_norm`: of the largest since the
        last row of the history, before clipping.
    """
    history = outcome.history
    kept = history[(history["member"] < most) & (history["update"] % every == 0)]
    norms = kept["largest_gradient_norm"].to_numpy()
    with np.errstate(divide="ignore"):
        logs = np.log10(norms)
    columns = ["arm", "member", "update", "loss", "spectral_radius"]
    return kept[columns].assign(log10_gradient_norm=logs).reset_index(drop=True)


def generalisation(outcome: Outcome, lengths: Sequence[int], plant: Plant, *, sequences: int) -> pd.DataFrame:
    """Errors of the members that have solved the task, on sequences of other lengths.

    Args:
        outcome: of a campaign.
        lengths: of the test sequences.
        plant: mistakes that a control plants.
        sequences: fresh ones a length and member.

    Returns:
        One row a member and length: `arm`, `member`, `test_length`, `sequences`, `error`: share that was wrong.
    """
    solved = outcome.members[outcome.members["outcome"] == "solved"]
    tested = [
        solved[["arm", "member"]].assign(
            test_length=length, sequences=sequences, error=_errors(outcome, solved, length, sequences, plant.mistakes)
        )
        for length in lengths
    ]
    columns = ["arm", "member", "test_length", "sequences", "error"]
    return pd.concat(tested, ignore_index=True) if tested else pd.DataFrame(columns=columns)


def _errors(outcome: Outcome, solved: pd.DataFrame, length: int, sequences: int, mistakes: float | None) -> list[float]:
    """Share of fresh sequences that each of these members gets wrong, or an oracle that errs on a known share."""
    campaign, indices = outcome.campaign, solved["member"].tolist()
    purpose = f"test at length {length}"
    if mistakes is not None:
        streams = [generator(campaign.seed, index, f"oracle, {purpose}") for index in indices]
        return [
            float((torch.rand(sequences, generator=s, dtype=torch.float64) < mistakes).double().mean()) for s in streams
        ]
    if not indices:
        return []
    everyone = Examination(sequences=sequences, tolerance=1.0)  # nobody fails before all sequences were seen
    draws = replace(campaign, lengths=length).draws(purpose, everyone.chunk, ahead=1)
    population = outcome.population.take(solved.index.tolist())
    return everyone.test(population, indices, draws)[1].tolist()


def _delayed(campaign: Campaign, trained: Outcome, plant: Plant) -> Outcome:
    """Every arm with the outcomes of the one arm that was trained, some of them begun late."""
    length, budget = campaign.range[1], campaign.budget
    found = trained.members.set_index("member")
    rows = [
        found.loc[member.index].to_dict() | {"arm": member.arm, "member": member.index} for member in campaign.members
    ]
    table = pd.DataFrame(rows)[trained.members.columns]
    table["updates"] += [round(budget * plant.delay(arm, length)) for arm in table["arm"]]
    histories = [
        trained.history[trained.history["member"] == member.index].assign(arm=member.arm) for member in campaign.members
    ]
    places = torch.tensor([trained.members.index[trained.members["member"] == m.index][0] for m in campaign.members])
    return Outcome(campaign, table, pd.concat(histories, ignore_index=True), trained.population.take(places))


def _untrained(campaign: Campaign, plant: Plant) -> Outcome:
    """Networks as drawn, W_hh rescaled to a spectral radius that follows from the length; all count as solved."""
    indices, length = [member.index for member in campaign.members], campaign.range[1]
    population = draw_population(campaign.shape, campaign.start, indices, seed=campaign.seed)
    for weight, index in zip(population.weight_hh, indices, strict=True):
        own = float(torch.randn((), generator=generator(campaign.seed, index, "planted radius")))
        weight *= (_RADIUS + (plant.radius_slope or 0.0) * length + _SCATTER * own) / spectral_radius(weight)
    names = {"arm": [member.arm for member in campaign.members], "member": indices}
    unmeasured = {"update": 0, "loss": math.nan, "largest_gradient_norm": math.nan}
    history = pd.DataFrame({**names, **unmeasured, "spectral_radius": spectral_radii(population)})
    table = pd.DataFrame({**names, "outcome": "solved", "updates": 0, "error": 0.0})
    return Outcome(campaign, table, history, population)


def _radius(history: pd.DataFrame) -> float:
    """The last spectral radius that was finite; NaN without one."""
    finite = history["spectral_radius"].dropna()
    return float(finite.iloc[-1]) if len(finite) else math.nan


def _correlation(history: pd.DataFrame, planted: float | None) -> float:
    """Spearman's correlation of the largest gradient norms with the spectral radii, or that of a planted pairing."""
    if len(history) < _FEWEST:
        return math.nan
    radii, norms = history["spectral_radius"].rank(), history["largest_gradient_norm"].rank()
    if planted is not None:
        norms = radii.iloc[_pairing(np.asarray(radii.rank(method="first"), dtype=float), planted)].reset_index(
            drop=True
        )
        radii = radii.reset_index(drop=True)
    return float(radii.corr(norms))


def _pairing(ranks: NDArray[np.float64], correlation: float) -> NDArray[np.intp]:
    """Order in which ranks go with themselves at a rank correlation just above the one asked for.

    Two ranks that are k apart and change places take 12 k^2 / (n (n^2 - 1)) from 1; the farthest that fit come first.
    """
    n = len(ranks)
    order, pairing, free = np.argsort(ranks), np.arange(n), np.ones(n, dtype=bool)
    left = (1 - correlation) * n * (n**2 - 1) / 12
    for apart in range(n - 1, 0, -1):
        for low in range(n - apart):
            both = np.array([low, low + apart])
            if apart**2 <= left and free[both].all():
                pairing[order[both]], free[both] = order[both[::-1]], False
                left -= apart**2
    return pairing

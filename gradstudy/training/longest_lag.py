"""How long the sequences are that LSTMs and GRUs learn within a budget: success by length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import torch

from gradstudy.models.randomness import generator
from gradstudy.training.arms import Member
from gradstudy.training.campaign import run
from gradstudy.training.examination import Examination
from gradstudy.training.rivals import Rival, best_rate, no_pilots, of_each

# Planted outcomes: scatter over seeds of the log of the longest length learnt, and of the time to success.
_SCATTER, _OWN = 0.3, 0.005
# Planted: mean time to success, as a part of the budget.
_TIME = 0.4


@dataclass(frozen=True)
class Plant:
    """What a control plants: outcomes of a known law in the place of trainings; None plants nothing.

    Args:
        longer: whatever length a GRU learns, the LSTM of the same seed learns one this many times as long.
        lead: the LSTM succeeds sooner than the GRU of the same seed, by this part of the budget.
    """

    longer: float | None = None
    lead: float | None = None


def outcomes(
    everyone: Sequence[Rival], lengths: Sequence[int], examination: Examination, plant: Plant
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train each rival at each length; its learning rate is chosen at the shortest one.

    Args:
        everyone: the rivals, on one task.
        lengths: of the sequences, in steps.
        examination: when a network has solved the task.
        plant: what a control plants.

    Returns:
        Two tables. One row a network and length: `cell`, `start`, `steps`, `member`, `units`, `rate`, `outcome`,
        `solved` (0 or 1), `updates`, `time`: updates to success as a part of the budget, restricted to 1, which
        networks that did not succeed have, `error`: share wrong in the last test. One row a pilot: `cell`, `start`,
        `rate`, `member`, `score` (its time) and `error`; none where nothing is trained.
    """
    return of_each(everyone, partial(_outcomes, lengths=lengths, examination=examination, plant=plant))


def _outcomes(
    rival: Rival, lengths: Sequence[int], examination: Examination, plant: Plant
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if plant.longer is not None or plant.lead is not None:
        rows = [_planted(rival, length, lengths, plant) for length in lengths]
        return pd.concat(rows, ignore_index=True), no_pilots()
    rate, pilots = _choose(rival, min(lengths), examination)
    return pd.concat(
        [_trained(rival, length, rival.compared(rate), examination) for length in lengths], ignore_index=True
    ), pilots


def _choose(rival: Rival, length: int, examination: Examination) -> tuple[float, pd.DataFrame]:
    if len(rival.rates) == 1:
        return rival.rates[0], no_pilots()
    found = _trained(rival, length, rival.piloted(), examination)
    pilots = found.rename(columns={"time": "score"})[["rate", "member", "score", "error"]]
    return best_rate(pilots), pilots


def _trained(rival: Rival, length: int, members: Sequence[Member], examination: Examination) -> pd.DataFrame:
    table = run(rival.campaign(length, members, examination)).members
    solved = table["outcome"] == "solved"
    return pd.DataFrame(
        {
            "steps": float(length),
            "member": table["member"],
            "units": rival.units,
            "rate": table["rate"],
            "outcome": table["outcome"],
            "solved": solved.astype(int),
            "updates": table["updates"],
            "time": (table["updates"] / rival.budget).where(solved, 1.0),
            "error": table["error"],
        }
    )


def _planted(rival: Rival, length: int, lengths: Sequence[int], plant: Plant) -> pd.DataFrame:
    """Outcomes of networks that learn up to lengths about the middle one, half of them more and half less.

    The LSTM's `steps` are told `longer` times as long as they are, so that what it learns is longer by that.
    """
    middle, first = sorted(lengths)[len(lengths) // 2], rival.cell == "lstm"
    rows = []
    for member in range(rival.members):
        scatter = torch.randn(2, generator=generator(rival.seed, member, "planted")).tolist()
        own = _OWN * float(torch.randn((), generator=generator(rival.seed, member, f"planted, {rival.cell}")))
        solved = plant.longer is None or math.log(length / middle) < _SCATTER * scatter[0]
        time = _TIME + 0.05 * scatter[1] + own - (plant.lead or 0.0) * first
        rows.append((member, int(solved), time if solved else 1.0))
    table = pd.DataFrame(rows, columns=["member", "solved", "time"])
    return table.assign(
        steps=length * ((plant.longer or 1.0) if first else 1.0),
        units=rival.units,
        rate=math.nan,
        outcome=["solved" if done else "censored" for done in table["solved"]],
        updates=(table["time"] * rival.budget).round().astype(int),
        error=math.nan,
    )

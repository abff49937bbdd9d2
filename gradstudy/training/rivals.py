"""LSTM and GRU as rivals: networks of equal size, each trained at a learning rate of its own, on the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from gradstudy.errors import OptionError
from gradstudy.tasks.task import ScoredTask
from gradstudy.training.arms import Member
from gradstudy.training.campaign import Campaign
from gradstudy.training.examination import Examination
from gradstudy.training.population import Shape, Start
from gradstudy.training.trainer import Recipe

Cell = Literal["lstm", "gru"]
Scheme = Literal["default", "retaining"]

# "retaining": the bias of the gate that keeps the state (f of an LSTM, z of a GRU) is 1.
STARTS: dict[tuple[Cell, Scheme], Start] = {
    ("lstm", "default"): "default",
    ("gru", "default"): "default",
    ("lstm", "retaining"): "forget-bias-1",
    ("gru", "retaining"): "update-bias-1",
}
# Norms of gradients are clipped at it.
THRESHOLD = 1.0
# The index of the first network that a learning rate is chosen on; those that are compared come before it.
_PILOTS = 1000


@dataclass(frozen=True)
class Rival:
    """One of the two on one task.

    Args:
        task: what is learnt.
        cell: which of the two.
        scheme: initialisation: torch's default, or with bias 1 in the gate that keeps the state.
        hidden: units of the LSTM; a GRU has as many parameters with read-out, see `units`, unless `equal_units`.
        members: networks that are compared.
        budget: updates at most.
        batch: sequences an update.
        rates: from which the learning rate is chosen.
        pilots: networks a rate, of other indices, on which it is chosen.
        seed: of weights and sequences.
        equal_units: a GRU has as many units as the LSTM instead.
        dtype: of weights and states.

    Raises:
        OptionError: no rate, no pilots to choose among several, or more members than indices before the pilots'.
    """

    task: ScoredTask
    cell: Cell
    scheme: Scheme
    hidden: int
    members: int
    budget: int
    batch: int
    rates: tuple[float, ...]
    pilots: int
    seed: int
    equal_units: bool = False
    dtype: Literal["float64", "float32"] = "float64"

    def __post_init__(self) -> None:
        if not self.rates or (len(self.rates) > 1 and self.pilots < 1) or not 1 <= self.members <= _PILOTS:
            raise OptionError(
                f"rates {list(self.rates)}, {self.pilots} pilots, {self.members} members",
                needed=f"a rate, pilots to choose among several, and 1 to {_PILOTS} members",
                why="a learning rate is chosen on networks other than those that are compared",
                remedy="give one rate, or pilots",
            )

    @property
    def units(self) -> int:
        """Hidden units: the LSTM's, or those of a GRU whose number of parameters is nearest to the LSTM's."""
        if self.cell == "lstm" or self.equal_units:
            return self.hidden
        return equal_parameters(self.task, self.hidden)

    def campaign(self, length: int, members: Sequence[Member], examination: Examination | None) -> Campaign:
        """Training of members by Adam with norm clipping."""
        return Campaign(
            self.task,
            self.cell,
            STARTS[self.cell, self.scheme],
            tuple(members),
            length,
            self.budget,
            self.seed,
            hidden=self.units,
            recipe=Recipe(batch=self.batch, optimiser="adam"),
            examination=examination,
            every=0,
            dtype=self.dtype,
        )

    def compared(self, rate: float) -> tuple[Member, ...]:
        """The networks that are compared."""
        return tuple(Member(index, f"{rate:g}", rate, THRESHOLD) for index in range(self.members))

    def piloted(self) -> tuple[Member, ...]:
        """The networks on which the rate is chosen: the same ones at every rate."""
        return tuple(
            Member(_PILOTS + index, f"{rate:g}", rate, THRESHOLD) for rate in self.rates for index in range(self.pilots)
        )


def rivals(first: Rival, schemes: Sequence[Scheme]) -> tuple[Rival, ...]:
    """LSTM and GRU under each initialisation, with all else as the first has it."""
    cells: tuple[Cell, ...] = ("lstm", "gru")
    return tuple(replace(first, cell=cell, scheme=scheme) for scheme in schemes for cell in cells)


def of_each(
    everyone: Sequence[Rival], experiment: Callable[[Rival], tuple[pd.DataFrame, pd.DataFrame]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of an experiment with each rival, below each other; `cell` and `start` say whose the rows are."""
    found = [[table.assign(cell=r.cell, start=r.scheme) for table in experiment(r)] for r in everyone]
    results, pilots = (pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True))
    return results, pilots


def no_pilots() -> pd.DataFrame:
    """The table of pilots where no rate was chosen."""
    return pd.DataFrame({name: pd.Series(dtype=float) for name in ("rate", "member", "score", "error")})


def equal_parameters(task: ScoredTask, hidden: int) -> int:
    """Units of the GRU that has the number of parameters, read-out included, nearest to an LSTM's.

    Args:
        task: for the numbers of inputs and outputs.
        hidden: units of the LSTM.

    Example:
        >>> from gradstudy.tasks.adding import Adding
        >>> equal_parameters(Adding(), 16)
        19
    """
    wanted = Shape("lstm", task.input_size, hidden, task.output_size).parameters
    sizes = range(hidden, 2 * hidden + 1)
    return min(sizes, key=lambda n: abs(Shape("gru", task.input_size, n, task.output_size).parameters - wanted))


def best_rate(pilots: pd.DataFrame) -> float:
    """The rate with the lowest mean score; of equal ones that with the lowest mean error, then the lowest rate.

    Args:
        pilots: one row a network, `rate`, `score` and `error`, for both of which less is better; NaN is worst.
    """
    ranked = pilots.assign(score=pilots["score"].fillna(float("inf")), error=pilots["error"].fillna(float("inf")))
    means = ranked.groupby("rate")[["score", "error"]].mean().reset_index()
    return float(means.sort_values(["score", "error", "rate"])["rate"].iloc[0])

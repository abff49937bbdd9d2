"""Campaigns: many members trained side by side until each has succeeded, diverged, or used up its budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from gradstudy.errors import LengthError, OptionError
from gradstudy.tasks.task import ScoredTask, SolvableTask
from gradstudy.training import checkpoint as checkpoints
from gradstudy.training.annealing import Annealing, Schedule
from gradstudy.training.arms import Member
from gradstudy.training.examination import Examination
from gradstudy.training.history import History
from gradstudy.training.population import Cell, Population, Shape, Start, draw_population
from gradstudy.training.sequences import AHEAD, Draws, Feed, Lengths
from gradstudy.training.trainer import Recipe, Trainer, Update

OUTCOMES = ("training", "solved", "diverged", "censored")
_TRAINING, _SOLVED, _DIVERGED, _CENSORED = range(4)


@dataclass(frozen=True)
class Campaign:
    """Members of one shape on one task.

    Args:
        task: a `ScoredTask`; with an examination a `SolvableTask`.
        cell, start: see `Shape` and `draw_population`.
        members: with their conditions; see `arms`.
        lengths: of training and test sequences: one, or a range from which each update draws one for all.
        budget: updates at most.
        seed: of weights and sequences.
        hidden: units.
        recipe: what all members share.
        examination: when a member has solved the task; None: none is tested, and all use up the budget.
        schedule: what changes from epoch to epoch; None: nothing does.
        every: updates between two rows of the history; 0 for none.
        epoch: updates after which a member's training sequences come again, in the same batches: a finite training set
            of `epoch * recipe.batch` sequences a member; None for fresh ones at every update.
        lags: at which |dL/dh_{T - lag}| is kept.
        dtype: of weights and states.

    Raises:
        LengthError: the task has no room for its positions in such a length.
        OptionError: no members, a budget or an epoch below 1, a range of lengths that is none, or a task without a
            success rule.
    """

    task: ScoredTask
    cell: Cell
    start: Start
    members: tuple[Member, ...]
    lengths: Lengths
    budget: int
    seed: int
    hidden: int = 50
    recipe: Recipe = field(default_factory=Recipe)
    examination: Examination | None = field(default_factory=Examination)
    schedule: Schedule | None = None
    every: int = 100
    epoch: int | None = None
    lags: tuple[int, ...] = (0, 5, 10, 20, 50, 100)
    dtype: Literal["float64", "float32"] = "float64"

    def __post_init__(self) -> None:
        low, high = self.range
        if not self.members or self.budget < 1 or low > high:
            raise OptionError(
                f"{len(self.members)} members, a budget of {self.budget} updates, lengths from {low} to {high}",
                needed="a member, an update and a length at least",
                why="there would be nothing to train",
                remedy="give more",
            )
        if self.epoch is not None and self.epoch < 1:
            raise OptionError(
                f"an epoch of {self.epoch} updates",
                needed="one update at least",
                why="there would be no sequences to train on",
                remedy="give more, or None for fresh sequences at every update",
            )
        if low < self.task.shortest:
            raise LengthError(
                f"{low} steps for {self.task}",
                needed=f"at least {self.task.shortest} steps",
                why="its positions would not fit into the sequence",
                remedy=f"let the lengths begin at {self.task.shortest}",
            )
        if self.examination is not None and not isinstance(self.task, SolvableTask):
            raise OptionError(
                f"an examination in {self.task}",
                needed="a task that tells right from wrong sequences",
                why="nobody could succeed",
                remedy="set examination=None and judge the members by their loss",
            )

    @property
    def range(self) -> tuple[int, int]:
        """The least and the greatest length."""
        return (self.lengths, self.lengths) if isinstance(self.lengths, int) else self.lengths

    @property
    def shape(self) -> Shape:
        """Of every member."""
        return Shape(self.cell, self.task.input_size, self.hidden, self.task.output_size)

    def draws(self, purpose: str, batch: int, ahead: int = AHEAD) -> Draws:
        """Sequences for a purpose of their own; see `Draws`."""
        return Draws(self.task, self.lengths, batch, self.seed, purpose, getattr(torch, self.dtype), ahead)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a campaign's members.

    Args:
        campaign: which.
        members: one row a member, in the campaign's order: `arm`; `member`, its index; `rate`, `threshold`, `alpha`,
            `l2`; `outcome`: "solved", "diverged" (a weight or a loss was no longer finite) or "censored" (neither
            within the budget); `updates` until then; `error`: share of wrong sequences in its last test, NaN without
            one, and where it failed an estimate from as many as it took.
        history: one row a member and `every` updates, and one when it leaves: `arm`; `member`; `update`; `length` T;
            `loss`: of the task, mean over the updates since the last row; `omega`, NaN where alpha is 0;
            `gradient_norm` over all parameters, before clipping, regularizers included, and `largest_gradient_norm`
            since the last row;
            `clip_factor` = |clipped gradient| / |gradient|; `clipped`: share of updates since the last row that were;
            `spectral_radius` of W_hh after the update, NaN for cells with gates; `log_state_gradient_<lag>`: log of the
            norm, over batch and units, of the total derivative dL/dh_{T - lag} (L averages over the batch), -inf if 0.
        population: every member's weights when it left.
    """

    campaign: Campaign
    members: pd.DataFrame
    history: pd.DataFrame
    population: Population

    def to_frame(self) -> pd.DataFrame:
        """The table of members."""
        return self.members

    def __repr__(self) -> str:
        counts = self.members["outcome"].value_counts()
        words = ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if name in counts)
        return f"Outcome({len(self.members)} members: {words})"


def run(campaign: Campaign, checkpoint: Path | None = None, *, save_every: int = 1000) -> Outcome:
    """Train all members of a campaign.

    Members that have succeeded or diverged leave the batch. What becomes of a member is a function of the campaign's
    seed, its own index and its conditions: on one thread bit for bit the same whoever is trained beside it and
    wherever the training was interrupted; on several threads products are split otherwise in other company, and
    results agree to rounding.

    Args:
        campaign: what to train.
        checkpoint: a file to go on from, if it is there, and to keep the state in.
        save_every: updates between two checkpoints.

    Raises:
        OptionError, UnsupportedModuleError: as for `draw_population` and `Trainer`.
        CheckpointError: the file is of another campaign, or cannot be read.
        StorageError: it cannot be written.

    Example:
        >>> from gradstudy.tasks.temporal_order import TemporalOrder
        >>> from gradstudy.training.arms import arms
        >>> members = arms(["SGD", "SGD-CR"], range(2), rate=0.01)
        >>> run(Campaign(TemporalOrder(), "tanh", "basic-tanh", members, lengths=10, budget=20, seed=0, hidden=10))
        Outcome(4 members: 4 censored)
    """
    course = _Course(campaign)
    of = checkpoints.configuration(campaign)
    if checkpoint is not None and checkpoint.exists():
        course.restore(checkpoints.load(checkpoint, of))
    while not course.over:
        course.update()
        if checkpoint is not None and (course.over or course.trainer.updates % save_every == 0):
            checkpoints.save(checkpoint, of, course.state())
    return course.outcome()


class _Course:
    """A campaign on its way.

    Attributes:
        places: of the members still in training, among all.
        weights: of those that have left, `(all members, parameters)`.
        outcomes, updates, errors: of all members.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.places = torch.arange(len(campaign.members))
        self.feed = Feed(campaign.draws("training", campaign.recipe.batch))
        self.history = History(campaign.members, campaign.lags, campaign.every)
        indices, dtype = self.indices, getattr(torch, campaign.dtype)
        population = draw_population(campaign.shape, campaign.start, indices, seed=campaign.seed, dtype=dtype)
        self.weights = population.weights.clone()
        self.trainer = Trainer(population, campaign.members, campaign.task, campaign.recipe, campaign.range[1])
        self.annealing = Annealing(campaign.schedule, self.trainer) if campaign.schedule else None
        self.outcomes = torch.zeros(len(indices), dtype=torch.int64)
        self.updates = torch.zeros(len(indices), dtype=torch.int64)
        self.errors = torch.full((len(indices),), torch.nan, dtype=torch.float64)

    @property
    def indices(self) -> list[int]:
        """Of the members in training."""
        return [self.campaign.members[place].index for place in self.places.tolist()]

    @property
    def over(self) -> bool:
        """Whether nobody is in training any more."""
        return len(self.places) == 0

    def update(self) -> None:
        """One update of all who are in training, then see who leaves."""
        trainer = self.trainer
        epoch = self.campaign.epoch
        number = trainer.updates if epoch is None else trainer.updates % epoch
        seen = trainer.update(self.feed.batch(self.indices, number))
        self.history.see(self.places, seen)
        if self.annealing:
            self.annealing.see(self.places, seen, trainer)
        verdict = self._verdict(seen)
        leaving = verdict != _TRAINING
        due = self.campaign.every > 0 and trainer.updates % self.campaign.every == 0
        self.history.write(self.places, seen, trainer.population, trainer.updates, leaving | due)
        if leaving.any():
            self._dismiss(leaving, verdict)

    def _verdict(self, seen: Update) -> Tensor:
        """What each member in training is now."""
        trainer, verdict = self.trainer, torch.full_like(self.places, _TRAINING)
        done = trainer.updates >= self.campaign.budget
        finite = trainer.finite()
        # Under the code's rescue a loss that overflows is not the end: its rule is there to come back from it.
        finite &= seen.loss.isfinite() | self.campaign.recipe.rescue
        verdict[~finite] = _DIVERGED
        examination = self.campaign.examination
        if examination is not None and finite.any() and (done or trainer.updates % examination.every == 0):
            verdict[finite] = self._examine(examination, finite)
        verdict[(verdict == _TRAINING) & done] = _CENSORED
        return verdict

    def _examine(self, examination: Examination, which: Tensor) -> Tensor:
        places = self.places[which]
        draws = self.campaign.draws(f"test after {self.trainer.updates}", examination.chunk, ahead=1)
        indices = [self.campaign.members[place].index for place in places.tolist()]
        solved, self.errors[places] = examination.test(self.trainer.population.take(which), indices, draws)
        return torch.where(solved, _SOLVED, _TRAINING)

    def _dismiss(self, leaving: Tensor, verdict: Tensor) -> None:
        places = self.places[leaving]
        self.outcomes[places], self.updates[places] = verdict[leaving], self.trainer.updates
        self.weights[places] = self.trainer.population.weights[leaving]
        self.places = self.places[~leaving]
        self.trainer.keep(~leaving)

    def state(self) -> dict[str, Tensor]:
        """All that changes, for a checkpoint."""
        weights = self.weights.clone()
        weights[self.places] = self.trainer.population.weights
        return {
            "updates_done": torch.tensor(self.trainer.updates),
            "places": self.places,
            "weights": weights,
            "moments": self.trainer.moments,
            "outcomes": self.outcomes,
            "updates": self.updates,
            "errors": self.errors,
            "rows": torch.from_numpy(self.history.rows),
            "since": self.history.since,
            **({"annealing": self.annealing.state} if self.annealing else {}),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a checkpoint's state."""
        self.places, self.weights = state["places"], state["weights"]
        self.trainer.keep(torch.isin(torch.arange(len(self.weights)), self.places))
        self.trainer.population.weights.copy_(self.weights[self.places])
        self.trainer.moments = state["moments"]
        self.trainer.updates = int(state["updates_done"])
        self.outcomes, self.updates, self.errors = state["outcomes"], state["updates"], state["errors"]
        self.history.rows, self.history.since = state["rows"].numpy(), state["since"]
        if self.annealing:
            self.annealing.state = state["annealing"]
            self.annealing.set(self.places, self.trainer)

    def outcome(self) -> Outcome:
        """What became of everybody."""
        names = ("arm", "index", "rate", "threshold", "alpha", "l2")
        table = pd.DataFrame([{name: getattr(member, name) for name in names} for member in self.campaign.members])
        table = table.rename(columns={"index": "member"}).assign(
            outcome=[OUTCOMES[number] for number in self.outcomes.tolist()],
            updates=self.updates.numpy(),
            error=self.errors.numpy(),
        )
        return Outcome(self.campaign, table, self.history.to_frame(), Population(self.campaign.shape, self.weights))

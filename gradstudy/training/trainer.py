"""Updates of a population: gradient, regularizers, clipping, step, for every member under its own conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.task import ScoredTask
from gradstudy.training.arms import Member
from gradstudy.training.backpropagation import Gradients, gradients, unroll
from gradstudy.training.clipping import Clipping, clip, gradient_norm, rescue
from gradstudy.training.optimisers import MOMENTS, Optimiser, step
from gradstudy.training.population import Population
from gradstudy.training.regularizers import OmegaForm, check_omega, omega


@dataclass(frozen=True)
class Recipe:
    """How all members of a campaign are trained; what differs between them is in `Member`.

    Args:
        batch: sequences an update.
        optimiser: see `optimisers.step`.
        clipping: see `clipping.clip`.
        rescue: the released code's rule for norms that are not finite or above 1e10; see `clipping.rescue`.
        omega: the form of Omega; see `regularizers.omega`.

    Raises:
        OptionError: an option that is not one of those offered.
    """

    batch: int = 20
    optimiser: Optimiser = "sgd"
    clipping: Clipping = "algorithm-1"
    rescue: bool = False
    omega: OmegaForm = "eq10"

    def __post_init__(self) -> None:
        for name, offered in (("optimiser", Optimiser), ("clipping", Clipping), ("omega", OmegaForm)):
            if getattr(self, name) not in get_args(offered):
                raise OptionError(
                    f"{name}={getattr(self, name)!r}",
                    needed=f"one of {', '.join(get_args(offered))}",
                    why="the variants give other trainings",
                    remedy="say which is meant",
                )


@dataclass(frozen=True, eq=False)
class Update:
    """What an update saw of each member, `(members,)`, before it changed the weights.

    Args:
        loss: of the task alone, on the update's sequences.
        omega: NaN where alpha is 0.
        norm: of the gradient over all parameters, regularizers included, before clipping.
        factor: |clipped gradient| / |gradient|.
        found: the rest of what backpropagation found; the next update overwrites it.
    """

    loss: Tensor
    omega: Tensor
    norm: Tensor
    factor: Tensor
    found: Gradients


class Trainer:
    """A population in training.

    An update is: loss and gradient g of each member; g += alpha dOmega/dW_hh + 2 l2 W_hh; norm of g over all
    parameters; clipping at the member's threshold; a step at its rate. NaN and infinities go through as they come.

    Args:
        population: trained in place.
        members: their conditions, one each. Rates and the others may be changed between updates: see `conditions`.
        task: gives likelihood and scored steps.
        recipe: how.
        longest: the most steps of a sequence.

    Attributes:
        conditions: `rate`, `threshold`, `alpha` and `l2`, each `(members,)`.
        updates: done so far.
        moments: of the optimiser.

    Raises:
        UnsupportedModuleError: alpha > 0 for a cell with gates.

    Example:
        >>> import torch
        >>> from gradstudy.tasks.temporal_order import TemporalOrder
        >>> from gradstudy.training.arms import arms
        >>> from gradstudy.training.population import Shape, draw_population
        >>> from gradstudy.training.sequences import Draws, Feed
        >>> task, members = TemporalOrder(), arms(["SGD-C", "SGD-CR"], range(2), rate=0.01)
        >>> indices = [member.index for member in members]
        >>> population = draw_population(Shape("tanh", 6, 20, 4), "basic-tanh", indices, seed=0)
        >>> trainer = Trainer(population, members, task, Recipe(), longest=20)
        >>> feed = Feed(Draws(task, 20, batch=20, seed=0, purpose="training"))
        >>> losses = [trainer.update(feed.batch(indices, update)).loss.mean() for update in range(5)]
    """

    def __init__(
        self, population: Population, members: Sequence[Member], task: ScoredTask, recipe: Recipe, longest: int
    ) -> None:
        self.population, self.task, self.recipe = population, task, recipe
        weights = population.weights
        self.conditions = {
            name: torch.tensor([getattr(member, name) for member in members], dtype=weights.dtype)
            for name in ("rate", "threshold", "alpha", "l2")
        }
        if (self.conditions["alpha"] > 0).any():
            check_omega(population.shape.cell)
        self.updates = 0
        self.moments = weights.new_zeros(MOMENTS[recipe.optimiser], *weights.shape)
        self._unrolled = unroll(population.shape, (len(population), longest, recipe.batch), weights.dtype)

    def update(self, batch: tuple[Tensor, Tensor]) -> Update:
        """One update of every member on sequences of its own, as `Feed.batch` gives them."""
        scored, likelihood = self.task.scored(batch[0].shape[1]), self.task.likelihood
        found = gradients(self.population, self._unrolled, batch, scored, likelihood)
        penalty = self._regularize(found)
        norm = gradient_norm(found.gradient)
        factor = clip(found.gradient, norm, self.conditions["threshold"], self.recipe.clipping)
        if self.recipe.rescue:
            rescue(found.gradient, norm, self.population)
        self.updates += 1
        weights, gradient = self.population.weights, found.gradient.weights
        step(self.recipe.optimiser, weights, gradient, self.conditions["rate"], self.moments, self.updates)
        return Update(found.loss, penalty, norm, factor, found)

    def keep(self, kept: Tensor) -> None:
        """Let all members but those of a mask go; the rest are what they would be with them."""
        self.population = self.population.take(kept)
        self.conditions = {name: values[kept] for name, values in self.conditions.items()}
        self.moments = self.moments[:, kept]
        self._unrolled = self._unrolled.part(len(self.population), self._unrolled.length)

    def finite(self) -> Tensor:
        """Which members have none but finite weights."""
        return self.population.weights.isfinite().all(1)

    def _regularize(self, found: Gradients) -> Tensor:
        """Add the regularizers' gradients; Omega of the members that have it."""
        alpha, l2 = self.conditions["alpha"], self.conditions["l2"]
        penalty = torch.full_like(alpha, torch.nan)
        if (alpha > 0).any():
            which = _stretch(alpha > 0)
            penalty[which], slope = omega(self.population, found, which, self.recipe.omega)
            found.gradient.weight_hh[which] += alpha[which, None, None] * slope
        if (l2 > 0).any():
            found.gradient.weight_hh.add_(l2[:, None, None] * self.population.weight_hh, alpha=2)
        return penalty


def _stretch(mask: Tensor) -> slice | Tensor:
    """The places in a mask, as a slice if they lie side by side."""
    places = torch.nonzero(mask).flatten()
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first == len(places) - 1 else places

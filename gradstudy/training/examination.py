"""The periodic test of members on fresh sequences, by their task's own success rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.task import SolvableTask
from gradstudy.training.backpropagation import predict
from gradstudy.training.population import Population
from gradstudy.training.sequences import Draws, Feed


@dataclass(frozen=True)
class Examination:
    """When a member counts as having solved its task.

    Args:
        every: updates between two tests.
        sequences: fresh ones a test.
        tolerance: solved if *less* than this share of them is wrong: 0.01 in the paper; in the released code, which
            asks for 0 of 10,000, anything up to 1e-4.
        chunk: sequences at a time: part of what a seed means.

    Raises:
        OptionError: a number out of its range.
    """

    every: int = 100
    sequences: int = 10_000
    tolerance: float = 0.01
    chunk: int = 250

    def __post_init__(self) -> None:
        if min(self.every, self.sequences, self.chunk) < 1 or not 0 < self.tolerance <= 1:
            raise OptionError(
                str(self),
                needed="every, sequences and chunk of at least 1, a tolerance above 0 and at most 1",
                why="no member could ever succeed, or none could fail",
                remedy="give numbers in these ranges",
            )

    def test(self, population: Population, indices: Sequence[int], draws: Draws) -> tuple[Tensor, Tensor]:
        """Test members, each on sequences of its own, until the verdict is certain.

        A member that has got `tolerance * sequences` wrong has failed, whatever is left; so a network that knows
        nothing is dismissed after a few hundred sequences, and the verdict is that of the full test.

        Args:
            population: to be tested.
            indices: of its members.
            draws: of the test, with `batch` sequences at a time.

        Returns:
            Whether each member succeeded, and the share wrong of what was looked at, `(members,)`.
        """
        task = draws.task
        assert isinstance(task, SolvableTask)
        feed, allowed = Feed(draws), self.tolerance * self.sequences
        wrong, seen = torch.zeros(2, len(indices), dtype=torch.float64)
        left = list(range(len(indices)))
        for chunk in range(math.ceil(self.sequences / draws.batch)):
            inputs, targets = feed.batch([indices[place] for place in left], chunk)
            count = min(draws.batch, self.sequences - chunk * draws.batch)
            inputs, targets = inputs[:, :, :count], targets[:, :, :count]
            found = predict(population.take(left), inputs, task.scored(inputs.shape[1]))
            for place, predictions, classes in zip(left, found, targets, strict=True):
                wrong[place] += int(task.wrong(predictions, classes).sum())
            seen[left] += count
            left = [place for place in left if wrong[place] < allowed]
            if not left:
                break
        return wrong < allowed, wrong / seen

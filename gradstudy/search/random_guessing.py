"""Random weight guessing: how many sequences it takes until drawn weights happen to solve a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.models.randomness import generator
from gradstudy.search.guessed_networks import GuessedNetworks, Guesser
from gradstudy.tasks.task import SolvableTask

Batch = tuple[Tensor, Tensor]

_SCREEN = 4  # sequences that all guesses see before any sees more


@dataclass(frozen=True)
class Guessing:
    """How weights are guessed and when a guess has solved the task.

    Args:
        lengths: of the sequences, an equal share of each.
        training: sequences, drawn once a search, all of which a guess must get right.
        test: fresh sequences, drawn for each guess that does.
        allowed: share of these that it may get wrong: below it, or 0.
        trials: guesses after which the search is given up.
        at_once: guesses that are drawn and run together; the result does not depend on it but for the draw.

    Raises:
        OptionError: fewer sequences than lengths, or nothing to guess.
    """

    lengths: tuple[int, ...]
    training: int = 100
    test: int = 1000
    allowed: float = 0.01
    trials: int = 10_000
    at_once: int = 256

    def __post_init__(self) -> None:
        if not self.lengths or min(self.training, self.test) < len(self.lengths) or min(self.trials, self.at_once) < 1:
            raise OptionError(
                repr(self),
                needed="lengths, at least one training and one test sequence of each, and at least one trial",
                why="a guess would be taken for a solution without having been tried",
                remedy="correct the options",
            )


@dataclass(frozen=True)
class Guessed:
    """What a search came to.

    Args:
        solved: whether a guess solved the task; if not, all counts are censored.
        trials: guesses, the solution included.
        presentations: training sequences that were run: of each guess those up to its first wrong one.
        tested: test sequences that were run.
        test_error: share of wrong ones in the last test; NaN if no guess got as far.
    """

    solved: bool
    trials: int
    presentations: int
    tested: int
    test_error: float


def guess_weights(
    task: SolvableTask, guesser: Guesser, plan: Guessing, reach: float, *, stream: torch.Generator
) -> Guessed:
    """Draw weights until a network gets all training sequences right, and then a test.

    A guess meets the training sequences one after the other and is dropped at the first wrong one; these presentations
    are the cost. One of a method that trains by gradients counts as two, a forward and a backward pass. A guess that
    gets all of them right but fails the test is dropped too, and the search goes on; the published procedure stops
    there (`allowed` = 1 does).

    Source: Hochreiter and Schmidhuber 1997, section 5; Schmidhuber, Hochreiter and Bengio 2001 (weights uniform on
    +-100, 100 training sequences of 500 to 600 steps).

    Args:
        task: what is to be solved.
        guesser: draws networks.
        plan: sequences and budget.
        reach: weights are uniform on +-reach.
        stream: source of sequences and weights.

    Cost: proportional to the presentations, but for the first four, which all guesses see together.
    """
    training = list(_batches(task, plan.lengths, plan.training, stream))
    trials = presentations = tested = 0
    test_error = math.nan
    while trials < plan.trials:
        networks = guesser(min(plan.at_once, plan.trials - trials), reach, stream)
        presented, right = _train(task, networks, training)
        for i in right.tolist():
            test_error = _error(task, networks[torch.tensor([i])], _batches(task, plan.lengths, plan.test, stream))
            tested += plan.test
            if test_error < plan.allowed or test_error == 0:
                used = int(presented[: i + 1].sum())
                return Guessed(True, trials + i + 1, presentations + used, tested, test_error)
        trials += len(networks)
        presentations += int(presented.sum())
    return Guessed(False, trials, presentations, tested, test_error)


def guessing_table(
    task: SolvableTask, guesser: Guesser, plan: Guessing, reaches: Sequence[float], searches: int, *, seed: int
) -> pd.DataFrame:
    """Independent searches for each range of weights, one row each.

    Columns: `reach`, `search` (the unit of replication) and the fields of `Guessed`. A search has a generator of its
    own, whatever the range, so all ranges meet the same training sequences.
    """
    found = []
    for reach in reaches:
        for search in range(searches):
            guessed = guess_weights(task, guesser, plan, reach, stream=generator(seed, search, "random guessing"))
            found.append({"reach": reach, "search": search, **vars(guessed)})
    return pd.DataFrame(found)


def _batches(task: SolvableTask, lengths: Sequence[int], count: int, stream: torch.Generator) -> Iterator[Batch]:
    """Sequences of all lengths, as evenly as can be; the first few in a batch of their own."""
    for i, length in enumerate(lengths):
        share = count // len(lengths) + (i < count % len(lengths))
        inputs, targets = task.draw(length, share, stream)
        sizes = [min(_SCREEN, share), max(share - _SCREEN, 0)]
        yield from ((x, y) for x, y in zip(inputs.split(sizes, 1), targets.split(sizes, 1), strict=True) if x.shape[1])


def _train(task: SolvableTask, networks: GuessedNetworks, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
    """How many sequences each network was shown, up to its first wrong one, and which got all of them right."""
    presented, right = torch.zeros(len(networks), dtype=torch.int64), torch.arange(len(networks))
    for inputs, targets in batches:
        wrong = _wrong(task, networks[right], inputs, targets)
        failed = wrong.any(1)
        presented[right] += torch.where(failed, wrong.int().argmax(1) + 1, wrong.shape[1])
        right = right[~failed]
        if not len(right):
            break
    return presented, right


def _error(task: SolvableTask, network: GuessedNetworks, batches: Iterator[Batch]) -> float:
    """Share of the sequences that one network gets wrong."""
    return float(torch.cat([_wrong(task, network, *batch)[0] for batch in batches]).double().mean())


def _wrong(task: SolvableTask, networks: GuessedNetworks, inputs: Tensor, targets: Tensor) -> Tensor:
    """Which sequences each network gets wrong, `(G, count)`."""
    predictions = networks.predictions(inputs, task.scored(len(inputs)))
    shared = targets[:, None].expand(-1, len(networks), *targets.shape[1:])
    return task.wrong(predictions.flatten(1, 2), shared.flatten(1, 2)).view(len(networks), -1)

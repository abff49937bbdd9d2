"""Guessing weights against backpropagation on the tasks of Bengio, Simard and Frasconi (1994)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.search.guessed_networks import (
    GuessedNetworks,
    Guesser,
    fully_connected,
    latches,
    minimal_latch,
    read_at_the_last_unit,
)
from gradstudy.search.random_guessing import Guessing, guess_weights, guessing_table
from gradstudy.tasks.latch import Latch
from gradstudy.tasks.task import SolvableTask
from gradstudy.tasks.two_sequence import TwoSequence
from gradstudy.training.latch import (
    INFORMATIVE,
    MINIMAL_LATCH,
    TWO_SEQUENCE,
    Course,
    Lessons,
    Population,
    Problem,
    draw_population,
    train,
)
from gradstudy.training.latch_convergence import Setting, choose, choosing

TaskName = Literal["latch", "two-sequence"]

BACKWARD = 2
"""Presentations that a backward pass counts as; a forward pass counts as one."""

_STREAK = 50
"""Updates in a row without an error before a network is examined: as many sequences as a guess must get right."""


def rivals(
    task: TaskName, setting: Setting, lengths: Sequence[int], reaches: Sequence[float], *, rival: float | None = None
) -> pd.DataFrame:
    """How many presentations it takes to solve a task, by guessing weights and by backpropagation.

    Uniform noise; lengths are T/2, 5T/8, ..., T, in equal shares. Either method has solved the task with a network that
    gets 100 sequences in a row right and then, on 1,000 others, less than 1 % wrong (these do not count). A forward
    pass of one sequence is a presentation, a backward pass is `BACKWARD`; a guess is dropped at its first error. Of
    backpropagation's last 50 updates, without an error, only the forward passes count.

    Args:
        task: which.
        setting: of the searches; a guess is given up after so many presentations as backpropagation is.
        lengths: T.
        reaches: guessed weights are uniform on +-reach.
        rival: planted: guessing with the last reach, from other seeds, takes backpropagation's place, at this many
            times the presentations.

    Returns:
        One row a search, method and reach or learning rate: `length`, `search`, `method` (guessing, backpropagation),
        `option` (reach or rate), `solved`, `presentations` (the budget if not solved); `choosing`: whether the search
        is one of the first quarter, on which the learning rate with the fewest presentations is chosen for each length;
        `best`: whether this is the rate so chosen (of guesses: true).
    """
    return pd.concat([_rivals(task, setting, length, reaches, rival) for length in lengths], ignore_index=True)


def _rivals(
    task: TaskName, setting: Setting, length: int, reaches: Sequence[float], rival: float | None
) -> pd.DataFrame:
    contest = _CONTESTS[task]
    plan = Guessing(_lengths(length), trials=budget(setting) // 2, at_once=128)
    played = contest.task(noise=setting.noise, law="uniform")

    def guessed(reaches: Sequence[float], seed: int) -> pd.DataFrame:
        table = guessing_table(played, contest.guesser, plan, reaches, setting.searches, seed=seed)
        return table.rename(columns={"reach": "option"})[["search", "option", "solved", "presentations"]]

    own = _within_budget(guessed(reaches, setting.seed), setting)
    if rival is None:
        other = _backpropagated(contest, played, setting, plan)
    else:
        other = guessed(reaches[-1:], setting.seed + 1000)
        other["presentations"] *= rival
    other = choose(_within_budget(other, setting), setting, "option", "presentations", largest=False)
    own, other = own.assign(method="guessing", best=True), other.assign(method="backpropagation")
    together = pd.concat([own, other], ignore_index=True)
    return together.assign(length=length, choosing=together["search"] < choosing(setting))


def budget(setting: Setting) -> int:
    """Presentations after which a search is given up: what all updates cost."""
    return 2 * (1 + BACKWARD) * setting.updates


@dataclass(frozen=True)
class Contest:
    """A task in the forms in which it is guessed and learnt.

    Args:
        task: the class of the task.
        guesser: draws networks for it.
        problem: what a population learns.
        networks: members of a population as networks for the task.
    """

    task: type[Latch] | type[TwoSequence]
    guesser: Guesser
    problem: Problem
    networks: Callable[[Population], GuessedNetworks]


def latch_networks(members: Population) -> GuessedNetworks:
    """Minimal latches of a population as networks for `gradstudy.tasks.latch.Latch`."""
    return latches(members.weight.permute(2, 0, 1), members.told.permute(2, 1, 0).flatten(1)[:, None])


def connected_networks(members: Population) -> GuessedNetworks:
    """Networks of a population as networks for `gradstudy.tasks.two_sequence.TwoSequence`."""
    return read_at_the_last_unit(members.weight.permute(2, 0, 1))


_CONTESTS = {
    "latch": Contest(Latch, minimal_latch(INFORMATIVE), MINIMAL_LATCH, latch_networks),
    "two-sequence": Contest(TwoSequence, fully_connected(TWO_SEQUENCE.units), TWO_SEQUENCE, connected_networks),
}


def _lengths(length: int) -> tuple[int, ...]:
    return tuple(np.unique(np.linspace(length / 2, length, 5).round().astype(int)).tolist())


def _within_budget(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    most = budget(setting)
    solved = table["solved"] & (table["presentations"] <= most)
    return table.assign(solved=solved, presentations=table["presentations"].where(solved, most).round().astype(int))


def _backpropagated(contest: Contest, task: SolvableTask, setting: Setting, plan: Guessing) -> pd.DataFrame:
    members = draw_population(
        contest.problem, setting.searches, setting.rates, setting.noise, reach=setting.reach, seed=setting.seed
    )
    course = Course(setting.updates, _STREAK, _examiner(contest, task, setting, plan))
    outcome = train(members, contest.problem, Lessons(plan.lengths, "uniform", setting.seed, "rivals"), course)
    presentations = 2 * (1 + BACKWARD) * outcome.updates - 2 * BACKWARD * _STREAK
    columns = {"option": members.rate, "solved": outcome.solved, "presentations": presentations}
    table = pd.DataFrame({name: value.numpy() for name, value in columns.items()})
    table.insert(0, "search", members.search.numpy())
    return table


def _examiner(contest: Contest, task: SolvableTask, setting: Setting, plan: Guessing) -> Callable[[Population], Tensor]:
    """Tries trained networks as if each were the only guess of a search."""
    streams: dict[tuple[int, float], torch.Generator] = {}
    once = replace(plan, trials=1, at_once=1)

    def examine(members: Population) -> Tensor:
        networks, passed = contest.networks(members), []
        for i, key in enumerate(zip(members.search.tolist(), members.rate.tolist(), strict=True)):
            stream = streams.setdefault(key, generator(setting.seed, key[0], f"examination at {key[1]:g}"))
            passed.append(guess_weights(task, _always(networks[torch.tensor([i])]), once, 0.0, stream=stream).solved)
        return torch.tensor(passed)

    return examine


def _always(networks: GuessedNetworks) -> Guesser:
    """The same networks, whatever is asked for."""
    return lambda count, reach, stream: networks

"""How far LSTMs and GRUs count beyond the strings they were trained on (Gers and Schmidhuber 2001; Weiss 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd
import torch

from gradstudy.models.randomness import generator
from gradstudy.tasks.counting import Counting
from gradstudy.training.arms import Member
from gradstudy.training.backpropagation import predict
from gradstudy.training.campaign import run
from gradstudy.training.population import Population
from gradstudy.training.rivals import Rival, best_rate, no_pilots, of_each

# Planted: mean and spread over seeds of log(1 + reach), and what is a network's own.
_MEAN, _SCATTER, _OWN = math.log(20), 0.3, 0.01


def reach(population: Population, task: Counting, most: int) -> list[int]:
    """The greatest N up to which every string with n = 1, ..., N is right, of each member; 0 if n = 1 is wrong.

    A language has one string for each n, so this is no estimate. It is *censored* at `most`.

    Args:
        population: trained on the task.
        task: the language; its own range of n does not matter.
        most: the greatest n that is looked at.

    Example:
        >>> from gradstudy.training.population import Shape, draw_population
        >>> population = draw_population(Shape("lstm", 4, 5, 3), "default", range(3), seed=0)
        >>> reach(population, Counting(2), 20)
        [0, 0, 0]
    """
    length = 1 + task.letters * most
    inputs, targets = task.strings(torch.arange(1, most + 1), length)
    found = []
    for member in range(len(population)):
        dtype = population.weights.dtype
        predictions = predict(population.take([member]), inputs[None].to(dtype), task.scored(length))[0]
        wrong = torch.cat([task.wrong(predictions, targets), torch.ones(1, dtype=torch.bool)])
        found.append(int(wrong.int().argmax()))
    return found


def reaches(everyone: Sequence[Rival], most: int, further: float | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train each rival to count and see how far it goes.

    Args:
        everyone: the rivals, on a `Counting` task; no network stops before its budget is used up.
        most: the greatest n that is looked at.
        further: planted: no network is trained, and the LSTM's 1 + reach is this many times that of the GRU of the
            same seed.

    Returns:
        Two tables. One row a network: `cell`, `start`, `member`, `units`, `rate`, `trained_to` (the greatest n of its
        training), `reach`, `looked_to`. One row a pilot: `cell`, `start`, `rate`, `member`,
        `score` (-log(1 + reach)), `error` (0).
    """
    return of_each(everyone, partial(_reaches, most=most, further=further))


def _reaches(rival: Rival, most: int, further: float | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    task = rival.task
    assert isinstance(task, Counting)
    if further is not None:
        return _planted(rival, task, most, further), no_pilots()
    if len(rival.rates) == 1:
        rate, pilots = rival.rates[0], no_pilots()
    else:
        found = _trained(rival, task, rival.piloted(), most)
        scores = [-math.log1p(number) for number in found["reach"]]
        pilots = found[["rate", "member"]].assign(score=scores, error=0.0)
        rate = best_rate(pilots)
    return _trained(rival, task, rival.compared(rate), most), pilots


def _trained(rival: Rival, task: Counting, members: Sequence[Member], most: int) -> pd.DataFrame:
    outcome = run(rival.campaign(task.shortest, members, None))
    table = outcome.members[["member", "rate"]].assign(units=rival.units, trained_to=task.most)
    return table.assign(reach=[float(n) for n in reach(outcome.population, task, most)], looked_to=most)


def _planted(rival: Rival, task: Counting, most: int, further: float) -> pd.DataFrame:
    factor = further if rival.cell == "lstm" else 1.0
    rows = []
    for member in range(rival.members):
        shared = float(torch.randn((), generator=generator(rival.seed, member, "planted")))
        own = float(torch.randn((), generator=generator(rival.seed, member, f"planted, {rival.cell}")))
        rows.append((member, factor * math.exp(_MEAN + _SCATTER * shared + _OWN * own) - 1))
    table = pd.DataFrame(rows, columns=["member", "reach"])
    return table.assign(rate=math.nan, units=rival.units, trained_to=task.most, looked_to=most)

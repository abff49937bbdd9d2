"""Whether the minimal latch of Bengio, Simard and Frasconi (1994) learns to hold its bit: tables over T, s and w_0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
import torch
from scipy.special import ndtri
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.training.latch import MINIMAL_LATCH, Course, Lessons, Population, draw_population, train


@dataclass(frozen=True)
class Setting:
    """What the runs of a table share.

    Args:
        searches: independent starts, each with sequences of its own.
        rates: learning rates; every search is run with each.
        updates: gradient steps after which a run is given up.
        noise: scale of the noise.
        reach: initial parameters are uniform on +-reach.
        seed: of the run.
    """

    searches: int
    rates: Sequence[float]
    updates: int
    noise: float
    reach: float
    seed: int


def convergence(
    setting: Setting, lengths: Sequence[int], weight: float, streak: int, *, drop: float | None = None
) -> pd.DataFrame:
    """Which minimal latches learn, by the length T of their sequences.

    Gaussian noise, sequences of exactly T steps. A latch has learnt when it got both classes right, by sign, at so many
    updates in a row.

    Args:
        setting: of all runs; `reach` is that of the inputs h.
        lengths: T, the shortest first.
        weight: where w starts.
        streak: updates in a row.
        drop: planted: all sequences have the shortest length, and of the latches that have learnt a share of `drop` for
            every doubling of T is struck out.

    Returns:
        One row a run: `length`, `search`, `rate`; `solved`;
        `weight`, w at the end to three decimals; `choosing`: whether the search is one of the first quarter, on which
        the learning rate that solves most is chosen for each length; `best`: whether this is the rate so chosen.
    """
    found = []
    start = draw_population(
        MINIMAL_LATCH, setting.searches, setting.rates, setting.noise, reach=setting.reach, seed=setting.seed
    )
    start = replace(start, weight=torch.full_like(start.weight, weight))
    for length in lengths:
        shown = length if drop is None else lengths[0]
        lessons = Lessons((shown,), "gaussian", setting.seed, f"latch of {length} steps")
        outcome = train(start, MINIMAL_LATCH, lessons, Course(setting.updates, streak))
        struck = (drop or 0.0) * math.log2(length / lengths[0])
        solved = outcome.solved & ~_struck(start, struck, generator(setting.seed, length, "struck"))
        columns = {
            "search": start.search,
            "rate": start.rate,
            "solved": solved,
            "weight": outcome.population.weight[0, 0].round(decimals=3),
        }
        table = pd.DataFrame({"length": length, **{name: value.numpy() for name, value in columns.items()}})
        found.append(choose(table, setting, "rate", "solved", largest=True))
    return pd.concat(found, ignore_index=True)


def shares(runs: pd.DataFrame) -> pd.DataFrame:
    """Share of the runs of `convergence` that learnt, with Wilson's 95 % interval.

    Returns:
        One row a length and learning rate, from all searches, and one a length for the rate chosen there, from the
        searches on which it was not chosen (`rate` is NaN): `length`, `rate`, `share`, `low`, `high`, `n`.
    """
    chosen = runs[runs["best"] & ~runs["choosing"]].assign(rate=math.nan)
    together = pd.concat([runs, chosen])
    rows = [
        {"length": length, "rate": rate, **_wilson(int(part["solved"].sum()), len(part))}
        for (length, rate), part in together.groupby(["length", "rate"], dropna=False)
    ]
    return pd.DataFrame(rows)


def density(setting: Setting, length: int, noises: Sequence[float], weights: Sequence[float]) -> pd.DataFrame:
    """Share of minimal latches that learn, over the noise and the weight they start from.

    Args:
        setting: of all runs; its `noise` is not used, its first learning rate alone is.
        length: T.
        noises: standard deviations s.
        weights: w_0.

    Returns:
        One row a pair: `s`, `first_weight`, `share` of the searches that learnt, and their number `n`.
    """
    base = draw_population(
        MINIMAL_LATCH, setting.searches, setting.rates[:1], 1.0, reach=setting.reach, seed=setting.seed
    )
    grid = torch.cartesian_prod(torch.tensor(noises).double(), torch.tensor(weights).double())
    members = base[torch.arange(setting.searches).repeat(len(grid))]
    noise, weight = grid.repeat_interleave(setting.searches, 0).T
    members = replace(members, noise=noise, weight=weight[None, None].clone())
    lessons = Lessons((length,), "gaussian", setting.seed, f"density of {length} steps")
    solved = train(members, MINIMAL_LATCH, lessons, Course(setting.updates, 100)).solved
    share = solved.view(len(grid), setting.searches).double().mean(1)
    columns = {"s": grid[:, 0], "first_weight": grid[:, 1], "share": share}
    return pd.DataFrame({name: value.numpy() for name, value in columns.items()}).assign(n=setting.searches)


def choosing(setting: Setting) -> int:
    """The first searches, on which a learning rate is chosen for the others."""
    return setting.searches // 4


def choose(table: pd.DataFrame, setting: Setting, option: str, by: str, *, largest: bool) -> pd.DataFrame:
    """The table with `choosing` and `best`: the option whose mean of a column is best on the choosing searches."""
    first = table["search"] < choosing(setting)
    means = table[first].groupby(option)[by].mean()
    best = means.idxmax() if largest else means.idxmin()
    return table.assign(choosing=first, best=table[option] == best)


def _struck(members: Population, share: float, stream: torch.Generator) -> Tensor:
    """A share of the members at random."""
    return torch.rand(len(members), generator=stream, dtype=torch.float64) < share


def _wilson(solved: int, n: int) -> dict[str, float]:
    z = float(ndtri(0.975))
    middle, half = solved + z * z / 2, z * math.sqrt(solved * (n - solved) / n + z * z / 4)
    return {"share": solved / n, "low": (middle - half) / (n + z * z), "high": (middle + half) / (n + z * z), "n": n}

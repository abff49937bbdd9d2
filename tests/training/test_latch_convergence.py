"""Tables of convergence of the minimal latch.

Oracles: `train` called by hand; Wilson's interval by its definition as the roots of a quadratic; counting.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from gradstudy.training.latch import MINIMAL_LATCH, Course, Lessons, draw_population, train
from gradstudy.training.latch_convergence import Setting, choose, convergence, density, shares

SETTING = Setting(searches=12, rates=[0.1, 1.0], updates=150, noise=0.2, reach=0.5, seed=2)


@pytest.fixture(scope="module")
def runs():
    return convergence(SETTING, [5, 10, 20], 1.25, 30)


def test_runs_against_train(runs):
    population = draw_population(MINIMAL_LATCH, 12, [0.1, 1.0], 0.2, reach=0.5, seed=2)
    population = replace(population, weight=torch.full_like(population.weight, 1.25))
    outcome = train(population, MINIMAL_LATCH, Lessons((10,), "gaussian", 2, "latch of 10 steps"), Course(150, 30))
    rows = runs[runs["length"] == 10]
    assert rows["solved"].tolist() == outcome.solved.tolist()
    assert rows["weight"].tolist() == pytest.approx(outcome.population.weight[0, 0].tolist(), abs=5.1e-4)
    assert len(runs) == 3 * 2 * 12
    assert runs.loc[runs["length"] == 5, "solved"].mean() > runs.loc[runs["length"] == 20, "solved"].mean()


def test_the_best_rate_is_chosen_on_the_first_quarter(runs):
    assert runs.groupby("choosing")["search"].agg(["min", "max"]).to_numpy().tolist() == [[3, 11], [0, 2]]
    for _, rows in runs.groupby("length"):
        means = rows[rows["search"] < 3].groupby("rate")["solved"].mean()
        assert rows.loc[rows["best"], "rate"].unique().tolist() == [means.idxmax()]


def test_choosing_the_smallest():
    table = pd.DataFrame({"search": [0, 1, 0, 1], "option": [1.0, 1.0, 2.0, 2.0], "cost": [5, 5, 4, 9]})
    chosen = choose(table, replace(SETTING, searches=4), "option", "cost", largest=False)
    assert chosen["choosing"].tolist() == [True, False, True, False]
    assert chosen["best"].tolist() == [False, False, True, True]


def test_shares_and_their_intervals(runs):
    table = shares(runs)
    assert len(table) == 3 * 3
    for row in table.itertuples():
        rows = runs[runs["length"] == row.length]
        own = rows[rows["best"] & ~rows["choosing"]] if math.isnan(row.rate) else rows[rows["rate"] == row.rate]
        assert row.n == len(own)
        assert row.share == own["solved"].mean()
        for end in (row.low, row.high):  # (p - p0)^2 = z^2 p0 (1 - p0) / n
            assert (row.share - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / row.n, abs=1e-7)


def test_planted_lengths_that_do_not_matter():
    none = convergence(SETTING, [5, 10, 20], 1.25, 30, drop=0.0)
    some = convergence(replace(SETTING, searches=400, rates=[1.0]), [5, 10, 20], 1.25, 30, drop=0.2)
    kept = none.groupby("length")["solved"].mean()
    assert kept.max() - kept.min() < 0.2
    ratio = some.groupby("length")["solved"].mean().to_numpy()
    assert ratio / ratio[0] == pytest.approx(np.array([1.0, 0.8, 0.6]), abs=0.1)


def test_density():
    table = density(replace(SETTING, searches=10), 8, [0.0, 0.5], [0.5, 1.5])
    assert table[["s", "first_weight"]].to_numpy().tolist() == [[0.0, 0.5], [0.0, 1.5], [0.5, 0.5], [0.5, 1.5]]
    assert (table["n"] == 10).all()
    quiet, loud = table["share"].iloc[1], table["share"].iloc[2]
    assert quiet > 0.5 > loud

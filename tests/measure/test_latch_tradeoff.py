"""Flips and decay over the weight of the minimal latch.

Oracles: the theory module, itself tested against integration and trajectories; a walk drawn in numpy.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradstudy.measure.latch_tradeoff import simulated_flip, tradeoff
from gradstudy.theory import bengio1994


def test_columns_against_the_theory():
    table = tradeoff([1.25, 2.0], 0.2, 50, 20_000, seed=1)
    for row in table.itertuples():
        assert row.flip == pytest.approx(bengio1994.flip_probability(row.weight, 0.2, 50), rel=1e-12)
        assert row.decay == pytest.approx(-bengio1994.noisy_rate(row.weight, 0.2), abs=1e-12)
        assert row.resting_decay == -bengio1994.resting_rate(row.weight)
        assert row.flip_error < 1e-10
    seen, unseen = table.itertuples()
    assert seen.simulated == 20_000
    assert seen.simulated_flip == pytest.approx(seen.flip, abs=5 * math.sqrt(seen.flip / 20_000))
    assert unseen.simulated == 0
    assert math.isnan(unseen.simulated_flip)


def test_planted_noise_grows_with_the_weight():
    table = tradeoff([1.25, 2.0], 0.2, 50, 0, growth=1.5, seed=1)
    assert table["deviation"].tolist() == pytest.approx([0.2, 0.2 * 1.6**1.5])
    assert table["flip"].iloc[1] == pytest.approx(bengio1994.flip_probability(2.0, 0.2 * 1.6**1.5, 50), rel=1e-12)


def test_trajectories_are_those_of_the_latch():
    rng = np.random.default_rng(0)
    a = np.full(100_000, bengio1994.fixed_point(1.5))
    for _ in range(30):
        a = 1.5 * np.tanh(a) + 0.4 * rng.standard_normal(len(a))
    share, drawn = (a < 0).mean(), simulated_flip(1.5, 0.4, 30, 100_000, seed=3)
    assert drawn == pytest.approx(share, abs=5 * math.sqrt(2 * share / 100_000))
    assert drawn == simulated_flip(1.5, 0.4, 30, 100_000, seed=3)

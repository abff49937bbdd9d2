"""Decay of one error with the lag.

Oracles: linear networks in closed form; dead networks by their construction; scipy's Student interval.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from gradstudy.measure.error_decay import error_decay, interval, log_components, rate, spread
from gradstudy.models.networks import Family
from gradstudy.search.random import Drive, random_subjects


def test_a_linear_network_decays_at_its_rate():
    subjects = random_subjects(Family("linear", "orthogonal", 6, scale=0.5), 3, Drive(40, rows=2), seed=0)
    assert [rate(subject) for subject in subjects] == pytest.approx([math.log(0.5)] * 3, abs=1e-12)
    frame = error_decay(subjects, most=5)
    assert frame["lag"].tolist() == [0, 10, 20, 30, 40]
    np.testing.assert_allclose(frame["log_component"], frame["lag"] * math.log(0.5), atol=1e-12)
    np.testing.assert_allclose(frame["high"] - frame["low"], 0, atol=1e-12)
    assert not frame["zeros"].any()


def test_intervals_are_students_over_networks():
    values = [1.0, 2.0, 4.0]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    found = interval("rate", values)
    assert found == {"rate": pytest.approx(7 / 3), "low": pytest.approx(low), "high": pytest.approx(high), "n": 3}
    assert math.isnan(interval("rate", [1.0])["low"])


def test_spread_has_both_ends_and_nothing_twice():
    assert spread(101, 3) == [0, 50, 100]
    assert spread(3, 10) == [0, 1, 2]
    assert spread(1, 10) == [0]


def test_dead_rows_are_counted_not_averaged():
    subjects = random_subjects(Family("relu", "gaussian", 3, scale=1e-3), 4, Drive(10, inputs="none"), seed=0)
    frame = error_decay(subjects)  # all units off: every component beyond lag 0 is exactly 0
    assert (frame["zeros"].iloc[1:] == 4).all()
    assert frame["log_component"].iloc[1:].isna().all()
    rows = random_subjects(Family("relu", "gaussian", 4), 3, Drive(12, rows=8), seed=0)
    alive = torch.isfinite(torch.stack([log_components(subject)[1][-1] for subject in rows]))
    last = error_decay(rows).iloc[-1]
    assert last["zeros"] == int((~alive).sum()) > 0
    assert last["n"] == int(alive.any(1).sum())
    assert math.isinf(rate(subjects[0]))

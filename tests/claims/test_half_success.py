"""Lengths at half success.

Oracles: scipy's isotonic regression; crossings worked out by hand; a law whose ratio is known.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import isotonic_regression

from gradstudy.claims import half_success
from gradstudy.claims.half_success import half_length, log_half_length, log_ratio_estimate

LENGTHS = np.array([10.0, 20.0, 40.0, 80.0])


def successes(limits, factor=1.0):
    """Each seed learns the lengths up to its limit; columns are told `factor` times as long."""
    rows = [[int(length <= limit) for length in LENGTHS] for limit in limits]
    return pd.DataFrame(rows, columns=factor * LENGTHS)


def test_shares_are_made_monotone_as_scipy_does():
    shares = np.random.default_rng(3).random((50, 6))
    expected = [isotonic_regression(row, increasing=False).x for row in shares]
    assert np.abs(half_success._falling(shares) - expected).max() < 1e-12


def test_crossings_by_hand():
    shares = np.array([[1.0, 0.75, 0.25, 0.0], [1.0, 0.5, 0.0, 0.0], [0.5, 0.5, 0.5, 0.0]])
    low, high = log_half_length(LENGTHS, shares)
    assert np.allclose(np.exp(low), [20 * math.sqrt(2), 20, 40])
    assert (low == high).all()


def test_what_lies_beyond_the_lengths_tested_has_one_bound():
    low, high = log_half_length(LENGTHS, np.array([[1.0, 1.0, 1.0, 0.6], [0.4, 0.0, 0.0, 0.0]]))
    assert np.exp(low).tolist() == pytest.approx([80, 0])
    assert np.exp(high).tolist() == pytest.approx([math.inf, 10])


def test_from_all_to_none_is_anywhere_in_between():
    # Shares of 1 and 0 fit limits of 21 and of 39 alike, a ratio of 1.86: no interval of width 0 may come of that.
    low, high = log_half_length(LENGTHS, np.array([[1.0, 1.0, 0.0, 0.0]]))
    assert np.exp([low[0], high[0]]) == pytest.approx([20, 40])
    estimate = log_ratio_estimate(successes([21] * 16), successes([39] * 16), "task", 3)
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((-math.log(2), 0, math.log(2)))
    apart = log_ratio_estimate(successes([41] * 16), successes([19] * 16), "task", 3)
    assert (apart.low, apart.high) == pytest.approx((math.log(2), math.log(8)))


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.3])
def test_intervals_cover_a_ratio_of_a_known_law(spread):
    stream = np.random.default_rng(5)
    covered = 0
    for _ in range(40):
        middle, ratio = stream.uniform(math.log(20), math.log(40)), stream.uniform(-0.3, 0.5)
        tables = [successes(np.exp(place + spread * stream.standard_normal(16))) for place in (middle + ratio, middle)]
        estimate = log_ratio_estimate(tables[0], tables[1], "task", 3)
        covered += estimate.low <= ratio <= estimate.high
    assert covered >= 37  # of 40 intervals of 98.3 % this fails once in 200


def test_a_known_ratio_is_found_whatever_is_resampled():
    limits = [12, 15, 25, 25, 30, 50, 50, 15]
    estimate = log_ratio_estimate(successes(limits, 1.2), successes(limits), "task", 3)
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((math.log(1.2),) * 3)
    assert estimate.n == 8


def test_an_interval_has_the_ratio_in_it_and_narrows_with_more_seeds():
    stream = np.random.default_rng(0)

    def drawn(n, middle):
        return successes(middle * np.exp(0.5 * stream.standard_normal(n)))

    few, many = (log_ratio_estimate(drawn(n, 30), drawn(n, 20), "task", 1) for n in (16, 400))
    for estimate in (few, many):
        assert estimate.low < math.log(1.5) < estimate.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_censored_lengths_leave_their_side_open():
    everything, little = successes([100] * 8), successes([25] * 8)
    estimate = log_ratio_estimate(everything, little, "task", 1)
    assert estimate.high == math.inf
    assert estimate.low == pytest.approx(math.log(80 / 40))  # all learn 20, none 40: somewhere in between
    other = log_ratio_estimate(little, everything, "task", 1)
    assert (other.low, other.high) == (-math.inf, -estimate.low)
    both = log_ratio_estimate(everything, everything, "task", 1)
    assert (both.low, both.value, both.high) == (-math.inf, 0.0, math.inf)
    assert half_length(successes([5] * 8)) == (0.0, pytest.approx(10))


def test_other_seeds_or_missing_numbers_give_no_interval():
    table = successes([25] * 4)
    assert math.isnan(log_ratio_estimate(table, table.iloc[:3], "task", 1).low)
    assert math.isnan(log_ratio_estimate(table, table.astype(float).mask(table == 1), "task", 1).low)
    assert math.isnan(log_ratio_estimate(table.iloc[:1], table.iloc[:1], "task", 1).high)

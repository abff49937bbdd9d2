"""The length of sequences up to which half of the networks succeed, and how far two kinds of networks lie apart."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradstudy.claims.claim import Estimate
from gradstudy.claims.intervals import LEVEL

Numbers = NDArray[np.float64]

_RESAMPLES = 2000
# Of a sum of shares.
_ROUNDING = 1e-9
# The resamples of a claim are the same whenever it is decided.
_SEED = 0


def log_half_length(lengths: Numbers, shares: Numbers) -> tuple[Numbers, Numbers]:
    """Bounds of the logarithm of the length at which the share of successes falls through 1/2.

    Shares are made monotone first (the non-increasing sequence nearest in squares, all lengths alike), then joined by
    straight lines over the logarithm of the length. Where even the shortest length is learnt by less than half of the
    networks, only an upper bound is known, its logarithm; where the longest is learnt by half or more, only a lower.
    Where all networks succeed at one length and none at the next, nothing says where in between they cease to: the
    bounds are these two.

    Args:
        lengths: increasing, `(lengths,)`.
        shares: of successes, `(resamples, lengths)`.

    Returns:
        The lower and the upper bound, each `(resamples,)`; they agree where some networks succeed and some do not.
    """
    logs, fitted = np.log(lengths), _falling(shares)
    last = (fitted >= 0.5).sum(1) - 1
    place = np.clip(last, 0, len(logs) - 2)
    rows = np.arange(len(fitted))
    above, below = fitted[rows, place], fitted[rows, place + 1]
    inside = (last >= 0) & (last < len(logs) - 1)
    part = np.where(inside, (above - 0.5) / np.where(inside, above - below, 1.0), 0.0)
    crossing = logs[place] + part * (logs[place + 1] - logs[place])
    leap = above - below > 1 - _ROUNDING
    low = np.where(last < 0, -np.inf, np.where(inside, np.where(leap, logs[place], crossing), logs[-1]))
    high = np.where(last < 0, logs[0], np.where(inside, np.where(leap, logs[place + 1], crossing), np.inf))
    return low, high


def log_ratio_estimate(first: pd.DataFrame, second: pd.DataFrame, condition: str, conditions: int) -> Estimate:
    """Logarithm of the ratio of two kinds of networks' lengths at half success, resampled over seeds.

    A resample draws seeds with replacement, with all lengths of both kinds. The interval is from the low quantile of
    the lower bounds to the high quantile of the upper ones (percentile bootstrap, simultaneous over the conditions), so
    that a length that is only known to lie beyond those tested leaves that side open, and one that is only known to lie
    between two of them makes it as wide as these are apart.

    Args:
        first, second: successes (0 or 1), one row a seed, one column a length; the same seeds.
        condition: what they have in common.
        conditions: of the claim.

    Returns:
        The estimate; its value has lengths beyond those tested at the outermost one tested, and those between two on
        the straight line. The interval is NaN if the
        seeds are not the same or fewer than two, or if a number is missing.
    """
    n = len(first)
    unit = "log ratio"
    complete = list(first.index) == list(second.index) and not (
        first.isna().any(axis=None) or second.isna().any(axis=None)
    )
    if n < 2 or not complete:
        return Estimate(math.nan, math.nan, math.nan, n, unit, condition)
    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES) / n
    (low, high), (other_low, other_high) = (_bounds(table, draws) for table in (first, second))
    tail = (1 - LEVEL) / 2 / conditions
    value = _restricted(first) - _restricted(second)
    ends = _quantile(low - other_high, tail, "lower"), _quantile(high - other_low, 1 - tail, "higher")
    return Estimate(value, min(ends[0], value), max(ends[1], value), n, unit, condition)


def half_length(successes: pd.DataFrame) -> tuple[float, float]:
    """Bounds of the length at which success falls through 1/2, all seeds alike; see `log_half_length`."""
    low, high = _bounds(successes, np.full((1, len(successes)), 1 / len(successes)))
    return math.exp(low[0]), math.exp(high[0])


def _bounds(successes: pd.DataFrame, weights: Numbers) -> tuple[Numbers, Numbers]:
    ordered = successes.sort_index(axis="columns")
    return log_half_length(ordered.columns.to_numpy(dtype=float), weights @ ordered.to_numpy(dtype=float))


def _restricted(successes: pd.DataFrame) -> float:
    """The logarithm itself: in the middle where it is bounded on both sides."""
    low, high = (float(bound[0]) for bound in _bounds(successes, np.full((1, len(successes)), 1 / len(successes))))
    if high == math.inf:
        return low
    return high if low == -math.inf else (low + high) / 2


def _falling(shares: Numbers) -> Numbers:
    """The nearest non-increasing sequences: at j the least over a <= j of the largest over b >= j of the mean a..b."""
    count = shares.shape[1]
    sums = np.concatenate([np.zeros((len(shares), 1)), shares.cumsum(1)], axis=1)
    fitted = np.empty_like(shares)
    for j in range(count):
        largest = [
            np.max([(sums[:, b + 1] - sums[:, a]) / (b + 1 - a) for b in range(j, count)], axis=0) for a in range(j + 1)
        ]
        fitted[:, j] = np.min(largest, axis=0)
    return fitted


def _quantile(values: Numbers, share: float, method: str) -> float:
    """A quantile that is one of the values, which may be infinite."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    return float(ordered[math.floor(place) if method == "lower" else math.ceil(place)])

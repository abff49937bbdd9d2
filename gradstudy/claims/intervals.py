"""Intervals over independent replicates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # Student's quantile; scipy.stats takes most of a second to import

from gradstudy.claims.claim import Estimate

LEVEL = 0.95


def mean_estimate(values: Sequence[float], unit: str, *, condition: str = "", conditions: int = 1) -> Estimate:
    """Mean over replicates with its Student interval, simultaneous over the claim's conditions (Bonferroni).

    Args:
        values: one a replicate; NaN or infinite values make the interval NaN, they are never dropped.
        unit: of the values.
        condition: what these replicates have in common.
        conditions: how many conditions the claim is about.

    Returns:
        The estimate; its interval is NaN for fewer than two replicates.
    """
    array = np.asarray(values, dtype=float)
    n = len(array)
    mean = float(array.mean()) if n else math.nan
    if n < 2 or not np.isfinite(array).all():
        return Estimate(mean, math.nan, math.nan, n, unit, condition)
    tail = (1 - LEVEL) / 2 / conditions
    half = float(stdtrit(n - 1, 1 - tail) * array.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n, unit, condition)


def log_mean_estimate(
    logs: Sequence[float], unit: str, *, per: float = 1.0, condition: str = "", conditions: int = 1
) -> Estimate:
    """log of the mean over replicates of exp(logs), divided by `per`, with an interval by the delta method.

    The standard error of the mean over the mean is that of its logarithm, to first order; Student's quantile as in
    `mean_estimate`.

    Args:
        logs: one a replicate, natural logarithms; NaN or infinite values make the interval NaN.
        unit: of the result.
        per: what the logarithm is divided by, such as a number of links.
        condition: what these replicates have in common.
        conditions: how many conditions the claim is about.
    """
    array = np.asarray(logs, dtype=float)
    n = len(array)
    if n < 2 or not np.isfinite(array).all():
        return Estimate(math.nan, math.nan, math.nan, n, unit, condition)
    relative = np.exp(array - array.max())
    value = float(np.log(relative.mean()) + array.max())
    tail = (1 - LEVEL) / 2 / conditions
    half = float(stdtrit(n - 1, 1 - tail) * relative.std(ddof=1) / relative.mean() / math.sqrt(n))
    return Estimate(value / per, (value - half) / per, (value + half) / per, n, unit, condition)


def jackknife_estimate(
    statistic: Callable[[NDArray[np.intp]], float],
    n: int,
    unit: str,
    *,
    condition: str = "",
    conditions: int = 1,
) -> Estimate:
    """A statistic of n replicates with Student's interval by the jackknife, simultaneous over the conditions.

    For statistics that are no mean, such as the logarithm of a ratio of two means: each replicate is left out in turn,
    and the standard error is that of the n values, (n - 1)/n times their sum of squares about their mean.

    Args:
        statistic: from the indices of the replicates that are kept.
        n: replicates.
        unit: of the statistic.
        condition: what these replicates have in common.
        conditions: how many conditions the claim is about.

    Returns:
        The estimate; its interval is NaN for fewer than two replicates, and where the statistic or one of the values
        is not finite.
    """
    everyone = np.arange(n)
    value = statistic(everyone) if n else math.nan
    without = np.array([statistic(np.delete(everyone, i)) for i in range(n)]) if n > 1 else np.array([math.nan])
    if not (math.isfinite(value) and np.isfinite(without).all()):
        return Estimate(value, math.nan, math.nan, n, unit, condition)
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    half = float(stdtrit(n - 1, 1 - (1 - LEVEL) / 2 / conditions)) * error
    return Estimate(value, value - half, value + half, n, unit, condition)

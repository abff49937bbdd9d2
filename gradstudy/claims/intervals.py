"""Intervals over independent replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
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

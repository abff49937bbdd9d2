"""Bounds on the local and global error flow of Hochreiter and Schmidhuber (Neural Computation 1997, section 3)."""

from __future__ import annotations

import math

_STEEPEST_LOGISTIC = 0.25


def log_local_flow_bound(weight: float, steps: int) -> float:
    """q log(|w| / 4): bound on log |prod of q factors f'(net) w| of one logistic unit's connection to itself.

    The slope f' is at most 1/4, so below |w| = 4 every factor is below 1 and the flow vanishes. 0 for no steps, -inf
    for a weight of 0.
    """
    if steps == 0:
        return 0.0
    return steps * math.log(_STEEPEST_LOGISTIC * abs(weight)) if weight else -math.inf


def log_global_flow_bound(largest: float, units: int, steps: int) -> float:
    """log n + q log(n w_max / 4): bound on the log error flow over q steps between any two of n logistic units.

    From the largest absolute row sum of W, at most n w_max. It falls with q if w_max < 4 / n. The flow is the entry of
    a product of q Jacobians W diag(f'); the spectral norm of the product obeys the same bound.
    """
    return math.log(units) + log_local_flow_bound(units * largest, steps)

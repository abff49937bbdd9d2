"""Bounds and closed forms of Pascanu, Mikolov and Bengio (ICML 2013)."""

from __future__ import annotations

import math

# The largest slope of each activation, the paper's gamma (section 2.1); relu and linear are not treated there.
GAMMA = {"tanh": 1.0, "sigmoid": 0.25, "relu": 1.0, "linear": 1.0}


def log_bound(activation: str, sigma_1: float) -> float:
    """log(gamma sigma_1): the bound on the growth of a temporal component, in nats per link (Eq. 6-7).

    sigma_1 is the largest *singular* value of W_rec; the bound below zero is sufficient for vanishing, above zero
    necessary for explosion. -inf for sigma_1 = 0.
    """
    return math.log(GAMMA[activation] * sigma_1) if sigma_1 > 0 else -math.inf


def log_scalar_derivatives(weight: float, steps: int) -> tuple[float, float]:
    """log |dx_t/dw| and log |d2x_t/dw2| of x_t = w^t: log(t w^(t-1)) and log(t (t-1) w^(t-2)) (section 2.3)."""
    log_weight = math.log(abs(weight))
    first = math.log(steps) + (steps - 1) * log_weight
    return first, math.log(steps * (steps - 1)) + (steps - 2) * log_weight

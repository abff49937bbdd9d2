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


def log10_reach(start: float, path: float, steps: int, inputs: float) -> float:
    """log10 of a bound on the squared gradient norm of a network in training: below 308, nothing overflows in float64.

    For h_t = phi(A (h_{t-1}, x_t, 1)) with |phi(a)| <= |a| and |phi'| <= 1 (tanh, relu), a linear read-out of h_T and a
    squared error with targets of norm at most 1, or a cross-entropy. With norm clipping a step of SGD is at most rate
    times threshold long, so after n updates all weights together have at most the norm B = max(1, start + path). With
    u = inputs + 1 then |h_t| <= t u B^t, the error's slope is at most 6 T u B^(T+1), |dL/dh_t| at most B^(T-t+1) times
    that, and the gradient, a sum of T terms, at most 12 T^3 u^2 B^(2T+2) (the read-out's and the loss are less).

    Args:
        start: Euclidean norm of all initial weights.
        path: updates * rate * threshold; infinite without clipping.
        steps: T, at least 2.
        inputs: the most that the norm of an input x_t can be.
    """
    if not math.isfinite(path):
        return math.inf
    largest = max(1.0, start + path)
    return 2 * (math.log10(12 * steps**3 * (inputs + 1) ** 2) + (2 * steps + 2) * math.log10(largest))

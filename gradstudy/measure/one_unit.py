"""Derivatives of one sigmoid unit, x_t = w sigma(x_{t-1}) + b, by forward recursion; many units at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Values = NDArray[np.float64]
Numbers = float | Sequence[float] | Values


@dataclass(frozen=True, eq=False)
class Unrolled:
    """The last state of units and its derivatives with respect to (w, b).

    Args:
        state: x_T, of the shape that weights, biases and starts have together.
        gradient: dx_T/d(w, b), `(..., 2)`.
        hessian: d2x_T/d(w, b)2, `(..., 2, 2)`.
    """

    state: Values
    gradient: Values
    hessian: Values


def final_state(weight: Numbers, bias: Numbers, start: Numbers, steps: int) -> Values:
    """x_T.

    Cost: T sigmoids a unit.
    """
    w, b, x = _together(weight, bias, start)
    for _ in range(steps):
        x = w * expit(x) + b
    return np.asarray(x)


def unroll(weight: Numbers, bias: Numbers, start: Numbers, steps: int) -> Unrolled:
    """x_T with its gradient and Hessian in (w, b).

    With s = sigma(x_{t-1}) and g, H those of x_{t-1}: g_t = w s' g + (s, 1), and H_t = w s'' g g^T + w s' H +
    s' (e_w g^T + g e_w^T).

    Cost: some twenty array operations a link.
    """
    w, b, x = _together(weight, bias, start)
    by_w, by_b, ww, wb, bb = (np.zeros_like(x) for _ in range(5))
    for _ in range(steps):
        s = expit(x)
        first = s * (1 - s)
        factor, bend = w * first, w * first * (1 - 2 * s)
        ww = bend * by_w * by_w + factor * ww + 2 * first * by_w
        wb = bend * by_w * by_b + factor * wb + first * by_b
        bb = bend * by_b * by_b + factor * bb
        by_w, by_b = factor * by_w + s, factor * by_b + 1
        x = w * s + b
    hessian = np.stack([np.stack([ww, wb], -1), np.stack([wb, bb], -1)], -2)
    return Unrolled(np.asarray(x), np.stack([by_w, by_b], -1), hessian)


def state_gradient(weight: Numbers, bias: Numbers, start: Numbers, steps: int) -> tuple[Values, Values]:
    """x_T and dx_T/d(w, b) `(..., 2)`, without second derivatives; see `unroll`."""
    w, b, x = _together(weight, bias, start)
    by_w, by_b = np.zeros_like(x), np.zeros_like(x)
    for _ in range(steps):
        s = expit(x)
        factor = w * s * (1 - s)
        by_w, by_b = factor * by_w + s, factor * by_b + 1
        x = w * s + b
    return np.asarray(x), np.stack([by_w, by_b], -1)


def bias_derivatives(weight: float, biases: Numbers, start: float, steps: Sequence[int]) -> Values:
    """dx_T/db for several T, `(len(steps), ...)`; positive, as the map rises.

    Args:
        weight, start: w > 0 and x_0.
        biases: b, any shape.
        steps: the lengths T, ascending.

    Cost: one recursion to the largest T.
    """
    w, b, x = _together(weight, biases, start)
    derivative, found = np.zeros_like(x), []
    for t in range(1, max(steps) + 1):
        s = expit(x)
        derivative = w * s * (1 - s) * derivative + 1
        x = w * s + b
        if t in steps:
            found.append(derivative)
    return np.stack(found)


def log_start_derivative(weight: Numbers, bias: Numbers, start: Numbers, steps: int) -> Values:
    """log |dx_T/dx_0|: the sum over links of log w sigma'(x_{t-1}), never underflowing (w > 0)."""
    w, b, x = _together(weight, bias, start)
    total = np.zeros_like(x)
    for _ in range(steps):
        s = expit(x)
        # s (1 - s) rounds to 0 for saturated units; the logarithm of each factor does not.
        total = total + np.log(w) - np.logaddexp(0, -x) - np.logaddexp(0, x)
        x = w * s + b
    return np.asarray(total)


def _together(*values: Numbers) -> tuple[Values, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values)))

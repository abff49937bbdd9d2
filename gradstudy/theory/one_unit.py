"""Fixed points of one sigmoid unit without input, x_t = w sigma(x_{t-1}) + b with w > 0.

The model of Pascanu, Mikolov and Bengio (ICML 2013), Eq. 8 and Fig. 3 and 6; its bifurcations after Doya (1992). The
map rises, so that every start converges, and where there are two attractors the saddle between them is the boundary of
their basins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from scipy.optimize import brentq
from scipy.special import expit


@dataclass(frozen=True)
class Fold:
    """A saddle-node bifurcation: where a saddle and an attractor meet, at slope 1, and are gone.

    Args:
        state: x at which they meet.
        bias: b at which they do.
    """

    state: float
    bias: float


def slope(weight: float, state: float) -> float:
    """w sigma'(x): the derivative of the map, one link's factor of a gradient."""
    value = float(expit(state))
    return weight * value * (1 - value)


def folds(weight: float) -> tuple[Fold, ...]:
    """The two folds, by bias; none for w <= 4, where w sigma' <= 1 everywhere.

    At the first the upper attractor is gone for smaller biases, at the second the lower one for larger.
    """
    if weight <= 4:
        return ()
    state = 2 * math.acosh(math.sqrt(weight) / 2)  # sigma' = 1 / (4 cosh^2(x/2)) is 1/w
    return tuple(Fold(x, boundary_bias(weight, x)) for x in (state, -state))


def fixed_points(weight: float, bias: float) -> tuple[float, ...]:
    """States with w sigma(x) + b = x, ascending: one attractor, or an attractor, the saddle and an attractor.

    Not meant for a bias at a fold itself, where two of them are one.
    """

    def excess(x: float) -> float:
        return float(weight * expit(x)) + bias - x

    turns = sorted(fold.state for fold in folds(weight))
    edges = [bias - 1.0, *turns, bias + weight + 1.0]
    return tuple(_root(excess, a, b) for a, b in pairwise(edges) if excess(a) * excess(b) < 0)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function changes its sign, to the last digits of a float64."""
    return float(brentq(function, low, high, xtol=1e-15, rtol=1e-15, maxiter=200))


def boundary_bias(weight: float, start: float) -> float:
    """b = x_0 - w sigma(x_0): the bias for which a start is a fixed point.

    If w sigma'(x_0) > 1 that point is the saddle, and the start crosses the boundary between the basins as the bias
    passes.
    """
    return start - weight * float(expit(start))


def saddle_rate(weight: float, start: float) -> float:
    """log(w sigma'(x_0)): growth of |dx_T/db|, in nats per link, where the start is the saddle."""
    return math.log(slope(weight, start))


def rate_per_decade(weight: float, bias: float, side: int, steps: int) -> float:
    """How much the rate of |dx_T/dx_0| over T links rises with a start ten times as near to the saddle.

    Near the saddle the distance grows by the saddle's slope s a link, so that ten times as near means log 10 / log s
    links more at the saddle's rate log s instead of the attractor's log a: log 10 (1 - log a / log s) / T. Holds for
    T large enough to reach the attractor.

    Args:
        weight, bias: with three fixed points.
        side: +1 for starts above the saddle, -1 below.
        steps: T.
    """
    lower, saddle, upper = fixed_points(weight, bias)
    attractor = upper if side > 0 else lower
    return math.log(10) * (1 - math.log(slope(weight, attractor)) / math.log(slope(weight, saddle))) / steps

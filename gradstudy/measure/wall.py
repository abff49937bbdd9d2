"""The wall in the error surface of one unit, followed by bisection to the last bit.

Where the start lies on the boundary between two basins of attraction, x_T jumps from one attractor to the other as the
bias changes. A grid finds hardly anything there: the jump is narrower than its spacing by many orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gradstudy.measure.bisection import neighbours
from gradstudy.measure.error_surface import START, Local, Surface, error_surface
from gradstudy.measure.one_unit import Numbers, Values, final_state
from gradstudy.theory.one_unit import slope

_SETTLED = 1000  # links after which a unit is near its attractor
_ASIDE = 0.1  # distance in b of the points off the wall
_ACROSS = np.logspace(-14, -1, 209)


def basin_boundary(weights: Numbers, start: float = START) -> tuple[Values, Values]:
    """Neighbouring biases between which a start changes the attractor it comes to, by bisection.

    For b = -w every unit ends low, for b = 0 high; a bias belongs to the side whose final state, after 1,000 links, its
    own is nearer to. No fixed point is computed.

    Args:
        weights: w > 1 / sigma'(x_0), so that there is a boundary; else what is found is where x_T passes the middle.
        start: x_0.

    Returns:
        Two arrays of biases, the lower one and the next float64 above it, for each weight.

    Cost: about 55 times 1,000 links.
    """
    w = np.atleast_1d(np.asarray(weights, dtype=float))
    low, high = -w, np.zeros_like(w)
    middle = (final_state(w, low, start, _SETTLED) + final_state(w, high, start, _SETTLED)) / 2
    return neighbours(low, high, lambda bias: final_state(w, bias, start, _SETTLED) > middle)


@dataclass(frozen=True, eq=False)
class Ramp:
    """Planted in the surface's place: a loss whose gradient explodes everywhere, and whose curvature may be chosen.

    E = a^T u + u^2/2 (1 + (e^(cT) - 1) exp(-100 u^2 / l^2)), u being the distance in b from the wall, a = w sigma'(x_0)
    and l = 0.1. Its gradient along b grows as a^T, on the wall and off it; its curvature is e^(cT) on the wall and 1 at
    the distance l.

    Args:
        weights: w of each wall point.
        biases: b of each wall point.
        rate: c, for each wall point.
    """

    weights: Values
    biases: Values
    rate: Values

    def __call__(self, weight: Values, bias: Values, steps: int) -> Local:
        """The planted surface; `weight` is that of the wall points."""
        u, sharp = bias - self.biases, 100 / _ASIDE**2
        factor = np.exp(steps * np.log([slope(w, START) for w in self.weights]))
        extra, window = np.expm1(self.rate * steps), np.exp(-sharp * u**2)
        error = factor * u + u**2 / 2 * (1 + extra * window)
        first = factor + u + extra * window * (u - sharp * u**3)
        second = 1 + extra * window * (1 - 5 * sharp * u**2 + 2 * sharp**2 * u**4)
        zero = np.zeros_like(first)
        hessian = np.stack([np.stack([zero, zero], -1), np.stack([zero, second], -1)], -2)
        return Local(error, np.stack([zero, first], -1), hessian)


def wall_growth(
    weights: Numbers, steps: Sequence[int], *, curvature: float | None = None, doubling: float | None = None
) -> pd.DataFrame:
    """Gradient and curvature on the wall and at matched points off it, for several numbers of steps.

    Args:
        weights: w of the wall points.
        steps: T, up to some 50: beyond, the wall is narrower than the spacing of float64.
        curvature: planted: a `Ramp` whose curvature grows by this many nats a link.
        doubling: planted: a `Ramp` whose curvature grows at twice the gradient's rate, times 1 plus this.

    Returns:
        One row a weight, place and T: `w`, `b`; `place`: low and high, the neighbouring biases on either side of
        the wall, below and above, 0.1 away in b; `steps`; `log_gradient` = log |g|; `log_curvature` = log |v^T H v|,
        v = g / |g|; `alignment` of g with the top eigenvector of H.
    """
    w = np.asarray(weights, dtype=float)
    low, high = basin_boundary(w)
    surface: Surface = error_surface
    if curvature is not None:
        surface = Ramp(w, high, np.full_like(w, curvature))
    elif doubling is not None:
        rates = np.log([slope(x, START) for x in w])
        surface = Ramp(w, high, 2 * (1 + doubling) * rates)
    places = {"low": low, "high": high, "below": low - _ASIDE, "above": high + _ASIDE}
    rows = [_row(surface(w, b, t), w, b, place, t) for place, b in places.items() for t in steps]
    return pd.concat(rows, ignore_index=True)


def _row(local: Local, weight: Values, bias: Values, place: str, steps: int) -> pd.DataFrame:
    return pd.DataFrame({"w": weight, "b": bias, "place": place, "steps": steps, **_logs(local)})


def _logs(local: Local) -> dict[str, Values]:
    with np.errstate(divide="ignore"):
        return {
            "log_gradient": np.log(local.norm),
            "log_curvature": np.log(np.abs(local.curvature)),
            "alignment": local.alignment,
        }


def along_wall(weights: Numbers, steps: int = 50) -> pd.DataFrame:
    """The wall for a picture: one row a weight with its b, and the logarithms of `wall_growth` on it and 0.1 above.

    Columns: `w`, `b`, `place` (high, above), `steps`, `log_gradient`, `log_curvature`, `alignment`.
    """
    w = np.asarray(weights, dtype=float)
    high = basin_boundary(w)[1]
    places = {"high": high, "above": high + _ASIDE}
    return pd.concat([_row(error_surface(w, b, steps), w, b, place, steps) for place, b in places.items()])


def across_wall(weight: float, steps: int = 50) -> pd.DataFrame:
    """The surface on a line across the wall at one weight.

    Returns:
        One row a bias: `w`, `offset`: distance in b from the wall, from 1e-14 to 0.1 on either side, evenly spaced
        in its logarithm; `error`; `log_gradient`; `log_curvature`; `curvature_sign`.
    """
    centre = basin_boundary(weight)[1]
    offset = np.concatenate([-_ACROSS[::-1], _ACROSS])
    local = error_surface(weight, centre + offset, steps)
    logs = _logs(local)
    return pd.DataFrame(
        {
            "w": weight,
            "offset": offset,
            "error": local.error,
            "log_gradient": logs["log_gradient"],
            "log_curvature": logs["log_curvature"],
            "curvature_sign": np.sign(local.curvature),
        }
    )

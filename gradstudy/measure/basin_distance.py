"""The gradient of one sigmoid unit against the distance of its start from the boundary between two basins."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from gradstudy.measure.bisection import neighbours
from gradstudy.measure.one_unit import Values, final_state, log_start_derivative
from gradstudy.models.randomness import generator
from gradstudy.theory.one_unit import boundary_bias, rate_per_decade

_WEIGHTS, _SADDLES = (5.0, 6.5), (-0.5, 0.5)
_SETTLED = 2000


def rates_by_distance(units: int, steps: int, decades: int, *, trend: float | None = None, seed: int) -> pd.DataFrame:
    """Rate of |dx_T/dx_0| of drawn units for starts ever nearer to the boundary.

    Units have w uniform in 5 .. 6.5 and the bias at which the saddle is at x_u, uniform in -0.5 .. 0.5. The boundary is
    found by bisection over starts, to the last bit.

    Args:
        units: how many are drawn.
        steps: T.
        decades: starts at distances 10^-1 .. 10^-decades, on a side of the boundary that is drawn for each unit.
        trend: planted: in each unit's place a linear one whose rate rises by this much a decade, from -0.2.
        seed: of the draw.

    Returns:
        One row a unit and distance: `unit`, `w`, `b`, `boundary`; `above`: +1 or -1, the side of the starts; `decade` =
        -log10 of the distance; `rate` = log |dx_T/dx_0| / T; `predicted`: rise of the rate a decade by linear theory.

    Cost: 60 times 2,000 links, all units at once.
    """
    stream = generator(seed, 0, "units with two basins")
    w, saddles, coins = torch.rand(3, units, generator=stream, dtype=torch.float64).numpy()
    w, saddles = (low + (high - low) * u for (low, high), u in ((_WEIGHTS, w), (_SADDLES, saddles)))
    side = np.where(coins < 0.5, -1, 1)
    bias = np.array([boundary_bias(*pair) for pair in zip(w, saddles, strict=True)])
    boundary = start_boundary(w, bias)
    rows = []
    for decade in range(1, decades + 1):
        start = boundary + side * 10.0**-decade
        rates = log_start_derivative(w, bias, start, steps) / steps
        if trend is not None:
            rates = _linear_rate(np.full(units, -0.2 + trend * decade), steps)
        rows.append(
            pd.DataFrame(
                {
                    "unit": np.arange(units),
                    "w": w,
                    "b": bias,
                    "boundary": boundary,
                    "above": side,
                    "decade": decade,
                    "rate": rates,
                    "predicted": [rate_per_decade(*unit, steps) for unit in zip(w, bias, side.tolist(), strict=True)],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def start_boundary(weight: Values, bias: Values) -> Values:
    """The start above which a unit goes to its upper attractor, by bisection to the last bit; two attractors needed."""
    low, high = np.full_like(bias, -10.0), np.full_like(bias, 10.0)
    middle = (final_state(weight, bias, low, _SETTLED) + final_state(weight, bias, high, _SETTLED)) / 2
    return neighbours(low, high, lambda start: final_state(weight, bias, start, _SETTLED) > middle)[1]


def _linear_rate(rate: Values, steps: int) -> Values:
    """Rate of a linear unit x_t = e^rate x_{t-1}, by its own recursion."""
    derivative = np.ones_like(rate)
    for _ in range(steps):
        derivative = math.e**rate * derivative
    return np.log(derivative) / steps

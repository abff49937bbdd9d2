"""Crossing the boundary between two basins of one sigmoid unit, found by bisection with as many bits as it needs.

The derivative dx_T/db at the crossing grows exponentially with T, and the crossing is as narrow as its inverse: from
some 200 links on no float64 lies inside. States, derivatives and the bisection are in FLINT's ball arithmetic, whose
results carry their own error bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import flint
import numpy as np
import pandas as pd
import torch

from gradstudy.errors import ConvergenceError
from gradstudy.measure.one_unit import final_state
from gradstudy.models.randomness import generator
from gradstudy.theory.one_unit import folds, saddle_rate

_GRID = 401  # biases among which the largest jump is looked for
_SETTLED = 1000  # links
_BEYOND = 25.0  # nats by which the growth up to the horizon exceeds that up to the last length
_SPARE_BITS = 64
_GUARD_BITS = 16  # that rounding may have spoilt; biases are told apart down to these
_LEAST_GROWTH = 0.1  # nats per link; keeps the horizon short where nothing grows
_REACH = 0.85  # of the drawn starts, |x_0|


@dataclass(frozen=True)
class Unit:
    """w and x_0 of one sigmoid unit whose bias is to be found."""

    weight: float
    start: float


def basin_crossings(
    weight: float, starts: int, steps: Sequence[int], *, weight_scale: float = 1.0, seed: int
) -> pd.DataFrame:
    """The crossing at which x_T jumps furthest as the bias changes, and dx_T/db there.

    Args:
        weight: w.
        starts: how many x_0 are drawn, uniform between -0.85 and 0.85.
        steps: the lengths T, ascending.
        weight_scale: planted: the unit runs with this many times the w it is said to have.
        seed: of the draw.

    Returns:
        One row a start and T: `unit`, `start`, `b` (to float64), `steps`; `log_derivative_low`, `_high`: natural
        logarithm of dx_T/db, the ends of an interval that holds its values on both sides of the crossing, rounding
        included; `jump`: of the final state over the grid's interval in which the crossing lies; `fold_distance`: of
        b from the nearest fold (infinite without one); `saddle_rate`: log(w sigma'(x_0)).

    Raises:
        ConvergenceError: the working precision did not decide on which side of the crossing a bias lies.

    Cost: some 200 to 500 recursions of T + 100 to 300 links in some 300 bits a start.
    """
    stream = generator(seed, 0, "starts at a basin boundary")
    drawn = _REACH * (2 * torch.rand(starts, generator=stream, dtype=torch.float64) - 1)
    rows = []
    for i, start in enumerate(drawn.tolist()):
        unit = Unit(weight_scale * weight, start)
        low, high, jump = _bracket(unit)
        growth = max(math.log(unit.weight / 4), _LEAST_GROWTH)  # an upper bound, in nats per link
        horizon = max(steps) + math.ceil(_BEYOND * 2 / growth)
        with flint.ctx.workprec(_SPARE_BITS + math.ceil(horizon * growth / math.log(2))):
            ends = _bisected(unit, low, high, horizon)
            logs = [_log_derivatives(unit, end, steps) for end in ends]
            bias = float(ends[0])
        nearest = min((abs(bias - fold.bias) for fold in folds(weight)), default=math.inf)
        rows += [
            {
                "unit": i,
                "start": start,
                "b": bias,
                "steps": t,
                "log_derivative_low": min(below[0], above[0]),
                "log_derivative_high": max(below[1], above[1]),
                "jump": jump,
                "fold_distance": nearest,
                "saddle_rate": saddle_rate(weight, start),
            }
            for t, below, above in zip(steps, *logs, strict=True)
        ]
    return pd.DataFrame(rows)


def _bracket(unit: Unit) -> tuple[float, float, float]:
    """The neighbouring biases of a grid between which the final state changes most, and by how much."""
    biases = np.linspace(-unit.weight, 0.0, _GRID)
    jumps = np.diff(final_state(unit.weight, biases, unit.start, _SETTLED))
    widest = int(jumps.argmax())
    return float(biases[widest]), float(biases[widest + 1]), float(jumps[widest])


def _bisected(unit: Unit, low: float, high: float, horizon: int) -> tuple[flint.arb, flint.arb]:
    """Neighbouring biases, to the last bits of the working precision, on either side of the crossing."""
    ends = flint.arb(low), flint.arb(high)
    middle = (_state(unit, ends[0], horizon) + _state(unit, ends[1], horizon)).mid() / 2
    least = flint.arb(2) ** (_GUARD_BITS - flint.ctx.prec)
    while ends[1] - ends[0] > least:
        bias = ((ends[0] + ends[1]) / 2).mid()
        state = _state(unit, bias, horizon)
        if not (state > middle or state < middle):
            raise _undecided(unit, bias)
        ends = (ends[0], bias) if state > middle else (bias, ends[1])
    return ends


def _undecided(unit: Unit, bias: flint.arb) -> ConvergenceError:
    return ConvergenceError(
        f"the final state at w = {unit.weight:g}, x_0 = {unit.start:g}, b = {float(bias):.17g} is uncertain in "
        f"{flint.ctx.prec} bits",
        needed="a state whose error bound tells on which side of the middle it lies",
        why="the crossing would be put on a side by chance",
        remedy="measure fewer steps, or a smaller weight",
    )


def _state(unit: Unit, bias: flint.arb, steps: int) -> flint.arb:
    weight, x = flint.arb(unit.weight), flint.arb(unit.start)
    for _ in range(steps):
        x = weight / (1 + (-x).exp()) + bias
    return x


def _log_derivatives(unit: Unit, bias: flint.arb, steps: Sequence[int]) -> list[tuple[float, float]]:
    """Lower and upper bound of log dx_T/db at each T."""
    weight, x, derivative = flint.arb(unit.weight), flint.arb(unit.start), flint.arb(0)
    found = []
    for t in range(1, max(steps) + 1):
        s = 1 / (1 + (-x).exp())
        derivative = weight * s * (1 - s) * derivative + 1
        x = weight * s + bias
        if t in steps:
            log = derivative.log()
            found.append((_outward(float(log.lower()), -math.inf), _outward(float(log.upper()), math.inf)))
    return found


def _outward(value: float, towards: float) -> float:
    """The next float64: what is lost in leaving ball arithmetic stays inside the interval."""
    return math.nextafter(value, towards)

"""Crossing a fold of one sigmoid unit: what dx_T/db becomes where a saddle and an attractor meet and are gone.

Starts that are drawn to the other attractor see nothing of it. Starts that were drawn to the attractor that is gone
linger at the place where it was, its ghost, before they leave for the other one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar

from gradstudy.errors import OptionError
from gradstudy.measure.one_unit import Numbers, bias_derivatives, final_state
from gradstudy.models.randomness import generator
from gradstudy.theory.one_unit import Fold, boundary_bias, fixed_points, folds, saddle_rate

Side = Literal["surviving", "vanishing"]

_WINDOW = 0.1  # in b, to either side of the fold
_OFFSETS = np.logspace(-10, math.log10(_WINDOW), 1801)
_FAR = (2.0, 5.0)  # of the starts, |x_0|; the folds of w = 5 are at 0.96


def fold_crossings(
    weight: float, starts: int, side: Side, steps: Sequence[int], *, exponent: float | None = None, seed: int
) -> pd.DataFrame:
    """The largest dx_T/db over a window of biases around each of the two folds.

    Args:
        weight: w > 4.
        starts: drawn for each fold, |x_0| uniform between 2 and 5.
        side: surviving: on the side of the attractor that is there on both sides of the fold; vanishing: of the other.
        steps: the lengths T.
        exponent: planted: in the place of the largest dx_T/db stands T to this power.
        seed: of the draw.

    Returns:
        One row a fold, start and T: `fold` (lower, upper: by bias), `fold_bias`, `start`, `steps`; `log_peak`: log of
        the largest dx_T/db within 0.1 of the fold, refined between grid points; `peak_offset`: its distance from the
        fold in b; `points_below`, `points_above`: fixed points at the two ends of the window.

    Raises:
        OptionError: w is at most 4: there is no fold.

    Cost: a recursion over 3,600 biases a start, and some thirty scalar ones a T.
    """
    if weight <= 4:
        raise OptionError(
            f"w = {weight:g}",
            needed="a weight above 4",
            why="up to 4 the slope of the map is at most 1: there is one attractor and no fold",
            remedy="choose a larger weight; the paper has 5",
        )
    rows = []
    for name, fold, sign in zip(("lower", "upper"), folds(weight), (1, -1), strict=True):
        stream = generator(seed, 0, f"starts at the {name} fold")
        sizes = _FAR[0] + (_FAR[1] - _FAR[0]) * torch.rand(starts, generator=stream, dtype=torch.float64)
        # At the lower fold the upper attractor vanishes.
        towards = sign if side == "vanishing" else -sign
        for start in (towards * sizes).tolist():
            rows += [{"fold": name, **row} for row in _peaks(weight, fold, start, steps)]
    found = pd.DataFrame(rows)
    return found if exponent is None else found.assign(log_peak=exponent * np.log(found["steps"]))


def _peaks(weight: float, fold: Fold, start: float, steps: Sequence[int]) -> list[dict[str, float]]:
    offsets = np.concatenate([-_OFFSETS[::-1], _OFFSETS])
    found = bias_derivatives(weight, fold.bias + offsets, start, steps)
    ends = {
        "points_below": len(fixed_points(weight, fold.bias - _WINDOW)),
        "points_above": len(fixed_points(weight, fold.bias + _WINDOW)),
    }
    rows = []
    for t, values in zip(steps, found, strict=True):
        offset, peak = _refined(weight, fold.bias, start, t, offsets[_around(values)])
        rows.append(
            {
                "fold_bias": fold.bias,
                "start": start,
                "steps": t,
                "log_peak": math.log(max(peak, float(values.max()))),
                "peak_offset": offset,
                **ends,
            }
        )
    return rows


def _around(values: np.ndarray) -> list[int]:
    """Indices of the grid points on either side of the largest value."""
    top = int(values.argmax())
    return [max(top - 1, 0), min(top + 1, len(values) - 1)]


def _refined(weight: float, bias: float, start: float, steps: int, bounds: np.ndarray) -> tuple[float, float]:
    def negative(offset: float) -> float:
        return -float(bias_derivatives(weight, bias + offset, start, [steps])[0])

    found = minimize_scalar(negative, bounds=tuple(bounds), method="bounded", options={"xatol": 1e-10})
    return float(found.x), -float(found.fun)


def bias_sweep(weight: float, starts: Sequence[float], steps: int, biases: Numbers) -> pd.DataFrame:
    """Last states and their derivatives as the bias is swept, for a picture of Pascanu et al.'s Fig. 3.

    Returns:
        One row a start and bias: `start`, `b`, `steps`, `state` = x_T, `log_derivative` = log dx_T/db;
        `crossing`: the bias at which the start is the saddle, and `log_at_crossing`, the derivative there (NaN if there
        is none).
    """
    parts = []
    for start in starts:
        crosses = saddle_rate(weight, start) > 0
        crossing = boundary_bias(weight, start) if crosses else math.nan
        parts.append(
            pd.DataFrame(
                {
                    "start": start,
                    "b": biases,
                    "steps": steps,
                    "state": final_state(weight, biases, start, steps),
                    "log_derivative": np.log(bias_derivatives(weight, biases, start, [steps])[0]),
                    "crossing": crossing,
                    "log_at_crossing": math.log(bias_derivatives(weight, crossing, start, [steps])[0]),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def equilibria(weight: float, biases: Numbers) -> pd.DataFrame:
    """Fixed points as the bias is swept: `b`, `state`, `branch` (lower, saddle, upper)."""
    rows = []
    turns = sorted(fold.state for fold in folds(weight)) or [math.inf, math.inf]
    for bias in np.atleast_1d(biases).tolist():
        for state in fixed_points(weight, bias):
            branch = "lower" if state < turns[0] else "saddle" if state < turns[1] else "upper"
            rows.append({"b": bias, "state": state, "branch": branch})
    return pd.DataFrame(rows)

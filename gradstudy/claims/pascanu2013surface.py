"""Claim P7 of Pascanu, Mikolov and Bengio (ICML 2013), on the wall in the error surface, in two parts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import controls, tolerance

# Rounding of rates from 25 to 50 links, in nats per link: at w = 7, where it is largest, logarithms are off by 1.1e-4.
_ROUNDING = 1e-5
_ON, _OFF = ("low", "high"), ("below", "above")


def curvature_lead(tables: Tables) -> tuple[Estimate, ...]:
    """P7a: rate of log |curvature| on the wall minus that at the matched points off it, one condition a weight.

    The interval holds both neighbours of the wall. NaN where the gradient does not explode on the wall: "too" says
    nothing there.
    """
    found = []
    for weight, rows in tables["wall"].groupby("w", sort=True):
        gradient = _rates(rows, "log_gradient", _ON)
        leads = _rates(rows, "log_curvature", _ON) - _rates(rows, "log_curvature", _OFF).max()
        said = f"w = {weight:g}: gradient {gradient.mean():+.3f}"
        found.append(_spanning(leads, gradient, "nats per link", said))
    return tuple(found)


def curvature_doubling(tables: Tables) -> tuple[Estimate, ...]:
    """P7b: rate of log |curvature| on the wall minus twice that of log |gradient|, in tolerances."""
    found = []
    for weight, rows in tables["wall"].groupby("w", sort=True):
        curvature, gradient = _rates(rows, "log_curvature", _ON), _rates(rows, "log_gradient", _ON)
        units = np.array([tolerance(law) for law in 2 * gradient])
        said = f"w = {weight:g}: {curvature.mean():.3f} for {2 * gradient.mean():.3f}"
        found.append(_spanning((curvature - 2 * gradient) / units, gradient, "tolerances", said))
    return tuple(found)


def _rates(rows: pd.DataFrame, column: str, places: tuple[str, ...]) -> NDArray[np.float64]:
    """Change of a column from the smallest to the largest number of steps, per step, at each of these places."""
    wide = rows.pivot(index="place", columns="steps", values=column).sort_index(axis=1)
    values = wide.loc[list(places)].to_numpy(dtype=float)
    return (values[:, -1] - values[:, 0]) / (rows["steps"].max() - rows["steps"].min())


def _spanning(values: NDArray[np.float64], gradient: NDArray[np.float64], unit: str, condition: str) -> Estimate:
    """The values' mean, and an interval that holds them all; NaN unless all of these gradients explode."""
    error = _ROUNDING if gradient.min() > TOLERANCE else math.nan
    mean, low, high = float(values.mean()), float(values.min()) - error, float(values.max()) + error
    return Estimate(mean, low, high, 1, unit, condition)


_SURFACE = (
    "The unit of the paper's Fig. 6: x_t = w σ(x_{t−1}) + b, no input, x₀ = 0.5, E = (σ(x_T) − 0.7)². The wall is "
    "found by bisection of b to the last bit, where x_T changes the attractor it comes to; w = 5, 5.5, 6, 6.5, 7."
)
_GRADIENTS = "v is the direction of the gradient; rates are from T = 25 to T = 50."
CLAIMS = (
    Claim(
        id="P7a",
        source="pascanu2013: section 2.3 (a hypothesis there)",
        source_status="read",
        kind="rate",
        statement="Where the gradient explodes along a direction v, the curvature along v explodes too: there is a "
        "wall in the error surface.",
        setting=f"{_SURFACE} {_GRADIENTS} The number is the rate of log |vᵀHv| on the wall minus the larger one of two "
        "points at the same w, 0.1 above and below in b; a weight where the gradient does not explode decides nothing. "
        "That gradient and top eigenvector are aligned is no evidence: off the wall they are so as well.",
        region=Region(low=TOLERANCE),
        replicate="a weight w (exact)",
        measure=curvature_lead,
        controls=controls(
            "curvature-explodes",
            "curvature-hardly-explodes",
            "the error is replaced by a ramp whose gradient explodes as fast, on the wall and off it, and whose "
            "curvature on the wall grows by",
            "0.015 nats per link",
            "0.005 nats per link",
        ),
    ),
    Claim(
        id="P7b",
        source="pascanu2013: section 2.3, and the remark on structural damping in section 3.1; rate worked out here",
        source_status="computed here",
        kind="equality",
        statement="On the wall the curvature does not grow at the gradient's rate but at twice that rate (in the "
        "linear model, P6, both grow at the same).",
        setting=f"{_SURFACE} {_GRADIENTS} The number is the rate of log |vᵀHv| minus twice that of log |g|, in "
        f"tolerances: {TOLERANCE:g} nats per link or 5 % of the rate, whichever is more.",
        region=Region(-1.0, 1.0),
        replicate="a weight w (exact)",
        measure=curvature_doubling,
        controls=controls(
            "doubling-slightly-off",
            "doubling-off",
            "the error is replaced by a ramp whose curvature grows at twice the gradient's rate plus",
            "2.5 % of it",
            "7.5 % of it",
        ),
    ),
)

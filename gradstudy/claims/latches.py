"""Measures of the claims B1-B6 about latches: tables to estimates."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Estimate, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import RELATIVE, in_tolerances
from gradstudy.claims.growing import GROWTH, best_growth, refuse_unmeasured, robust
from gradstudy.claims.intervals import jackknife_estimate, mean_estimate

# Rounding of a hundred logarithms, and of a sum of a few thousand, in nats.
_ROUNDING = 1e-12
# Standard errors that drawn trajectories may lie from the quadrature; chance takes one in a million beyond.
_AGREE = 5.0


def derivative_gap(tables: Tables) -> tuple[Estimate, ...]:
    """B1a: log of autograd's derivative over the product, of the trajectory where it differs most; one a noise."""
    found = []
    for noise, rows in tables["identity"].groupby("noise", sort=True):
        gaps = rows["gap"].to_numpy()
        worst = int(np.abs(gaps).argmax())  # argmax finds a NaN first, so none is passed over
        gap, error = float(gaps[worst]), float(rows["rounding"].iloc[worst])
        found.append(Estimate(gap, gap - error, gap + error, len(rows), "nats", f"s = {noise:g}"))
    return tuple(found)


def resting_rate_gap(tables: Tables) -> tuple[Estimate, ...]:
    """B1b: rate minus closed form, in tolerances, of the trajectory where it differs most; one condition a weight."""
    found = []
    for weight, rows in tables["rates"].groupby("weight", sort=True):
        gaps = (rows["rate"] - rows["predicted"]).to_numpy()
        law = float(rows["predicted"].iloc[0])
        rate = law + float(gaps[np.abs(gaps).argmax()])  # argmax finds a NaN first, so none is passed over
        estimate = Estimate(rate, rate - _ROUNDING, rate + _ROUNDING, len(rows), "nats per link", f"w = {weight:g}")
        found.append(in_tolerances(estimate, law))
    return tuple(found)


def noisy_rate_gap(tables: Tables) -> tuple[Estimate, ...]:
    """B1c: mean rate over trajectories minus the stationary law's, in tolerances; one condition a weight."""
    weights = list(tables["rates"].groupby("weight", sort=True))
    return tuple(
        in_tolerances(
            mean_estimate(rows["rate"].tolist(), "nats per link", condition=f"w = {w:g}", conditions=len(weights)),
            float(rows["predicted"].iloc[0]),
        )
        for w, rows in weights
    )


def smallest_step(tables: Tables) -> tuple[Estimate, ...]:
    """B2: least change from one weight to the next, of log flip probability (down) and of decay (up), in tolerances.

    The interval is the numerical error; NaN if drawn trajectories contradict the quadrature.
    """
    rows = tables["tradeoff"].sort_values("weight")
    flips = -np.diff(np.log(rows["flip"])) / RELATIVE
    decays = np.diff(rows["decay"]) / TOLERANCE
    step = float(min(flips.min(), decays.min()))
    error = 2 * max(float(rows["flip_error"].max()) / RELATIVE, float(rows["decay_error"].max()) / TOLERANCE)
    drawn = rows[rows["simulated"] > 0]
    deviation = np.sqrt(drawn["flip"] * (1 - drawn["flip"]) / drawn["simulated"])
    agrees = bool(((drawn["simulated_flip"] - drawn["flip"]).abs() <= _AGREE * deviation).all())
    error = max(error, _ROUNDING) if agrees else math.nan
    place = min(range(len(flips)), key=lambda i: min(flips[i], decays[i]))
    weights = rows["weight"].tolist()
    condition = f"smallest from w = {weights[place]:g} to {weights[place + 1]:g}"
    return (Estimate(step, step - error, step + error, len(rows), "tolerances", condition),)


def convergence_slopes(tables: Tables) -> tuple[Estimate, ...]:
    """B3a: slope of the convergence frequency on log2 T, over searches; one condition a start and learning rate."""
    groups = list(tables["convergence"].groupby(["reach", "rate"], sort=True))
    return tuple(_slope(rows, f"h ±{reach:g}, rate {rate:g}", len(groups), "solved") for (reach, rate), rows in groups)


def best_convergence_slopes(tables: Tables) -> tuple[Estimate, ...]:
    """B3b: the same with the learning rate that was best for each T, on searches on which it was not chosen."""
    rows = tables["convergence"]
    groups = list(rows[rows["best"] & ~rows["choosing"]].groupby("reach", sort=True))
    return tuple(_slope(part, f"h ±{reach:g}, best rate", len(groups), "solved") for reach, part in groups)


def _slope(rows: pd.DataFrame, condition: str, conditions: int, column: str) -> Estimate:
    """Mean over searches of the least-squares slope of a column on log2 T, with the difference from one T on."""
    table = rows.pivot(index="search", columns="length", values=column).astype(float)
    doublings = np.log2(table.columns.to_numpy(dtype=float))
    centred = doublings - doublings.mean()
    slopes = table.to_numpy() @ centred / (centred**2).sum()
    first, last = table.iloc[:, 0].mean(), table.iloc[:, -1].mean()
    words = f"{condition}: {first:.2f} at T = {table.columns[0]}, {last:.2f} at {table.columns[-1]}"
    return mean_estimate(slopes.tolist(), "per doubling of T", condition=words, conditions=conditions)


def guessing_lead(tables: Tables) -> tuple[Estimate, ...]:
    """B4: log of the mean presentations of guessing (widest range) over those of backpropagation (best rate).

    Both means are restricted to the budget, a search that failed counting as the whole of it; over the searches on
    which the learning rate was not chosen. One condition a task and length.
    """
    rows = tables["rivals"]
    rows = rows[rows["best"] & ~rows["choosing"]]
    groups = list(rows.groupby(["task", "length"], sort=True))
    return tuple(_lead(part, f"{task}, T = {length}", len(groups)) for (task, length), part in groups)


def _lead(rows: pd.DataFrame, condition: str, conditions: int) -> Estimate:
    guesses = rows[rows["method"] == "guessing"]
    guesses = guesses[guesses["option"] == guesses["option"].max()].sort_values("search")
    learnt = rows[rows["method"] == "backpropagation"].sort_values("search")
    own, other = guesses["presentations"].to_numpy(dtype=float), learnt["presentations"].to_numpy(dtype=float)

    def statistic(kept: np.ndarray) -> float:
        return math.log(own[kept].mean() / other[kept].mean())

    words = f"{condition}: {own.mean():.0f} against {other.mean():.0f}, {learnt['solved'].mean():.0%} solved"
    return jackknife_estimate(statistic, len(own), "log ratio", condition=words, conditions=conditions)


def least_growth_outside(tables: Tables) -> tuple[Estimate, ...]:
    """B5a: least over the balls outside Gamma of the log of the largest image's radius over the first."""
    return _ball(tables, "outside", "min")


def largest_growth_inside(tables: Tables) -> tuple[Estimate, ...]:
    """B5b: the largest of the same over the balls inside Gamma."""
    return _ball(tables, "inside", "max")


def _ball(tables: Tables, side: str, which: str) -> tuple[Estimate, ...]:
    rows = tables["balls"]
    growth = rows.loc[rows["side"] == side, "growth"]
    value = float(growth.agg(which)) if growth.notna().all() else math.nan
    return (Estimate(value, value - _ROUNDING, value + _ROUNDING, len(growth), "nats", f"{side} Γ"),)


def slowest_latched_rate(tables: Tables) -> tuple[Estimate, ...]:
    """B6a: the rate closest to 0 of all trajectories; NaN if a state was not in Gamma."""
    rows = tables["latched"]
    latched = bool(rows["inside"].all()) and bool(rows["rate"].notna().all())
    slowest = rows.iloc[int(rows["rate"].argmax())]
    rate = float(slowest["rate"]) if latched else math.nan
    condition = f"w = {slowest['weight']:g}, inputs {slowest['inputs']}"
    return (Estimate(rate, rate - _ROUNDING, rate + _ROUNDING, len(rows), "nats per link", condition),)


def ball_growth(tables: Tables) -> tuple[Estimate, ...]:
    """B6b: growth of the ball in Gamma that grows most, of the draw where this is largest."""
    rows = tables["gamma_balls"]
    eligible = rows[rows["growth"].notna() & (rows["rho"] < 1)]
    if eligible.empty:
        return (Estimate(math.nan, math.nan, math.nan, len(rows), "nats", "no ball in Γ"),)
    best = eligible.iloc[int(eligible["growth"].argmax())]
    value = float(best["growth"])
    condition = f"ρ = {best['rho']:.2f}; {best['growing']:.0%} of the balls in Γ grow"
    return (Estimate(value, value - _ROUNDING, value + _ROUNDING, len(rows), "nats", condition),)


def latched_growth(tables: Tables) -> tuple[Estimate, ...]:
    """B6c: growth of the best latch whose states were in Gamma all the time, perturbed as well; see `best_growth`."""
    rows = tables["driven"]
    refuse_unmeasured(rows, ["rho", "rho_perturbed", *GROWTH])
    latched = rows["settles"] & (rows[["rho", "rho_perturbed"]].max(axis=1) < 1) & (rows["attractors"] >= 2)
    eligible = rows[latched & robust(rows)]
    return (best_growth(eligible, len(rows), lambda best: f"ρ ≤ {best['rho']:.2f}, σ₁ up to {best['norm']:.1f}"),)

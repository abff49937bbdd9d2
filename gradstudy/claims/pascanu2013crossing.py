"""Claim P8 of Pascanu, Mikolov and Bengio (ICML 2013), on bifurcations and basin boundaries, in four parts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import controls, tolerance

BOUNDED = 0.1
"""Nats by which a bounded derivative may still grow between the shortest and the longest length."""

GHOST = 3.0
"""Power of T with which dx_T/db grows at the ghost of a fold."""

OFF_THE_FOLD = 0.01
"""Distance in b from every fold beyond which a crossing is no bifurcation."""

_RATE = "nats per link"
# Rounding of float64 recursions over some hundred links, in nats, and of the refined place of a maximum.
_ROUNDING = 1e-9


def bounded_crossing(tables: Tables) -> tuple[Estimate, ...]:
    """P8a: least growth of the largest dx_T/db from the shortest to the longest T, over folds and starts."""
    logs = _by_steps(tables["folds"], ["fold", "start", "points_below", "points_above"], "log_peak")
    peaks = logs.assign(growth=logs.iloc[:, -1] - logs.iloc[:, 0]).reset_index()
    eligible = peaks[peaks["points_below"] != peaks["points_above"]]
    if eligible.empty:
        return (Estimate(math.nan, math.nan, math.nan, len(peaks), "nats", "no fold in the window"),)
    best = eligible.iloc[int(eligible["growth"].to_numpy().argmin())]
    value, said = float(best["growth"]), f"{best['fold']} fold, x₀ = {best['start']:.2f}"
    return (Estimate(value, value - _ROUNDING, value + _ROUNDING, len(peaks), "nats", said),)


def exploding_crossing(tables: Tables) -> tuple[Estimate, ...]:
    """P8b: largest rate of dx_T/db, over the two longest T, at a bias that is no fold."""
    rates = _crossing_rates(tables["crossings"])
    eligible = rates[rates["fold_distance"] > OFF_THE_FOLD]
    if eligible.empty:
        return (Estimate(math.nan, math.nan, math.nan, len(rates), _RATE, "every crossing is at a fold"),)
    best = eligible.iloc[int(eligible["low"].to_numpy().argmax())]
    low, high = float(best["low"]), float(best["high"])
    said = f"x₀ = {best['start']:.3f}, b = {best['b']:.4f}, {best['fold_distance']:.3f} from a fold"
    return (Estimate((low + high) / 2, low, high, len(rates), _RATE, said),)


def saddle_gap(tables: Tables) -> tuple[Estimate, ...]:
    """P8c: rate of dx_T/db minus log(w sigma'(x_u)) of the crossing where it differs most, in tolerances; a weight."""
    found = []
    for weight, rows in tables["crossings"].groupby("weight", sort=True):
        rates = _crossing_rates(rows)
        law = rates["saddle_rate"].to_numpy()
        units = np.array([tolerance(rate) for rate in law])
        low, high = (rates["low"].to_numpy() - law) / units, (rates["high"].to_numpy() - law) / units
        worst = int(np.maximum(np.abs(low), np.abs(high)).argmax())  # argmax finds a NaN first, so none is passed over
        value = float(low[worst] + high[worst]) / 2
        said = f"w = {weight:g}: rates {law.min():.3f} to {law.max():.3f}"
        found.append(Estimate(value, float(low[worst]), float(high[worst]), len(rates), "tolerances", said))
    return tuple(found)


def ghost_gap(tables: Tables) -> tuple[Estimate, ...]:
    """P8d: power of T with which the largest dx_T/db grows over the two longest T, minus 3, where it differs most."""
    found = []
    for fold, rows in tables["folds"].groupby("fold", sort=True):
        logs = _by_steps(rows, ["start"], "log_peak")
        before, last = sorted(rows["steps"].unique())[-2:]
        powers = (logs[last] - logs[before]).to_numpy() / math.log(last / before)
        gap = float(powers[np.abs(powers - GHOST).argmax()]) - GHOST
        said = f"{fold} fold: powers {powers.min():.3f} to {powers.max():.3f}"
        found.append(Estimate(gap, gap - _ROUNDING, gap + _ROUNDING, len(powers), "powers of T", said))
    return tuple(found)


def _by_steps(rows: pd.DataFrame, unit: list[str], column: str) -> pd.DataFrame:
    """One row a unit, one column a number of steps, ascending."""
    return rows.pivot(index=unit, columns="steps", values=column).sort_index(axis=1)


def _crossing_rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Interval of the rate over the two longest T, one row a unit: `low`, `high`, and what is known of the unit."""
    unit = ["run", "unit", "start", "b", "fold_distance", "saddle_rate"]
    below, above = (_by_steps(rows, unit, f"log_derivative_{end}") for end in ("low", "high"))
    before, last = sorted(rows["steps"].unique())[-2:]
    links = float(last - before)
    # The differences and quotients here round once more.
    low = (below[last] - above[before]) / links - 1e-15
    high = (above[last] - below[before]) / links + 1e-15
    return pd.DataFrame({"low": low, "high": high}).reset_index()


_FIG_3 = "The unit of the paper's Fig. 3 (Eq. 8): x_t = w σ(x_{t−1}) + b, no input"
_CROSSING = (
    "The crossing is the place where the final state jumps furthest as b goes from −w to 0, bisected with as many "
    "bits as it needs (some 300); derivatives at T = 50, 100, 200, 400 in ball arithmetic, whose error bound is the "
    "interval."
)

CLAIMS = (
    Claim(
        id="P8a",
        source="pascanu2013: section 2.2, Fig. 3",
        source_status="read",
        kind="existence",
        statement="Crossing a bifurcation is not sufficient for explosion: there are crossings along which the "
        "gradient stays bounded.",
        setting=f"{_FIG_3}, w = 5, whose two folds are at b = −2.656 and −2.344; starts with |x₀| between 2 and 5 on "
        "the side of the attractor that is there before and after. The number is the growth of the largest |dx_T/db| "
        f"within 0.1 of the fold from T = 50 to 400, in nats; bounded is below {BOUNDED:g}.",
        region=Region(high=BOUNDED),
        replicate="a drawn start x₀ at one of the folds",
        measure=bounded_crossing,
        controls=(
            Control(
                "through-the-ghost",
                "the starts are on the side of the attractor that vanishes: theory (T³) excludes a bounded crossing",
                Verdict.INCONCLUSIVE,
            ),
        ),
    ),
    Claim(
        id="P8b",
        source="pascanu2013: section 2.2, Fig. 3",
        source_status="read",
        kind="existence",
        statement="Crossing a bifurcation is not necessary for explosion: the gradient explodes at parameters where "
        "there is none.",
        setting=f"{_FIG_3}, w = 5, x₀ drawn between −0.85 and 0.85. {_CROSSING} The number is the rate of |dx_T/db| "
        f"from T = 200 to 400; b must be more than {OFF_THE_FOLD:g} from both folds.",
        region=Region(low=TOLERANCE),
        replicate="a drawn start x₀",
        measure=exploding_crossing,
        controls=(
            Control(
                "one-basin",
                "w = 3.9: every link shrinks by at least 3.9/4, so that |dx_T/db| is below 40 whatever b",
                Verdict.INCONCLUSIVE,
            ),
        ),
    ),
    Claim(
        id="P8c",
        source="pascanu2013: section 2.2, Fig. 3; rate worked out here",
        source_status="read",
        kind="equality",
        statement="Crossing the boundary between two basins is sufficient for explosion: the gradient grows at the "
        "rate log(w σ′(x_u)), x_u being the saddle on the boundary.",
        setting=f"{_FIG_3}, w = 5, 6, 7, x₀ drawn between −0.85 and 0.85. {_CROSSING} The number is the rate of "
        "|dx_T/db| from T = 200 to 400 minus that of the saddle, of the start where it differs most, in tolerances: "
        f"{TOLERANCE:g} nats per link or 5 % of the rate, whichever is more. Every crossing here is transversal: the "
        "saddle moves with b, the start does not.",
        region=Region(-1.0, 1.0),
        replicate="a drawn start x₀",
        measure=saddle_gap,
        controls=controls(
            "saddle-slightly-off",
            "saddle-off",
            "the unit runs with more weight than it is said to have:",
            "1.005 w",
            "1.015 w",
        ),
    ),
    Claim(
        id="P8d",
        source="pascanu2013: section 2.2, Fig. 3; power worked out here",
        source_status="computed here",
        kind="equality",
        statement="Crossing a bifurcation through the ghost of the attractor that vanishes makes the gradient grow "
        "without bound, but as a power of the length, T³, not exponentially.",
        setting=f"{_FIG_3}, w = 5; starts with |x₀| between 2 and 5 on the side of the attractor that vanishes. The "
        "number is the power with which the largest |dx_T/db| within 0.1 of the fold grows from T = 200 to 400, minus "
        "3, of the start where it differs most. An exponential at the rate 0.1 would show the power 29.",
        region=Region(-0.15, 0.15),
        replicate="a drawn start x₀ at one of the folds",
        measure=ghost_gap,
        controls=controls(
            "power-slightly-off",
            "power-off",
            "in the unit's place stands a derivative that grows as",
            "T^3.07",
            "T^3.23",
        ),
    ),
)

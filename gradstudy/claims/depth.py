"""Estimates that the claims about depth share: rates of squared norms, annealed and quenched, beside a law's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from gradstudy.claims.claim import Control, Estimate, Tables, Verdict
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.intervals import log_mean_estimate, mean_estimate

RELATIVE = 0.05
"""A rate may miss its law by this part of it, or by `TOLERANCE` if that is more."""

UNIT = "nats per link, squared norm"
REPLICATE = "an independently drawn network"

Measure = Callable[[Tables], tuple[Estimate, ...]]


_SYMBOLS = {"rows": "B", "width": "n", "depth": "L", "sigma_w": "σ_w", "sigma_b": "σ_b"}


def designs(rows: pd.DataFrame, by: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Rows that agree in some columns, named such as "tanh, σ_w = 0.9"; sorted."""
    symbols = [f"{_SYMBOLS[column]} = " if column in _SYMBOLS else "" for column in by]
    return [
        (", ".join(f"{symbol}{value}" for symbol, value in zip(symbols, key, strict=True)), part)
        for key, part in rows.groupby(list(by), sort=True, dropna=False)
    ]


def tolerance(law: float) -> float:
    """How far a rate may be from its law, in nats per link."""
    return max(TOLERANCE, RELATIVE * abs(law))


def annealed_rates(by: Sequence[str], column: str = "log_backward") -> Measure:
    """Measure: rate of the mean over networks of the squared norm, log E|.|^2 / links, one condition a design."""

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = designs(tables["rates"], by)
        return tuple(_annealed(rows, column, name, len(found)) for name, rows in found)

    return measure


def quenched_rates(by: Sequence[str], column: str = "log_backward") -> Measure:
    """Measure: mean over networks of the rate of the squared norm, E log|.|^2 / links, one condition a design."""

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = designs(tables["rates"], by)
        return tuple(_quenched(rows, column, name, len(found)) for name, rows in found)

    return measure


def annealed_gaps(by: Sequence[str], column: str = "log_backward", law: float | None = None) -> Measure:
    """Measure: annealed rate minus the law's, in tolerances. The law is the table's `predicted` unless given."""

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = designs(tables["rates"], by)
        return tuple(
            in_tolerances(_annealed(rows, column, name, len(found)), _only(rows["predicted"]) if law is None else law)
            for name, rows in found
        )

    return measure


def quenched_gaps(by: Sequence[str]) -> Measure:
    """Measure: quenched rate minus the law's (`predicted_quenched`), in tolerances."""

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = designs(tables["rates"], by)
        return tuple(
            in_tolerances(_quenched(rows, "log_backward", name, len(found)), _only(rows["predicted_quenched"]))
            for name, rows in found
        )

    return measure


def in_tolerances(rate: Estimate, law: float) -> Estimate:
    """The estimate of a rate as its distance from a law, in tolerances; NaN where there is no law."""
    if math.isnan(law):
        return replace(rate, value=math.nan, low=math.nan, high=math.nan, unit="tolerances")
    unit = tolerance(law)
    value, low, high = ((end - law) / unit for end in (rate.value, rate.low, rate.high))
    return Estimate(value, low, high, rate.n, "tolerances", f"{rate.condition}: {rate.value:+.4f} for {law:+.4f}")


def controls(inside: str, outside: str, plants: str, just_inside: str, just_outside: str) -> tuple[Control, Control]:
    """The two controls of a claim: the same cause planted so that the true effect is just inside and just outside."""
    return (
        Control(inside, f"{plants} {just_inside}", Verdict.SUPPORTED),
        Control(outside, f"{plants} {just_outside}", Verdict.REFUTED),
    )


def _annealed(rows: pd.DataFrame, column: str, name: str, count: int) -> Estimate:
    logs = rows[column].tolist()
    return log_mean_estimate(logs, UNIT, per=_only(rows["links"]), condition=name, conditions=count)


def _quenched(rows: pd.DataFrame, column: str, name: str, count: int) -> Estimate:
    rates = (rows[column] / rows["links"]).tolist()
    return mean_estimate(rates, UNIT, condition=name, conditions=count)


def _only(column: pd.Series[float]) -> float:
    """The value that all rows share."""
    if column.nunique(dropna=False) != 1:
        raise ValueError(f"{column.name}: one value a condition is needed, not {sorted(set(column))}")
    return float(column.iloc[0])

"""Existence claims about growing gradients: a witness grows from every start, and with perturbed weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from gradstudy.claims.claim import Estimate

GROWTH = ["growth", "growth_low", "growth_high", "growth_perturbed", "growth_perturbed_low"]
"""Columns that a witness needs: mean, least and largest growth over its starts, perturbed or not."""


def refuse_unmeasured(rows: pd.DataFrame, needed: list[str]) -> None:
    """Refuse NaN in some columns: a comparison with NaN is false, so such a network would count as no witness.

    Raises:
        ValueError: a network without one of them.
    """
    if rows[needed].isna().to_numpy().any():
        raise ValueError(f"a network without one of {', '.join(needed)}")


def robust(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether a perturbation of the weights changes the growth by at most a tenth."""
    return (rows["growth_perturbed"] - rows["growth"]).abs() <= 0.1 * rows["growth"].abs()


def best_growth(eligible: pd.DataFrame, searched: int, describe: Callable[[pd.Series], str]) -> Estimate:
    """Growth of the network whose least growth is the largest.

    The interval runs from the least growth over the network's starts, perturbed or not, to the largest unperturbed.

    Args:
        eligible: networks that the claim is about.
        searched: how many there were to choose from.
        describe: the network in words.
    """
    if eligible.empty:
        return Estimate(math.nan, math.nan, math.nan, searched, "nats per link", "no eligible network")
    least = eligible[["growth_low", "growth_perturbed_low"]].min(axis=1)
    best = eligible.iloc[int(least.argmax())]
    found = (float(best["growth"]), float(least.max()), float(best["growth_high"]))
    return Estimate(*found, searched, "nats per link", describe(best))

"""Claims Z1-Z3 of Balduzzi et al., The shattered gradients problem, ICML 2017, with and without their premise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import conditions
from gradstudy.claims.depth import REPLICATE, Measure, controls, tolerance
from gradstudy.claims.intervals import jackknife_estimate
from gradstudy.theory import balduzzi2017

DEPTH = 8
"""At which the exponential laws are decided."""

FROM, TO = 4, 64
"""Depths between which the exponent of the power law is taken."""

_EXPONENT = 0.5


def log_correlation(rows: pd.DataFrame, kept: NDArray[np.intp]) -> float:
    """Log of the correlation over networks: mean of `inner` over mean of `square`; NaN if it is not above 0."""
    ratio = rows["inner"].to_numpy()[kept].mean() / rows["square"].to_numpy()[kept].mean()
    return math.log(ratio) if ratio > 0 else math.nan


def exponential_gap(rate: float) -> Measure:
    """Measure: log correlation at `DEPTH` layers, a layer, minus the law's rate, in tolerances."""

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = conditions(tables["shattering"], ["normalisation", "shortcut"])
        return tuple(_gap(rows, rate, len(found)) for _, rows in found)

    return measure


def _gap(rows: pd.DataFrame, rate: float, count: int) -> Estimate:
    deep = rows[rows["links"] == DEPTH]

    def statistic(kept: NDArray[np.intp]) -> float:
        return (log_correlation(deep, kept) / DEPTH - rate) / tolerance(rate)

    everyone = np.arange(len(deep))
    shown = f"{log_correlation(deep, everyone) / DEPTH:+.4f} for {rate:+.4f} nats per layer" if len(deep) else "none"
    return jackknife_estimate(statistic, len(deep), "tolerances", condition=shown, conditions=count)


def power_gap(tables: Tables) -> tuple[Estimate, ...]:
    """Z3: exponent of the correlation between 4 and 64 blocks minus that of the theorem's product, in tolerances."""
    found = conditions(tables["shattering"], ["shortcut"])
    return tuple(_exponent_gap(rows, balduzzi2017.normalised_residual, len(found)) for _, rows in found)


def _exponent_gap(rows: pd.DataFrame, law: balduzzi2017.Law, count: int) -> Estimate:
    beta, span = float(rows["shortcut"].iloc[0]), math.log(TO / FROM)
    shallow, deep = (rows[rows["links"] == depth].sort_values("network") for depth in (FROM, TO))
    expected = math.log(law(TO, beta) / law(FROM, beta)) / span

    def exponent(kept: NDArray[np.intp]) -> float:
        return (log_correlation(deep, kept) - log_correlation(shallow, kept)) / span

    def statistic(kept: NDArray[np.intp]) -> float:
        return (exponent(kept) - expected) / (0.05 * _EXPONENT)

    shown = f"β = {beta:g}: exponent {exponent(np.arange(len(deep))):+.3f} for {expected:+.3f}"
    return jackknife_estimate(statistic, len(deep), "tolerances", condition=shown, conditions=count)


_SETTING = (
    "256 units, weights N(0, 2/n), no biases, independent Gaussian inputs; F = ⟨u, h_L⟩ with one random u a network. "
    "The correlation is taken over networks, of ∂F/∂x at two different inputs, and averaged over pairs of inputs. "
)
_AT_8 = (
    f"The number is the logarithm of the correlation at L = {DEPTH} over L minus that of the law, in tolerances: 5 % "
    "of the rate or 0.01 nats per layer, whichever is more."
)
_PREMISE = "each of two inputs is active at a unit with probability 1/2, and both with 1/4"
_GATES = "slopes are drawn for each input, unit and layer with equal odds, 1 or"

_RESIDUAL_LEAKS = controls(
    "residual-leak", "residual-larger-leak", _GATES, "0.01 (0.46 tolerances)", "0.04 (1.8 tolerances)"
)
_BRANCH_LEAKS = controls(
    "branch-leak",
    "branch-larger-leak",
    _GATES,
    "0.02 (0.8 tolerances less up to 0.3 of the batch)",
    "0.05 (1.9 less up to 0.3)",
)

CLAIMS = (
    Claim(
        id="Z1a",
        source="balduzzi2017: Theorem 1",
        source_status="second-hand",
        kind="rate",
        statement="In a plain ReLU network whose layers keep the theorem's premise the correlation between gradients "
        "at different inputs falls as 2⁻ᴸ with the depth L.",
        setting=f"{_SETTING}The premise: {_PREMISE}. Batch normalisation in every layer provides it (its statistics "
        f"over 256 inputs taken for constants by the derivative), 64 networks. {_AT_8}",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=exponential_gap(math.log(0.5)),
        controls=controls(
            "bn-leak",
            "bn-larger-leak",
            "ReLU has for negative inputs the slope",
            "0.01 (0.57 tolerances)",
            "0.03 (1.7 tolerances)",
        ),
    ),
    Claim(
        id="Z1b",
        source="balduzzi2017: Theorem 1, read without its premise",
        source_status="second-hand",
        kind="rate",
        statement="In a plain ReLU network under He's initialisation, as it is drawn, the correlation between "
        "gradients at different inputs falls as 2⁻ᴸ.",
        setting=f"{_SETTING}No normalisation: the pre-activations of different inputs become correlated with depth, so "
        "that units are active together more often than the premise has it; mean field then gives a power law, about "
        f"L⁻³. 64 networks of 64 inputs. {_AT_8}",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=exponential_gap(math.log(0.5)),
        controls=controls("gates-leak", "gates-larger-leak", _GATES, "0.01 (0.57 tolerances)", "0.03 (1.7 tolerances)"),
    ),
    Claim(
        id="Z2a",
        source="balduzzi2017: Theorem 2",
        source_status="from memory",
        kind="rate",
        statement="In a residual ReLU network without normalisation that keeps the theorem's premise the "
        "correlation between gradients at different inputs falls as (3/4)ᴸ.",
        setting=f"{_SETTING}h + W φ(h). The premise ({_PREMISE}) is planted: φ has slopes 0 or 1 that are drawn for "
        f"each input, unit and layer and have nothing to do with h. 128 networks of 128 inputs. {_AT_8}",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=exponential_gap(math.log(0.75)),
        controls=_RESIDUAL_LEAKS,
    ),
    Claim(
        id="Z2b",
        source="balduzzi2017: Theorem 2, read without its premise",
        source_status="from memory",
        kind="rate",
        statement="In a residual ReLU network without normalisation, as it is drawn, the correlation between gradients "
        "at different inputs falls as (3/4)ᴸ.",
        setting=f"{_SETTING}h + W relu(h), 128 networks of 128 inputs. {_AT_8}",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=exponential_gap(math.log(0.75)),
        controls=_RESIDUAL_LEAKS,
    ),
    Claim(
        id="Z3a",
        source="balduzzi2017: Theorem 3",
        source_status="second-hand",
        kind="rate",
        statement="In a residual network with batch normalisation and branches scaled by β the correlation between "
        "gradients at different inputs falls only as 1/(β√L), if the theorem's premise holds.",
        setting=f"{_SETTING}h + βW φ(BN(h)), β = 1, statistics over 256 inputs, constants for the derivative; "
        f"the premise ({_PREMISE}) is planted as in Z2a. 48 networks, 4 read-outs each. The number is the exponent "
        f"between {FROM} and {TO} blocks, d log correlation / d log L, minus that of the theorem's own product of "
        "variances and covariances (−0.454, which tends to −1/2), in tolerances of 0.025. A unit's variance is known "
        "from the batch only, which makes the exponent steeper by up to 0.01. (First taken between 16 and 64 blocks, "
        "with one read-out and half the batch: the interval was wider than the region.)",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=power_gap,
        controls=_BRANCH_LEAKS,
    ),
    Claim(
        id="Z3b",
        source="balduzzi2017: Theorem 3, read without its premise",
        source_status="second-hand",
        kind="rate",
        statement="In a residual ReLU network with batch normalisation, as it is drawn, the correlation between "
        "gradients at different inputs falls as 1/(β√L).",
        setting=f"{_SETTING}h + βW relu(BN(h)), β = 1, 48 networks of 256 inputs; the number as in Z3a.",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=power_gap,
        controls=_BRANCH_LEAKS,
    ),
)

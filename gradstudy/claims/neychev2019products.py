"""Statement L17 of Neychev's lecture, CNN and vanishing gradient, 2019, asked of linear products of matrices."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import conditions
from gradstudy.claims.depth import RELATIVE, designs
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import jackknife_estimate, mean_estimate
from gradstudy.theory.cohen1984 import SPREAD_EXPONENTS

SOURCE = "neychev2019: conclusions"
BLOCK = "a block of 50 independent draws, of which one spread is taken"

EXPONENT_TOLERANCE = 0.05
# Nats per factor; a quarter of the law's own rate for independent matrices of 50 rows, and a quarter of the usual.
RATE_TOLERANCE = 0.0025


def exponents(tables: Tables) -> tuple[Estimate, ...]:
    """L17a1: slope of log spread on log steps in every block of draws, minus the law's exponent."""
    found = designs(tables["spreads"], ["width", "sharing"])
    return tuple(
        mean_estimate(
            [_slope(block) - SPREAD_EXPONENTS[block["sharing"].iloc[0]] for _, block in rows.groupby("block")],
            "exponent",
            condition=f"{name}: {_slope(rows):.3f} for {SPREAD_EXPONENTS[rows['sharing'].iloc[0]]:g}",
            conditions=len(found),
        )
        for name, rows in found
    )


def _slope(rows: pd.DataFrame) -> float:
    """Least-squares slope of log spread on log steps; not a number where a spread is 0."""
    steps = np.log(rows["steps"].to_numpy(dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.log(rows["spread"].to_numpy())
        return float((steps - steps.mean()) @ spread / ((steps - steps.mean()) ** 2).sum())


def law_gaps(tables: Tables) -> tuple[Estimate, ...]:
    """L17a2: mean of log |P v| minus its law, over the number of factors, of the longest products."""
    found = designs(longest(tables["spreads"]), ["width", "sharing"])
    return tuple(
        mean_estimate(
            (rows["law_gap"] / rows["steps"]).tolist(), "nats per factor", condition=name, conditions=len(found)
        )
        for name, rows in found
    )


def bulks(tables: Tables) -> tuple[Estimate, ...]:
    """L17a3: share of the eigenvalues within a circle, tied over independent, minus 1."""
    found = conditions(tables["bulk"], ["law_share"])
    estimates = []
    for _, rows in found:
        counts = rows.pivot(index="draw", columns="sharing", values="share")
        tied, independent = counts["tied"].to_numpy(), counts["independent"].to_numpy()
        estimates.append(
            jackknife_estimate(
                partial(_excess, tied, independent),
                len(counts),
                "of the share",
                condition=f"{tied.mean():.3f} and {independent.mean():.3f} for {rows['law_share'].iloc[0]:g}",
                conditions=len(found),
            )
        )
    return tuple(estimates)


def _excess(tied: NDArray[np.float64], independent: NDArray[np.float64], kept: NDArray[np.intp]) -> float:
    return float(tied[kept].mean() / independent[kept].mean()) - 1


def longest(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the most steps."""
    return rows[rows["steps"] == rows["steps"].max()]


_PRODUCTS = (
    "Products P of T factors with entries N(0, 1/n), n = 20 and 50, T = 50, 100, ... 1,600: T times one matrix (tied) "
    "or T independent ones; 32 blocks of 50 draws of each."
)

CLAIMS = (
    Claim(
        id="L17a1",
        source=f"{SOURCE}; how to decide it worked out here",
        source_status="computed here",
        kind="equality",
        statement="Because the same matrix multiplies again and again, products differ from draw to draw by a "
        "spread of log |Pv| that grows as the number of factors T, and not as √T as with independent matrices.",
        setting=f"{_PRODUCTS} v is a random unit vector. The number is the slope of the logarithm of the spread "
        "(standard deviation) on log T, minus 1 (tied) or 1/2 (independent).",
        region=Region(-EXPONENT_TOLERANCE, EXPONENT_TOLERANCE),
        replicate=BLOCK,
        measure=exponents,
        controls=planted(
            "exponent-slightly-off",
            "exponent-off",
            "every draw has a gain of its own, so that the spread grows with an exponent larger by",
            ("0.02", "0.08"),
        ),
    ),
    Claim(
        id="L17a2",
        source="cohen1984: Gaussian matrices; for one matrix, power iteration (pascanu2013: section 2.1)",
        source_status="second-hand",
        kind="equality",
        statement="The rate of a tied product is log ρ(W) of its own matrix; that of an independent one is "
        "(ψ(n/2) + log(2/n))/2, the same for all draws.",
        setting=f"{_PRODUCTS} The number is the mean of log |Pv| minus its law, divided by T, at T = 1,600. The "
        f"tolerance, {RATE_TOLERANCE:g} nats per factor, is narrower than elsewhere, as the law's rate for independent "
        "matrices is only −0.010 at n = 50 and −0.025 at n = 20.",
        region=Region(-RATE_TOLERANCE, RATE_TOLERANCE),
        replicate=BLOCK.replace("one spread", "one mean"),
        measure=law_gaps,
        controls=planted("rate-slightly-off", "rate-off", "all matrices are multiplied by", ("e^−0.0013", "e^−0.004")),
    ),
    Claim(
        id="L17a3",
        source="saxe2014: figure on eigenvalues; closed form worked out here",
        source_status="computed here",
        kind="equality",
        statement="The bulk of the eigenvalues does not tell a power of one large matrix from a product of independent "
        "ones.",
        setting="W⁵ and products of 5 independent matrices of 400 rows with entries N(0, 1/n), 32 of each. In both "
        "|λ|^(1/5) < r has the probability r² in the limit of large n. The number is the share of the eigenvalues with "
        "r² = 1/4, 1/2 and 3/4, tied over independent, minus 1; no difference means within 5 %. What tells the two "
        "apart is the largest eigenvalue of the one draw, not the bulk.",
        region=Region(-RELATIVE, RELATIVE),
        replicate="an independently drawn product",
        measure=bulks,
        controls=planted(
            "bulk-slightly-off", "bulk-off", "the independent matrices are multiplied by", ("1.0102", "1.0416")
        ),
    ),
)

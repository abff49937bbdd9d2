"""Statement L17 of Neychev's lecture, CNN and vanishing gradient, 2019, taken apart: products, networks, training."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import conditions
from gradstudy.claims.depth import RELATIVE, Measure, designs
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import jackknife_estimate, mean_estimate
from gradstudy.theory.cohen1984 import SPREAD_EXPONENTS

EXPONENT_TOLERANCE = 0.05
# Nats per factor; a quarter of the law's own rate for independent matrices of 50 rows, and a quarter of the usual.
RATE_TOLERANCE = 0.0025
# By how much the spread must be larger to count as such, as a logarithm.
WIDER = math.log(1.25)
# Of the trainings over all learning rates.
MORE_OFTEN = 0.03


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
    found = designs(_longest(tables["spreads"]), ["width", "sharing"])
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


def wider(tables: Tables) -> tuple[Estimate, ...]:
    """L17b: log of the ratio of the spreads at the largest lag, tied over independent, in every block of draws."""
    found = conditions(_longest(tables["spreads"]), ["scheme", "gain", "drive"])
    estimates = []
    for name, rows in found:
        spreads = rows.pivot(index="block", columns="sharing", values="spread")
        scheme, gain, drive = name.split(", ")
        estimates.append(
            mean_estimate(
                np.log(spreads["tied"] / spreads["independent"]).tolist(),
                "log ratio",
                condition=f"{scheme}, gain {gain}, inputs {drive}",
                conditions=len(found),
            )
        )
    return tuple(estimates)


def _longest(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["steps"] == rows["steps"].max()]


def more_often(outcome: str) -> Measure:
    """L17c: share of the learning rates at which training ended so, tied minus independent, paired by the draw.

    Args:
        outcome: ruined, jumped or failed.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = conditions(tables["trainings"], ["scheme", "length"])
        estimates = []
        for name, rows in found:
            shares = rows.pivot(index="network", columns="sharing", values=outcome)
            estimates.append(
                mean_estimate(
                    (shares["tied"] - shares["independent"]).tolist(),
                    "of the trainings",
                    condition=f"{name} steps: {shares['tied'].mean():.3f} and {shares['independent'].mean():.3f}",
                    conditions=len(found),
                )
            )
        return tuple(estimates)

    return measure


_SOURCE = "neychev2019: conclusions"
_BLOCK = "a block of 50 independent draws, of which one spread is taken"
_PRODUCTS = (
    "Products P of T factors with entries N(0, 1/n), n = 20 and 50, T = 50, 100, ... 1,600: T times one matrix (tied) "
    "or T independent ones; 32 blocks of 50 draws of each."
)
_NETWORKS = (
    "tanh networks of 50 units at initialisation, with one input from N(0, 1) at each of 150 steps: one weight matrix "
    "for all steps (a recurrent network) or one a step. Of every network log |dF/da_(T−100)| − log |dF/da_T| is taken, "
    "a being the pre-activations and F a random direction of the last, and averaged over 4 sequences; its spread is "
    "the standard deviation over 50 draws. The number is the logarithm of the ratio of the spreads, tied over "
    f"independent; wider means a ratio above {math.exp(WIDER):g}."
)
_LEARNING = (
    "16 tanh units and a logistic output learn to tell at the last step what stood at the first, ±1, with noise of "
    "variance 0.2 at all others (task 3a of hochreiter1997, with cross-entropy); plain SGD in float32, 300 updates of "
    "10 sequences, 13 learning rates from 1/128 to 32 (factor 2), the same draw, sequences and learning rates for both "
    "kinds; Gaussian and orthogonal weights of gain 1. The number is the share of the trainings, over all learning "
    "rates, of the recurrent networks minus that of the networks with a matrix a step; more often means by more than "
    f"{MORE_OFTEN:g}."
)
_TEN = "10 steps, 64 draws."
_DEPTHS = "10, 20 and 40 steps, 64, 32 and 24 draws; a depth that lies wholly below refutes it."
_OUTCOMES = {
    "ruined": "The final loss is no number, or more than 1.5 times that of a constant answer.",
    "jumped": "The loss of some update was more than 3 times that of a constant answer.",
    "failed": "At the end the output misses the target by 0.2 or more on at least a tenth of 200 test sequences; a "
    "training that is only slow has failed as well.",
}
_ACCIDENTS = (
    "both kinds are recurrent, and of those in the place of the tied ones this share has read-out weights that are no "
    "numbers before the last update:"
)


def _training(identity: str, outcome: str, statement: str, depths: str, *, clipped: bool = False) -> Claim:
    clipping = "The norm of the gradient is clipped at 1." if clipped else "No clipping."
    prefix = "clipped-" if clipped else ""
    return Claim(
        id=identity,
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement=statement,
        setting=f"{_LEARNING} {_OUTCOMES[outcome]} {clipping} {depths}",
        region=Region(low=MORE_OFTEN),
        replicate="an independent draw of weights and sequences",
        measure=more_often(outcome),
        controls=planted(f"{prefix}accidents", f"few-{prefix}accidents", _ACCIDENTS, ("0.1", "0.02")),
    )


def _initial(identity: str, statement: str, which: str) -> Claim:
    return Claim(
        id=identity,
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement=statement,
        setting=f"{_NETWORKS} {which}",
        region=Region(low=WIDER),
        replicate=_BLOCK,
        measure=wider,
        controls=planted(
            "spread-wider",
            "spread-not-wider",
            "the networks are replaced by linear isometries of a known rate each, whose spreads have the ratio",
            ("1.6", "1"),
        ),
    )


CLAIMS = (
    Claim(
        id="L17a1",
        source=f"{_SOURCE}; how to decide it worked out here",
        source_status="computed here",
        kind="equality",
        statement="Because the same matrix multiplies again and again, products differ from draw to draw by a "
        "spread of log |Pv| that grows as the number of factors T, and not as √T as with independent matrices.",
        setting=f"{_PRODUCTS} v is a random unit vector. The number is the slope of the logarithm of the spread "
        "(standard deviation) on log T, minus 1 (tied) or 1/2 (independent).",
        region=Region(-EXPONENT_TOLERANCE, EXPONENT_TOLERANCE),
        replicate=_BLOCK,
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
        replicate=_BLOCK.replace("one spread", "one mean"),
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
    _initial(
        "L17b1",
        "At initialisation with independent entries, gradients of recurrent networks differ more from draw to draw "
        "than those of equally deep networks with a matrix a step.",
        "Uniform entries in ±1/√n (torch's default), Gaussian ones of variance 1/n and 2.25/n (gain 1 and 1.5), inputs "
        "that drive a unit by 0.1 and by 1; 16 blocks of each.",
    ),
    _initial(
        "L17b2",
        "At initialisation gradients of recurrent networks differ more from draw to draw whatever the initialisation.",
        "The conditions of L17b1 and Gaussian weights of gain 2.5, orthogonal ones of gain 1 and 1.5; 16 to 40 blocks. "
        "One condition that lies wholly below refutes it.",
    ),
    _training(
        "L17c1",
        "jumped",
        "The loss of a recurrent network in training jumps more often than that of an equally deep network with a matrix "
        "a step, whatever the depth.",
        _DEPTHS,
    ),
    _training(
        "L17c2",
        "ruined",
        "At 10 steps, training a recurrent network ends in a ruined loss more often than training a network with a "
        "matrix a step.",
        _TEN,
    ),
    _training(
        "L17c3",
        "ruined",
        "Training a recurrent network ends in a ruined loss more often whatever the depth.",
        _DEPTHS,
    ),
    _training(
        "L17c4",
        "failed",
        "At 10 steps, recurrent networks fail to learn the task more often than networks with a matrix a step.",
        _TEN,
    ),
    _training(
        "L17c5",
        "failed",
        "Recurrent networks fail to learn the task more often whatever the depth.",
        _DEPTHS,
    ),
    _training(
        "L17c6",
        "failed",
        "At 10 steps recurrent networks fail to learn the task more often when gradients are clipped, too.",
        _TEN,
        clipped=True,
    ),
)

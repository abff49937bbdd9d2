"""Statement L17 of Neychev's lecture, CNN and vanishing gradient, 2019, asked of nonlinear networks."""

from __future__ import annotations

import math

import numpy as np

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import conditions
from gradstudy.claims.depth import Measure
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import mean_estimate
from gradstudy.claims.neychev2019products import BLOCK, SOURCE, longest

# By how much the spread must be larger to count as such, as a logarithm.
WIDER = math.log(1.25)
# Of the trainings over all learning rates.
MORE_OFTEN = 0.03


def wider(tables: Tables) -> tuple[Estimate, ...]:
    """L17b: log of the ratio of the spreads at the largest lag, tied over independent, in every block of draws."""
    found = conditions(longest(tables["spreads"]), ["scheme", "gain", "drive"])
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


_NETWORKS = (
    "tanh networks of 50 units at initialisation, with one input from N(0, 1) at each of 150 steps: one weight matrix "
    "for all steps (a recurrent network) or one a step. Of every network log |dF/da_(T−100)| − log |dF/da_T| is taken, "
    "a being the pre-activations and F a random direction of the last, and averaged over 4 sequences; its spread is "
    "the standard deviation over 50 draws. The number is the logarithm of the ratio of the spreads, tied over "
    f"independent; wider means a ratio above {math.exp(WIDER):g}."
)
_LEARNING = (
    "16 tanh units, which the inputs drive by 0.5, and a logistic output of weights N(0, 0.01²) learn to tell at the "
    "last step what stood at the first, ±1, with noise of "
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
        source=SOURCE,
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
        source=SOURCE,
        source_status="read",
        kind="comparison",
        statement=statement,
        setting=f"{_NETWORKS} {which}",
        region=Region(low=WIDER),
        replicate=BLOCK,
        measure=wider,
        controls=planted(
            "spread-wider",
            "spread-not-wider",
            "the networks are replaced by linear isometries of a known rate each, whose spreads have the ratio",
            ("1.6", "1"),
        ),
    )


CLAIMS = (
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
        "The loss of a recurrent network in training jumps more often than that of an equally deep network with a "
        "matrix a step, whatever the depth.",
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

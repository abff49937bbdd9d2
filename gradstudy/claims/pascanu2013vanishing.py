"""Claims P20 on what clipping cannot do: Pascanu, Mikolov and Bengio, ICML 2013, section 3."""

from __future__ import annotations

import math
from dataclasses import replace

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import Measure
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import mean_estimate

# Nats by which two losses may differ and be the same.
SAME_LOSS = 0.01


def unchanged(what: str, unit: str) -> Measure:
    """P20: a number of the clipped networks minus that of the plain ones; open where plain gradients do not vanish.

    Args:
        what: rate (nats per link) or loss.
        unit: its unit.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = list(tables["vanishing"].groupby(["cell", "length", "clipped_at"], sort=True))
        estimates = []
        for (cell, length, threshold), rows in found:
            plain = mean_estimate(rows["rate_plain"].tolist(), "nats per link", conditions=len(found))
            said = (
                f"{cell}, T = {length}, threshold {threshold:g}: {rows['clipped'].mean():.0%} of the gradients "
                f"clipped, plain ones vanish at {plain.value:+.3g} nats per link; plain loss "
                f"{rows['loss_plain'].mean():.4g} nats, of a constant answer {rows['trivial_loss'].iloc[0]:.4g}"
            )
            values = (rows[f"{what}_clipped"] - rows[f"{what}_plain"]).tolist()
            estimate = mean_estimate(values, unit, condition=said, conditions=len(found))
            estimates.append(estimate if plain.high < -TOLERANCE else replace(estimate, low=math.nan, high=math.nan))
        return tuple(estimates)

    return measure


_MEMBER = "a network drawn and trained on its own (seed of weights and sequences)"
_VANISHING = (
    "Temporal order with all weights of standard deviation 0.01 (the paper's initialisation named sigmoid), 50 sigmoid "
    "or tanh units, T = 20 and 40, plain SGD and norm clipping from the same weights on the same sequences, learning "
    "rate 0.01 (the paper's), 500 updates, 16 seeds; thresholds 1, the paper's, and 0.05, which is below most "
    "gradients' norm. The rate is that of the gradient's decay from h_T back to h_1 at the end"
)

CLAIMS = (
    Claim(
        id="P20a",
        source="pascanu2013: section 3, clipping is for exploding gradients",
        source_status="computed here; that clipping is no cure for vanishing is common knowledge, not the paper's "
        "words",
        kind="equality",
        statement="Clipping does not cure vanishing gradients: with it they vanish at the same rate.",
        setting=f"{_VANISHING}. The number is the rate with clipping minus that without; the same is within "
        f"{TOLERANCE:g} nats per link.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate=_MEMBER,
        measure=unchanged("rate", "nats per link"),
        controls=planted(
            "hardly-slower-vanishing",
            "slower-vanishing",
            "in the place of the clipped networks stand the plain ones, W_hh multiplied by e to the power",
            ("0.006", "0.015"),
        ),
    ),
    Claim(
        id="P20b",
        source="pascanu2013: section 3, clipping is for exploding gradients",
        source_status="computed here; that clipping is no cure for vanishing is common knowledge, not the paper's "
        "words",
        kind="equality",
        statement="Where gradients vanish, clipping changes nothing of what is learnt: the loss is the same.",
        setting=f"{_VANISHING}. The number is the loss on 500 fresh sequences with clipping minus that without; the "
        f"same is within {SAME_LOSS:g} nats.",
        region=Region(-SAME_LOSS, SAME_LOSS),
        replicate=_MEMBER,
        measure=unchanged("loss", "nats"),
        controls=planted(
            "hardly-another-loss",
            "another-loss",
            "in the place of the clipped networks stand the plain ones, their loss raised by as many nats:",
            ("0.006", "0.015"),
        ),
    ),
)

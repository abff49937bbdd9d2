"""Statements L3 and L5 of Neychev's lecture, CNN and vanishing gradient, 2019, at the wall of an error surface."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.depth import controls
from gradstudy.claims.intervals import mean_estimate

HIGHER = math.log10(2.0)
"""Powers of ten by which a loss must have grown to be a bad one: it has at least doubled."""

WORSE = 0.01
"""Loss by which one descent must end above another to be worse; the errors at the start are some 0.04 and 0.4."""

SAME_DIRECTION = 0.01
"""Part of its length by which a clipped step may stray from the way to the plain one, also in radians."""

_SOURCE = "neychev2019: exploding gradient and gradient clipping"


def landing(tables: Tables) -> tuple[Estimate, ...]:
    """L3a, L3b: log10 of the loss after the first too long step over the loss at the start, by learning rate."""
    rows = tables["descents"]
    found = list(rows[rows["thrown"]].groupby("learning_rate", sort=True))
    counts = rows.groupby("learning_rate")["start"].count()
    return tuple(
        mean_estimate(
            np.log10(part["error_after"] / part["start_error"]).tolist(),
            "powers of ten",
            condition=f"learning rate {rate:g}: {len(part)} of {counts[rate]} descents are thrown",
            conditions=len(found),
        )
        for rate, part in found
    )


def rescue(tables: Tables) -> tuple[Estimate, ...]:
    """L5a: loss at the end of the plain descent minus that of the clipped one, paired by the start."""
    found = list(tables["descents"].groupby(["side", "learning_rate"], sort=True))
    return tuple(
        mean_estimate(
            (part["plain_end"] - part["clipped_end"]).tolist(),
            "squared error",
            condition=f"from the {side}, learning rate {rate:g}",
            conditions=len(found),
        )
        for (side, rate), part in found
    )


def straying(tables: Tables) -> tuple[Estimate, ...]:
    """L5b: `strayed` of the descents from each side, by learning rate."""
    groups = tables["descents"].groupby(["side", "learning_rate"], sort=True)
    return tuple(strayed(rows, f"from the {side}, learning rate {rate:g}") for (side, rate), rows in groups)


def strayed(rows: pd.DataFrame, condition: str) -> Estimate:
    """The largest distance of a clipped step from the segment between 0 and the plain step, over its length.

    Args:
        rows: with `deviation` and `clipped_steps` of one descent or training each.
        condition: what these have in common.
    """
    values = rows["deviation"][rows["clipped_steps"] > 0]
    value = float(values.max(skipna=False)) if len(values) else math.nan
    said = f"{condition}: {rows['clipped_steps'].sum()} steps"
    return Estimate(value, value - 1e-9, value + 1e-9, len(values), "of the step's length", said)


_DESCENTS = (
    "Gradient descents over (w, b) on the surface of the paper's Fig. 6 (one sigmoid unit, 50 steps, no input), 3,000 "
    "updates with learning rates 0.03, 0.1 and 0.3, from 128 starts with w between 4.8 and 6.5 and b between 0.02 and "
    "0.3 from the wall"
)
_THROWN = (
    "A step is too long if it moves (w, b) by at least 1. The number is the decimal logarithm of the loss right after "
    f"the first such step over the loss at the start; high is at least twice as high, above {HIGHER:.3f}. Descents "
    "that never take such a step are counted and not asked."
)
_REPLICATE = "an independently drawn start (w, b)"
_HEIGHTS = ("10^0.35 times as high", "10^0.25 times as high")
_LANDING_CONTROLS = controls(
    "high-landing",
    "low-landing",
    "the surface is replaced by a cliff off which the first step leads, to a loss",
    *_HEIGHTS,
)


def _landing_claim(identity: str, whence: str, side: str) -> Claim:
    return Claim(
        id=identity,
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement="At the wall: a gradient that is too big makes the step of SGD too big, and it lands in a bad "
        f"configuration, of high loss. Of descents that come {whence}.",
        setting=f"{_DESCENTS}, on its side of {side} loss. {_THROWN} The lecture names no side: both are asked.",
        region=Region(low=HIGHER),
        replicate=_REPLICATE,
        measure=landing,
        controls=_LANDING_CONTROLS,
    )


CLAIMS = (
    _landing_claim("L3a", "along the valley", "small"),
    _landing_claim("L3b", "from the other side of the wall, where the loss is high", "high"),
    Claim(
        id="L5a",
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement="At the wall: a descent with norm clipping ends at a lower loss than one without.",
        setting=f"{_DESCENTS}, on either side. Clipped is a gradient of norm at least 1, to norm 1 (Algorithm 1 of "
        "Pascanu et al., their threshold). The number is the mean loss over the last 100 points of the plain descent, "
        f"minus that of the clipped one from the same start; lower is by more than {WORSE:g}. It is a mean of losses, "
        "not of their logarithms: a plain descent that happens to be thrown to where the surface is smooth may come "
        "nearer to 0 than the clipped one, which is still on its way along the wall.",
        region=Region(low=WORSE),
        replicate=_REPLICATE,
        measure=rescue,
        controls=controls(
            "clipping-helps",
            "clipping-hardly-helps",
            "in the plain descent's place stands the clipped one, its loss raised by",
            "0.015",
            "0.005",
        ),
    ),
    Claim(
        id="L5b",
        source=_SOURCE,
        source_status="read",
        kind="equality",
        statement="At the wall: a step with norm clipping has the same direction as the plain one and is smaller.",
        setting=f"{_DESCENTS}, on either side; threshold 1. The number is the distance of a clipped step, as taken, "
        "from the nearest point of the segment between 0 and the plain step, over its own length, of the step where "
        f"it is largest: 0 if the direction is the same and the step no longer. The same is below {SAME_DIRECTION:g}. "
        "Deterministic: the interval is the rounding error.",
        region=Region(high=SAME_DIRECTION),
        replicate=_REPLICATE,
        measure=straying,
        controls=(
            Control("slightly-turned", "clipped gradients are turned by 0.005 radians", Verdict.SUPPORTED),
            Control("turned", "clipped gradients are turned by 0.015 radians", Verdict.REFUTED),
            Control("element-wise", "every entry is clipped by itself", Verdict.REFUTED),
        ),
    ),
)

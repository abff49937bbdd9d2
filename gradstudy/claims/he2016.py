"""Claims R5a and R5b of He, Zhang, Ren and Sun, Identity mappings in deep residual networks, 2016."""

from __future__ import annotations

import math

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import TOLERANCE, conditions
from gradstudy.claims.families import PER_BLOCK, TRAINED, means

# The terms of an identity may differ by what float64 and some hundred operations leave.
EXACT = 1e-9
_BY = ["normalisation", "moment"]


def identity_error(tables: Tables) -> tuple[Estimate, ...]:
    """R5a: largest relative error of the decomposition over networks and states, one condition a design and moment."""
    found = []
    for name, rows in conditions(tables["path_rates"], _BY):
        value = float(rows["identity_error"].max(skipna=False))
        # The terms are summed in float64 over some 1e5 numbers: their error is far below this.
        bound = 1e-12 if math.isfinite(value) else math.nan
        found.append(Estimate(value, value - bound, value + bound, len(rows), "relative error", name))
    return tuple(found)


_SETTING = (
    "Pre-activation networks of 18 blocks of two 3 × 3 convolutions (8 channels at 14 × 14, one stage, identity "
    "shortcuts), He's initialisation, with batch normalisation before and after 60 updates on Fashion-MNIST, without "
    "it at initialisation only; 8 networks each, measured in float64 on 16 images. Scaled down from 333 blocks in "
    "three stages."
)
_SHORTCUT = "branches are cut off and shortcuts hand on their input times e to the"

CLAIMS = (
    Claim(
        id="R5a",
        source="he2016: Eq. 5",
        source_status="second-hand",
        kind="equality",
        statement="With identity shortcuts dE/dx_l = dE/dx_L (1 + d/dx_l ΣF): the gradient arrives whole at every "
        "block, and what the branches add to it.",
        setting=f"{_SETTING} The three terms come from backward passes of their own; the number is the norm of what "
        "they leave of dE/dx_l, relative to it, at the state where it is largest. Deterministic: the interval is the "
        "rounding error.",
        region=Region(high=EXACT),
        replicate=TRAINED,
        measure=identity_error,
        controls=(
            Control("shortcut-slightly-off", f"{_SHORTCUT} 5e-11, 9e-10 over 18 blocks", Verdict.SUPPORTED),
            Control("shortcut-off", f"{_SHORTCUT} 1e-10, 1.8e-9 over 18 blocks", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="R5b",
        source="he2016: section 2",
        source_status="second-hand",
        kind="rate",
        statement="Because of its identity path the gradient of a residual network with identity shortcuts does not "
        "vanish at any block.",
        setting=f"{_SETTING} The identity alone proves nothing, for the branches' term may cancel it: the number is "
        "the least over states of (log |dE/dx_l| − log |dE/dx_L|) / (L − l).",
        region=Region(low=-TOLERANCE),
        replicate=TRAINED,
        measure=means("path_rates", "least_rate", _BY, PER_BLOCK),
        controls=(
            Control("shortcut-hardly-shrinks", f"{_SHORTCUT} −0.005", Verdict.SUPPORTED),
            Control("shortcut-shrinks", f"{_SHORTCUT} −0.015", Verdict.REFUTED),
        ),
    ),
)

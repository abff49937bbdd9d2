"""Claims R1 and R3 of He, Zhang, Ren and Sun, Deep residual learning, 2015: degradation and healthy gradients."""

from __future__ import annotations

import math

import numpy as np

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.families import ISOMETRY, PER_LAYER, TRAINED, means, planted
from gradstudy.claims.intervals import mean_estimate

# Percentage points of training error a layer: one point over the 48 layers between the shallowest and the deepest.
DEGRADATION = 0.02

_healthy = means("moment_rates", "rate", ["depth", "moment"], PER_LAYER)


def error_slope(tables: Tables) -> tuple[Estimate, ...]:
    """R1: least-squares slope of the training error on depth, one a seed; NaN if a loss has not levelled.

    The networks of one index at all depths have the same seed of draw and order; they are one replicate.
    """
    rows = tables["training_errors"]
    slopes = []
    for _, part in rows.groupby("network", sort=True):
        depth = part["depth"].to_numpy(dtype=float)
        centred = depth - depth.mean()
        whole = len(part) == rows["depth"].nunique() > 1 and bool(part["levelled"].all())
        slope = 100 * float(centred @ part["error"].to_numpy(dtype=float) / (centred @ centred)) if whole else math.nan
        slopes.append(slope)
    depths = np.unique(rows["depth"]).tolist()
    condition = f"plain networks of {', '.join(str(depth) for depth in depths)} layers"
    return (mean_estimate(slopes, "percentage points per layer", condition=condition),)


_SHORT = (
    "Plain networks of 20 and 56 layers with batch normalisation, He's initialisation and zero padding (three stages, "
    "8 channels in the first), 10 networks a depth, 200 updates of 50 images (2,000 of Fashion-MNIST, 14 × 14) by SGD "
    "with momentum 0.9 and rate 0.1. The number is the rate of log |dL/dx_l| on its way back, least squares over "
    "states of equal shape, on 128 training images: at initialisation, after 1, 100 and all updates; one condition a "
    "depth and moment. The source names no number: vanish means a rate below −0.01 nats per layer, explode one above "
    "+0.01. Scaled down: 14 × 14 pixels, half the width, one data set, a short training."
)

CLAIMS = (
    Claim(
        id="R1",
        source="he2015: section 1, Fig. 1 and 6",
        source_status="read",
        kind="comparison",
        statement="Deeper plain networks with batch normalisation have a higher training error.",
        setting="Plain networks of 8, 20, 32, 44 and 56 layers as in the source's CIFAR-10 experiments, with 8, 16 and "
        "32 channels, on 2,000 images of Fashion-MNIST at 14 × 14 pixels, 5 seeds, SGD with momentum 0.9, weight decay "
        "1e-4 and rate 0.1, 20 epochs of 40 updates. The rate is divided by 10 after 1/2, 3/4 and 4/5 of them. Decided "
        "only if every training loss has levelled: it changes by less than 1 % over the last fifth. That fifth is run "
        "at a thousandth of the first rate, so this says that the schedule has come to rest, not that more epochs at "
        "the first rate would not help; how much the loss still changed there is recorded. The number is the slope of "
        f"the final training error on depth, one a seed; higher means more than {DEGRADATION:g} percentage points a "
        "layer, or 1 point over 48 layers. Scaled down: 1/25 of the images, 800 instead of 64,000 updates, no "
        "augmentation, half the width.",
        region=Region(low=DEGRADATION),
        replicate="a seed of draws and order, with networks of all depths",
        measure=error_slope,
        controls=planted(
            "error-grows",
            "error-hardly-grows",
            "classifiers take the networks' place whose error grows with depth, in percentage points a layer by",
            ("0.03", "0.01"),
        ),
    ),
    Claim(
        id="R3a",
        source="he2015: section 4.1",
        source_status="read",
        kind="rate",
        statement="In plain networks with batch normalisation gradients do not vanish.",
        setting=_SHORT,
        region=Region(low=-TOLERANCE),
        replicate=TRAINED,
        measure=_healthy,
        controls=planted(
            "plain-hardly-vanishes", "plain-vanishes", ISOMETRY, ("−0.005 nats a layer", "−0.015 nats a layer")
        ),
    ),
    Claim(
        id="R3b",
        source="he2015: section 4.1",
        source_status="read",
        kind="rate",
        statement="In plain networks with batch normalisation backward gradients have healthy norms: they neither "
        "vanish nor explode.",
        setting=f"{_SHORT} At initialisation theory says that they grow (Y1).",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate=TRAINED,
        measure=_healthy,
        controls=planted(
            "plain-hardly-explodes", "plain-explodes", ISOMETRY, ("+0.005 nats a layer", "+0.015 nats a layer")
        ),
    ),
    Claim(
        id="R3c",
        source="he2015: section 4.1",
        source_status="read",
        kind="rate",
        statement="The degradation of deeper plain networks is not caused by vanishing gradients: in the very networks "
        "whose training error grows with depth, gradients do not vanish.",
        setting="The networks of R1, of 20 layers and more (8 layers leave one pair of states in a stage), measured as "
        "in R3a at initialisation, after 1, 100 and all 800 updates.",
        region=Region(low=-TOLERANCE),
        replicate=TRAINED,
        measure=_healthy,
        controls=planted(
            "degraded-hardly-vanishes", "degraded-vanishes", ISOMETRY, ("−0.005 nats a layer", "−0.015 nats a layer")
        ),
    ),
)

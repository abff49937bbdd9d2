"""Claim V2 of Veit, Wilber and Belongie, Residual networks behave like ensembles, 2016: paths by their length."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Region
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.families import PER_BLOCK, TRAINED, means, planted

CLAIMS = (
    Claim(
        id="V2",
        source="veit2016: section 4.3",
        source_status="second-hand",
        kind="rate",
        statement="The gradient that comes back on a path through a residual network decays exponentially with the "
        "path's length.",
        setting="A path goes through the branch of some blocks and around the others; its length k is how many. "
        "Pre-activation networks of 18 blocks with batch normalisation (8 channels at 14 × 14, one stage), before and "
        "after 60 updates on Fashion-MNIST, 8 networks, 16 images; 4 random paths of each length, at the states of the "
        "whole network. The number is the slope of the mean log |g| on k. That the gradient's mass lies on short paths "
        "is partly arithmetic: lengths are binomial. Scaled down from 54 trained blocks in three stages.",
        region=Region(high=-TOLERANCE),
        replicate=TRAINED,
        measure=means("path_rates", "path_rate", ["moment"], PER_BLOCK),
        controls=planted(
            "branch-shrinks",
            "branch-hardly-shrinks",
            "branches are replaced by linear isometries that change a gradient by",
            ("−0.015 nats a block", "−0.005 nats a block"),
        ),
    ),
)

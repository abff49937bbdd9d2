"""Claim S1 of Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics, ICLR 2014, in three parts."""

from __future__ import annotations

import numpy as np

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import RELATIVE, REPLICATE, UNIT, controls, designs
from gradstudy.claims.intervals import mean_estimate

# Of the singular values of a product of a hundred orthogonal matrices, over the number of factors.
_ROUNDING = 1e-14


def typical_rates(tables: Tables) -> tuple[Estimate, ...]:
    """S1a: mean over products and directions of log |P v|^2, a factor."""
    found = designs(tables["products"], ["depth"])
    return tuple(
        mean_estimate((rows["log_typical"] / rows["links"]).tolist(), UNIT, condition=name, conditions=len(found))
        for name, rows in found
    )


def origin_shares(tables: Tables) -> tuple[Estimate, ...]:
    """S1b: share of the eigenvalues in the bin at the origin over that of the law, minus 1."""
    found = designs(tables["products"], ["depth"])
    return tuple(
        mean_estimate(
            (rows["origin_share"] / rows["predicted_share"] - 1).tolist(),
            "of the law's share",
            condition=f"{name}: {rows['origin_share'].mean():.3f} for {rows['predicted_share'].iloc[0]:.3f}",
            conditions=len(found),
        )
        for name, rows in found
    )


def isometry(tables: Tables) -> tuple[Estimate, ...]:
    """S1c: the singular value farthest from 1 of all products, its logarithm over the number of factors."""
    rows = tables["products"]
    if rows.empty:
        return ()
    ends = np.concatenate([(rows[end] / rows["links"]).to_numpy() for end in ("log_largest", "log_smallest")])
    value = float(ends[np.abs(ends).argmax()])  # argmax finds a NaN first, so none is passed over
    return (Estimate(value, value - _ROUNDING, value + _ROUNDING, len(rows), "nats per factor"),)


_SETTING = (
    "Products of 5 and of 100 independent matrices of 400 rows with entries N(0, 1/n), 16 of each (the paper: 1,000)"
)
_SCALE = "all matrices multiplied by"

CLAIMS = (
    Claim(
        id="S1a",
        source="saxe2014: section on random scaled weights",
        source_status="read",
        kind="equality",
        statement="Products of Gaussian matrices of variance 1/n keep the norm of a typical vector.",
        setting=f"{_SETTING}. The number is the mean of log |Pv|² over random directions v and over products, divided "
        "by the number of factors; at finite width it is −1/n.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate="an independently drawn product",
        measure=typical_rates,
        controls=controls("typical-norm-slightly-off", "typical-norm-off", _SCALE, "1.0025", "1.0088"),
    ),
    Claim(
        id="S1b",
        source="saxe2014: figure on eigenvalues; closed form worked out here",
        source_status="read",
        kind="equality",
        statement="They become highly anisotropic with depth: the share of eigenvalues in a bin of 0.1 × 0.1 at the "
        "origin is 32 % for 5 factors and 94 % for 100.",
        setting=f"{_SETTING}. The law for large n: |λ| < r has the probability r^(2/L), integrated over the square "
        "bin, which gives 31.6 % and 94.4 %. The number is the measured share over the law's, minus 1.",
        region=Region(-RELATIVE, RELATIVE),
        replicate="an independently drawn product",
        measure=origin_shares,
        controls=controls(
            "origin-slightly-off", "origin-off", _SCALE, "1.0102: the share falls by 2 %", "1.0455: it falls by 8.5 %"
        ),
    ),
    Claim(
        id="S1c",
        source="saxe2014: section on random orthogonal weights",
        source_status="read",
        kind="equality",
        statement="Products of orthogonal matrices keep every singular value at 1, at any depth.",
        setting="4 products of 100 random orthogonal matrices of 200 rows. The number is the logarithm of the "
        "singular value farthest from 1 of all products, divided by the number of factors. Deterministic: the interval "
        "is the rounding error.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate=REPLICATE.replace("network", "product"),
        measure=isometry,
        controls=controls("isometry-slightly-off", "isometry-off", _SCALE, "e^0.005", "e^0.015"),
    ),
)

"""Claim P9 of Pascanu, Mikolov and Bengio (ICML 2013), on vanishing gradients and attractors, in three parts."""

from __future__ import annotations

import math

import numpy as np

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import controls, tolerance
from gradstudy.claims.intervals import mean_estimate

CHAOTIC = 1e-6
"""Distance of a network without a period from a twin, 1e-9 at first, from which it counts as chaotic."""


def attractor_gap(tables: Tables) -> tuple[Estimate, ...]:
    """P9a: rate of the gradient minus log rho / p where it differs most, in tolerances.

    Fixed points and longer periods are two conditions. Only hyperbolic attractors, log rho / p below -0.01.
    """
    rows = tables["attractors"]
    rows = rows[(rows["period"] > 0) & ~(rows["log_radius"] >= -TOLERANCE)]  # a NaN stays, and is told
    found = []
    for name, part in (("fixed points", rows[rows["period"] == 1]), ("longer periods", rows[rows["period"] > 1])):
        if part.empty:
            found.append(Estimate(math.nan, math.nan, math.nan, 0, "tolerances", f"{name}: none"))
            continue
        law = part["log_radius"].to_numpy()
        gaps = (part["rate"].to_numpy() - law) / np.array([tolerance(rate) for rate in law])
        worst = float(gaps[np.abs(gaps).argmax()])  # argmax finds a NaN first, so none is passed over
        said = f"{name}: rates {law.min():.2f} to {law.max():.2f}"
        found.append(Estimate(worst, worst - 1e-6, worst + 1e-6, len(part), "tolerances", said))
    return tuple(found)


def chaotic_rate(tables: Tables) -> tuple[Estimate, ...]:
    """P9b: rate of networks that have no period and whose twins have parted."""
    rows = tables["attractors"]
    chaotic = rows[(rows["period"] == 0) & (rows["separation"] > CHAOTIC)]
    said = f"{len(chaotic)} of {len(rows)} networks"
    return (mean_estimate(chaotic["rate"].tolist(), "nats per link", condition=said),)


def rate_trend(tables: Tables) -> tuple[Estimate, ...]:
    """P9c: rise of the rate for a start ten times as near, least-squares slope of each unit."""
    wide = tables["distances"].pivot(index="unit", columns="decade", values="rate").sort_index(axis=1)
    slopes = np.polyfit(wide.columns.to_numpy(dtype=float), wide.to_numpy().T, 1)[0]
    return (mean_estimate(slopes.tolist(), "nats per link and decade"),)


CLAIMS = (
    Claim(
        id="P9a",
        source="pascanu2013: section 2.2; rate worked out here",
        source_status="read",
        kind="equality",
        statement="A network that has converged to a hyperbolic fixed point or periodic attractor has vanishing "
        "gradients, at the rate log ρ / p, ρ being the spectral radius of the period's Jacobian and p the period.",
        setting="Autonomous tanh networks of 8 units, Gaussian weights of gain 0.8, 1.5 and 3, from a random start: "
        "those that come back to their state within 100 links, to 1e-9, after 4,000 links, and have log ρ / p below "
        "−0.01. The number is the growth of a random tangent over the next 2,000 links minus log ρ / p, of the "
        f"network where it differs most, in tolerances: {TOLERANCE:g} nats per link or 5 % of the rate, whichever is "
        "more. Networks that have not converged until then are not asked: a chaotic transient may take longer.",
        region=Region(-1.0, 1.0),
        replicate="an independently drawn network",
        measure=attractor_gap,
        controls=controls(
            "radius-slightly-off",
            "radius-off",
            "the networks run with more weight than they are said to have:",
            "1.005 W",
            "1.015 W",
        ),
    ),
    Claim(
        id="P9b",
        source="pascanu2013: section 2.2, where vanishing is tied to convergence to an attractor",
        source_status="computed here",
        kind="rate",
        statement="The converse is false: a network that has converged to a chaotic attractor has exploding gradients.",
        setting="Autonomous tanh networks of 32 units, Gaussian weights of gain 3, 4,000 links after a random start. "
        "Chaotic: no period, and a twin set out 1e-9 beside it has drawn away a thousandfold after 2,000 links more, "
        "to beyond 1e-6. The number is the growth of a random tangent over these links.",
        region=Region(low=TOLERANCE),
        replicate="an independently drawn network",
        measure=chaotic_rate,
        controls=controls(
            "weakly-chaotic",
            "hardly-chaotic",
            "the networks are replaced by uncoupled chaotic maps h → e^r h mod 1, whose rate is exactly r =",
            "0.015 nats per link",
            "0.005 nats per link",
        ),
    ),
    Claim(
        id="P9c",
        source="pascanu2013: section 2.2",
        source_status="read",
        kind="comparison",
        statement="Avoiding vanishing gradients means staying near the boundary between basins of attraction: the "
        "nearer a start, the less its gradient vanishes.",
        setting="The one-unit model with w between 5 and 6.5 and a saddle between −0.5 and 0.5, T = 100, starts 10⁻¹ "
        "to 10⁻⁶ from the boundary, which is found by bisection. The number is the slope of the rate, log |∂x_T/∂x_0| "
        "/ T, on the decades of nearness.",
        region=Region(low=TOLERANCE),
        replicate="an independently drawn unit",
        measure=rate_trend,
        controls=controls(
            "nearness-helps",
            "nearness-hardly-helps",
            "each unit is replaced by a linear one whose rate rises, for every decade, by",
            "0.015 nats per link",
            "0.005 nats per link",
        ),
    ),
)

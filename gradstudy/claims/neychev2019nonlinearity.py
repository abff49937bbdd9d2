"""Statement L13 of Neychev's lecture, CNN and vanishing gradient, 2019, taken apart, in our own words."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import TOLERANCE, conditions
from gradstudy.claims.depth import REPLICATE, UNIT, controls, quenched_rates
from gradstudy.claims.intervals import mean_estimate

# Rounding of the logarithms of a hundred norms; a margin above it is a violation.
_WITNESS = 1e-9
_SOURCE = "neychev2019: vanishing gradient in deep networks"


def leads(tables: Tables) -> tuple[Estimate, ...]:
    """L13b: rate through the other nonlinearity minus that through the sigmoid, paired by the weights."""
    found = conditions(tables["pairs"], ["initialisation", "reference"])
    return tuple(
        mean_estimate(
            ((rows["log_backward"] - rows["log_backward_sigmoid"]) / rows["links"]).tolist(),
            UNIT,
            condition=name,
            conditions=len(found),
        )
        for name, rows in found
    )


def sigmoid_margin(tables: Tables) -> tuple[Estimate, ...]:
    """L13c: largest margin over the sigmoid's bound of any link of any network, by initialisation."""
    found = conditions(tables["bounds"], ["initialisation"])
    estimates = []
    for name, rows in found:
        value = float(rows["largest_margin"].max(skipna=False))
        estimates.append(Estimate(value, value - 1e-12, value + 1e-12, len(rows), "nats, squared norm", name))
    return tuple(estimates)


CLAIMS = (
    Claim(
        id="L13a",
        source=_SOURCE,
        source_status="read",
        kind="rate",
        statement="Vanishing gradients are in all deep architectures.",
        setting="Asked of fully connected networks at initialisation, of each architecture by itself; one that lies "
        f"wholly above −{TOLERANCE:g} nats per link refutes it. Standard initialisation with linear, tanh, ReLU and "
        "sigmoid units; He's with ReLU; batch normalisation with ReLU; tanh networks of 100 layers at a critical point "
        "(χ₁ = 1 at fixed q* = 0.1, Gaussian and orthogonal weights), and orthogonal of gain 1 with small inputs (mean "
        "square 0.002), where gradients fall like a power of the depth. The number is the rate of the squared gradient "
        "norm of a typical network (mean of logarithms).",
        region=Region(high=-TOLERANCE),
        replicate=REPLICATE,
        measure=quenched_rates(["group", "initialisation", "activation"]),
        controls=controls(
            "standard-shrinks",
            "standard-hardly-shrinks",
            "the network is replaced by a linear one with an orthogonal matrix times e^(rate/2), of rate",
            "−0.015 nats per link",
            "−0.005 nats per link",
        ),
    ),
    Claim(
        id="L13b",
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement="The choice of nonlinearity is a cause: with the same weights the gradient falls faster through "
        "sigmoids than through tanh or ReLU.",
        setting="50 layers of 128 units without normalisation, standard, Glorot's, He's and orthogonal weights, 16 "
        "draws of each. The number is the rate of the squared gradient norm through tanh, or ReLU, minus that through "
        "the sigmoid, with the same weights, input and direction of the output.",
        region=Region(low=TOLERANCE),
        replicate="an independent draw of weights, input and direction",
        measure=leads,
        controls=controls(
            "sigmoid-slower",
            "sigmoid-hardly-slower",
            "in the sigmoid's place stands the other nonlinearity, whose links hand back less gradient, by",
            "0.015 nats per link",
            "0.005 nats per link",
        ),
    ),
    Claim(
        id="L13c",
        source=f"{_SOURCE}; computed here from the sigmoid's largest slope, 1/4",
        source_status="computed here",
        kind="theorem",
        statement="Through a sigmoid layer the norm of the gradient changes by at most log(σ₁/4), σ₁ being the largest "
        "singular value of the layer's weights: it vanishes whatever the depth, unless σ₁ > 4.",
        setting="The networks of L13b. The number is the largest margin over 2 log(σ₁/4) of the squared norm, over all "
        "layers and networks, in nats. A bound that every layer obeys: the search is over random draws only, and the "
        "planted linear network of slope 1/4 and orthogonal weights shows that the bound is attained.",
        region=Region(high=_WITNESS),
        replicate=REPLICATE,
        measure=sigmoid_margin,
        controls=(
            Control("slope-just-small-enough", "a linear function of slope 0.2495 for the sigmoid", Verdict.SUPPORTED),
            Control("slope-too-large", "a linear function of slope 0.2525 for the sigmoid", Verdict.REFUTED),
        ),
    ),
)

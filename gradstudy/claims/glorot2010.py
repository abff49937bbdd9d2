"""Claims G1a and G1b on the standard initialisation, of Glorot and Bengio, AISTATS 2010."""

from __future__ import annotations

import math

from gradstudy.claims.claim import Claim, Region
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import REPLICATE, annealed_gaps, annealed_rates, controls

_SETTING = (
    "Plain networks of 50 layers of 256 units, weights U[±1/√n], so that n Var W = 1/3, no biases, no normalisation, "
    "one random input and one random direction of the output a network, 16 networks. The number is the rate of the "
    "mean over networks of the squared gradient norm."
)

CLAIMS = (
    Claim(
        id="G1a",
        source="glorot2010: section 4.2.1",
        source_status="from memory",
        kind="rate",
        statement="Under the standard initialisation without normalisation gradients vanish exponentially with depth, "
        "whatever the nonlinearity.",
        setting=f"{_SETTING} Linear, tanh, ReLU and sigmoid. Vanish: below −{TOLERANCE:g} nats per link.",
        region=Region(high=-TOLERANCE),
        replicate=REPLICATE,
        measure=annealed_rates(["activation"]),
        controls=controls(
            "standard-shrinks",
            "standard-hardly-shrinks",
            "the network is replaced by a linear one with an orthogonal matrix times e^(rate/2), of rate",
            "−0.015 nats per link",
            "−0.005 nats per link",
        ),
    ),
    Claim(
        id="G1b",
        source="glorot2010: section 4.2.1, Eq. 15",
        source_status="from memory",
        kind="equality",
        statement="Under the standard initialisation each layer multiplies the variance of the gradient by n Var W = "
        "1/3, as long as the nonlinearity works near 0 with slope 1.",
        setting=f"{_SETTING} Linear networks and tanh, whose signal is small after a few layers. The number is that "
        "rate minus log 1/3, in tolerances of 5 % (0.055 nats per link). ReLU halves it once more and the sigmoid's "
        "slope is 1/4 at most: not the claim's case.",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=annealed_gaps(["activation"], law=-math.log(3)),
        controls=controls(
            "third-slightly-off", "third-off", "weights scaled so that the rate differs by", "+0.022", "+0.099"
        ),
    ),
)

"""Claims H1a and H1b on the initialisation of He et al., Delving deep into rectifiers, ICCV 2015."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Region
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import REPLICATE, annealed_rates, controls, quenched_gaps

CLAIMS = (
    Claim(
        id="H1a",
        source="he2015init: section 2.2, backward propagation case",
        source_status="from memory",
        kind="equality",
        statement="With ReLU and weights N(0, 2/n) the expected squared gradient neither vanishes nor explodes with "
        "depth, without any normalisation.",
        setting="Plain networks of 50 layers of 512 units, no biases, one random input and one random direction of the "
        "output a network, 96 networks. The number is the rate of the mean over networks of the squared gradient norm "
        "(the annealed average, which the paper's argument is about).",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate=REPLICATE,
        measure=annealed_rates(["width"]),
        controls=controls(
            "he-slightly-off",
            "he-off",
            "weights scaled so that the rate is",
            "0.005 nats per link",
            "0.0175 nats per link",
        ),
    ),
    Claim(
        id="H1b",
        source="he2015init: section 2.2, its typical network worked out here",
        source_status="computed here",
        kind="rate",
        statement="The typical network under that initialisation does lose gradient, the more the narrower it is: E "
        "log of the squared norm falls by about 5/(2n) nats per layer of n units.",
        setting="50 layers of 32, 64 and 256 units; 1,024, 512 and 128 networks. The number is the mean over networks "
        "of the rate of the squared gradient norm (the quenched average) minus the exact law E log((2/n) χ²_K), K of "
        "binomial distribution (n, 1/2), which is −5/(2n) to first order, in tolerances: 0.01 nats per link or 5 % of "
        "the rate, whichever is more. At 256 units the law itself is within the tolerance of 0.",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=quenched_gaps(["width"]),
        controls=controls(
            "typical-slightly-off",
            "typical-off",
            "weights scaled so that the rate differs by",
            "0.004 nats per link",
            "0.0165 nats per link",
        ),
    ),
)

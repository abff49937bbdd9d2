"""Claims Y1, Y2 and Y4 of Yang et al., A mean field theory of batch normalization, ICLR 2019."""

from __future__ import annotations

import math

from gradstudy.claims.claim import Claim, Region
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import REPLICATE, annealed_gaps, controls
from gradstudy.claims.families import ISOMETRY, PER_LAYER, TRAINED, means, planted
from gradstudy.theory.yang2019 import LARGE_BATCH

_PLANT = "every link hands back its gradient times a factor that changes the rate by"
_SETTING = (
    "Plain fully connected networks of 50 layers of 512 units, batch normalisation without parameters before every "
    "nonlinearity, one random batch of B inputs a network. The number is the rate, over the 40 inner links, of the "
    "mean over networks of the squared gradient norm over the whole batch, minus the law's, in tolerances: 5 % of the "
    "rate or 0.01 nats per link, whichever is more. Finite width and an untrained network: a statement on the start of "
    "training only."
)

CLAIMS = (
    Claim(
        id="Y1a",
        source="yang2019: Theorem 8",
        source_status="read",
        kind="equality",
        statement="In a plain network with batch normalisation and ReLU the squared gradient norm grows by the factor "
        "π/(π − 1) = 1.467 per layer for large batches, the norm by 1.211.",
        setting=f"{_SETTING} B = 256, 16 networks; the law is log π/(π − 1) = {math.log(LARGE_BATCH):.4f}. For B "
        "= 256 and infinite width it is 0.3875; that the batch is half as large as the width makes it less.",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=annealed_gaps(["rows"], law=math.log(LARGE_BATCH)),
        controls=controls("bn-relu-slightly-off", "bn-relu-off", _PLANT, "−0.008", "−0.02"),
    ),
    Claim(
        id="Y1b",
        source="yang2019: Theorem 8 and Eq. 25, worked out here for any batch",
        source_status="computed here",
        kind="equality",
        statement="For small batches the gradient of a network with batch normalisation and ReLU grows faster: by "
        "1.788 per layer (squared norm) for B = 8 and 1.522 for B = 32.",
        setting=f"{_SETTING} 32 networks a batch size.",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=annealed_gaps(["rows"]),
        controls=controls("bn-small-slightly-off", "bn-small-off", _PLANT, "0.01", "0.045"),
    ),
    Claim(
        id="Y2",
        source="yang2019: Theorem 9 and the linear case",
        source_status="read",
        kind="equality",
        statement="Without a nonlinearity batch normalisation alone makes the squared gradient norm grow by the factor "
        "(B − 2)/(B − 3) per layer.",
        setting=f"{_SETTING} B = 8, 32 and 256, 32 networks a batch size. For B = 256 the law, 0.0039 nats per link, "
        "is within the tolerance of no growth at all.",
        region=Region(-1.0, 1.0),
        replicate=REPLICATE,
        measure=annealed_gaps(["rows"]),
        controls=controls("bn-linear-slightly-off", "bn-linear-off", _PLANT, "0.004", "0.018"),
    ),
    Claim(
        id="Y4",
        source="yang2019: Fig. 3",
        source_status="read",
        kind="rate",
        statement="After one step of SGD the exploding gradients of a network with batch normalisation equilibrate: "
        "the norms of the weights' gradients are equal in all layers.",
        setting="Plain fully connected ReLU networks of 52 layers of 128 units with batch normalisation, He's "
        "initialisation, 8 networks a learning rate, one update on 128 images of Fashion-MNIST (14 × 14) at rates 0.1 "
        "and 1. The number is the rate of log |dL/dW_l| on its way back over the 50 inner layers after that update, on "
        "128 images; equal means within 0.01 nats per layer. The source names no rate here, so both are asked. Why it "
        "should be so: behind a normalisation a weight's gradient goes as 1/|W|, and a step much longer than the "
        "weight makes |W| proportional to the gradient.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate=TRAINED,
        measure=means("moment_rates", "weight_rate", ["learning_rate"], PER_LAYER, moment="after 1"),
        controls=planted("nearly-equal", "not-equal", ISOMETRY, ("+0.005 nats a layer", "+0.015 nats a layer")),
    ),
)

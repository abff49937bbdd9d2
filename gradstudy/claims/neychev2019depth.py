"""Statements L14 to L16 of Neychev's lecture, CNN and vanishing gradient, 2019, in our own words."""

from __future__ import annotations

from gradstudy.claims.claim import Claim, Region
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.families import ISOMETRY, NETWORK, PER_BLOCK, PER_LAYER, TRAINED, means, planted

# Of the training: the first block must need this much more of it than the last to count as slower.
SLOWER = 0.05

_TRAINING = (
    "Plain networks of 22 layers, 8 a condition (6 convolutional ones), trained for 6 epochs of 20 updates of 50 "
    "images of Fashion-MNIST (14 × 14) by SGD with momentum. Fully connected, 64 units: ReLU with He's initialisation "
    "with and without batch normalisation, ReLU with the old uniform one, tanh and sigmoid with Glorot's; "
    "convolutional, 8 channels: ReLU with He's, with and without batch normalisation. Learning rate 0.1 for the fully "
    "connected ones with batch normalisation, 0.02 for all others. The statement names no network, so it is asked of "
    "every one."
)
_BY_DESIGN = ["layer", "activation", "initialisation", "normalisation"]
_BY_FAMILY = ["family", "initialisation", "normalisation", "padding"]
_FAMILIES = (
    "At initialisation, 24 blocks at 14 × 14 pixels and 8 channels (dense: 8 new ones a block), ReLU, 16 networks, 64 "
    "images of Fashion-MNIST; the old uniform initialisation and He's without normalisation, He's with batch "
    "normalisation; zero and circular padding. The number is the rate over blocks, on the way back, of"
)
_GRADIENT = "log |dL/df_l|, f_l being the block's own new feature maps."
_RELATIVE = "the relative size |dL/df_l| |f_l| / √dim, f_l being the block's own new feature maps."
_DOES_NOT = "A family keeps the signal if the rate is above −0.01 nats a block in every condition."
_VALUES = ("−0.005 nats", "−0.015 nats")


def _cure(identity: str, family: str, column: str, what: str, statement: str, note: str, prefix: str) -> Claim:
    return Claim(
        id=identity,
        source=f"neychev2019: {family}",
        source_status="read",
        kind="rate",
        statement=statement,
        setting=f"{_FAMILIES} {what} {_DOES_NOT}{note}",
        region=Region(low=-TOLERANCE),
        replicate=NETWORK,
        measure=means("family_rates", column, _BY_FAMILY, PER_BLOCK),
        controls=planted(f"{prefix}-keeps", f"{prefix}-loses", ISOMETRY, _VALUES),
    )


_PLAIN = (
    " A factor on all weights of a plain ReLU network changes no relative size, because activations then shrink as "
    "gradients grow: this number does not see what a change of scale alone does."
)

CLAIMS = (
    Claim(
        id="L14a",
        source="neychev2019: vanishing gradient in deep networks",
        source_status="read",
        kind="rate",
        statement="Lower layers of plain networks train slower: their weights change less.",
        setting=f"{_TRAINING} The number is the slope over layers of log |W_l − W_l(0)| / |W_l(0)| after the first "
        "epoch, positive where lower layers change less; stem and head are left out.",
        region=Region(low=TOLERANCE),
        replicate=TRAINED,
        measure=means("lower_rates", "update_rate", _BY_DESIGN, PER_LAYER),
        controls=planted(
            "lower-layers-slower", "lower-layers-hardly-slower", ISOMETRY, ("−0.015 nats", "−0.005 nats")
        ),
    ),
    Claim(
        id="L14b",
        source="neychev2019: vanishing gradient in deep networks",
        source_status="read",
        kind="comparison",
        statement="Lower layers of plain networks train slower: they take longer until they stop changing.",
        setting=f"{_TRAINING} A block has stopped changing once the linear CKA of its state to its final one stays "
        "above 0.9, on 128 training images, looked at 20 times. The number is the slope over blocks of the share of "
        f"training that passes before, times their number; slower means below −{SLOWER:g}: the last block is ready at "
        f"least {SLOWER:.0%} of the training earlier than the first. A network that learns nothing has nothing to "
        "settle.",
        region=Region(high=-SLOWER),
        replicate=TRAINED,
        measure=means("lower_rates", "settling_rate", _BY_DESIGN, "of the training"),
        controls=planted(
            "lower-layers-later",
            "lower-layers-hardly-later",
            "representations become final all at once, from the first block to the last after a share of training that "
            "changes by",
            ("−0.09", "−0.01"),
        ),
    ),
    _cure(
        "L15a", "ResNet", "gradient_rate", _GRADIENT,
        "Skip connections are a cure: in residual networks gradients do not vanish with depth, whatever the "
        "initialisation.",
        " Residual (post-activation) and pre-activation blocks of two layers.", "skip",
    ),
    _cure(
        "L15b", "ResNet", "relative_rate", _RELATIVE,
        "Skip connections are a cure: in residual networks the gradient keeps its size relative to what it acts on.",
        _PLAIN, "skip",
    ),
    _cure(
        "L16a", "DenseNet", "gradient_rate", _GRADIENT,
        "Dense connections are a cure: in dense networks gradients do not vanish with depth, whatever the "
        "initialisation.",
        "", "dense",
    ),
    _cure(
        "L16b", "DenseNet", "relative_rate", _RELATIVE,
        "Dense connections are a cure: in dense networks the gradient keeps its size relative to what it acts on.",
        _PLAIN, "dense",
    ),
)  # fmt: skip

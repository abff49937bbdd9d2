"""The networks for CIFAR-10 of He, Zhang, Ren and Sun (2015): residual networks and their plain twins."""

from __future__ import annotations

from typing import Literal

from gradstudy.errors import OptionError
from gradstudy.models.design import FeedForward

WithTwoLayers = Literal["plain", "residual", "pre-activation"]


def cifar_network(
    layers: int,
    kind: WithTwoLayers = "residual",
    *,
    width: int = 16,
    input_shape: tuple[int, int, int] = (3, 32, 32),
) -> FeedForward:
    """The design of a network of 6 n + 2 weight layers: a stem, three stages of n blocks of two, a head.

    Batch normalisation after every convolution, He initialisation, option A shortcuts (no parameters). The plain twin
    has the same blocks without shortcuts, so its states stand at the same places. As pre-activation (He et al. 2016)
    the normalisations come before the convolutions. Other options by `dataclasses.replace`.

    Source: Deep residual learning for image recognition, section 4.2 and Table 6.

    Args:
        layers: 20, 32, 44, 56, 110 and 1202 in the paper.
        kind: residual, plain or pre-activation.
        width: channels of the first stage; 16 in the paper.
        input_shape: channels, height and width of an image.

    Raises:
        OptionError: `layers` is not 6 n + 2.

    Example:
        >>> from gradstudy.models.feedforward import draw_feedforward
        >>> from gradstudy.models.he2015 import cifar_network
        >>> resnet = draw_feedforward(cifar_network(20), seed=0)
        >>> sum(parameter.numel() for parameter in resnet.parameters())
        269722
    """
    if layers < 8 or layers % 6 != 2:
        raise OptionError(
            f"a network of {layers} layers",
            needed="6 n + 2: 8, 14, 20, 26, 32, ...",
            why="it has three stages of equally many blocks of two layers, a stem and a head",
            remedy=f"take {max(8, 6 * round((layers - 2) / 6) + 2)}, or write a FeedForward design",
        )
    return FeedForward(
        kind,
        "convolution",
        depth=(layers - 2) // 2,
        width=width,
        input_shape=input_shape,
        normalisation="batch",
        block_layers=2,
        stages=3,
    )

"""The networks for CIFAR-10 of Huang, Liu, van der Maaten and Weinberger (2016): densely connected networks."""

from __future__ import annotations

from gradstudy.errors import OptionError
from gradstudy.models.design import FeedForward


def cifar_densenet(
    layers: int = 40,
    growth_rate: int = 12,
    *,
    bottleneck: bool = False,
    input_shape: tuple[int, int, int] = (3, 32, 32),
) -> FeedForward:
    """The design of a DenseNet of 3 n + 4 weight layers, or with bottlenecks and compression (BC) 6 n + 4.

    A stem of 16 channels (BC: 2 k), three stages of n dense layers, two transitions (BC: compression 1/2), a head. In
    the transitions a nonlinearity follows the normalisation, as in the released code; the paper does not mention it.
    Other options by `dataclasses.replace`.

    Source: Densely connected convolutional networks, section 3 and Table 2.

    Args:
        layers: L; 40 and 100 in the paper, with bottlenecks 100, 190 and 250.
        growth_rate: k; 12, 24 or 40 in the paper.
        bottleneck: DenseNet-BC.
        input_shape: channels, height and width of an image.

    Raises:
        OptionError: `layers` is not of the form above.

    Example:
        >>> from gradstudy.models.feedforward import draw_feedforward
        >>> from gradstudy.models.huang2016 import cifar_densenet
        >>> densenet = draw_feedforward(cifar_densenet(40, 12), seed=0)
        >>> sum(parameter.numel() for parameter in densenet.parameters())
        1019722
    """
    step = 6 if bottleneck else 3
    if layers < step + 4 or (layers - 4) % step:
        raise OptionError(
            f"a DenseNet of {layers} layers{' with bottlenecks' if bottleneck else ''}",
            needed=f"{step} n + 4: {step + 4}, {2 * step + 4}, {3 * step + 4}, ...",
            why="it has three stages of equally many dense layers, a stem, two transitions and a head",
            remedy=f"take {max(step + 4, step * round((layers - 4) / step) + 4)}, or write a FeedForward design",
        )
    return FeedForward(
        "dense",
        "convolution",
        depth=(layers - 4) // step * 3,
        width=2 * growth_rate if bottleneck else 16,
        input_shape=input_shape,
        normalisation="batch",
        stages=3,
        growth_rate=growth_rate,
        bottleneck=bottleneck,
        compression=0.5 if bottleneck else 1.0,
    )

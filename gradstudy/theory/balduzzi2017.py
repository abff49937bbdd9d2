"""Correlation of the gradients at two inputs: laws of Balduzzi et al. (ICML 2017), and mean field beside them.

The laws take it that at every unit each of two inputs is active with probability 1/2 and both with 1/4, whatever the
layer. Mean field follows the correlation of the pre-activations instead, which grows from layer to layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Law = Callable[[int, float], float]
"""Correlation from the depth and beta."""


def plain(depth: int) -> float:
    """2^-L: plain rectifier network, weights of variance 2/n (Theorem 1)."""
    return 0.5**depth


def residual(depth: int) -> float:
    """(3/4)^L: h + W relu(h), without normalisation (Theorem 2)."""
    return 0.75**depth


def normalised_residual(depth: int, beta: float, *, growth: float = 1.0) -> float:
    """h + beta W relu(BN(h)): product of (1 + beta^2/2v) / (1 + beta^2/v) over the layers' variances v (Theorem 3).

    v = 1 + growth beta^2 (l - 1) at layer l = 1 .. L. With growth 1, the theorem's, about 1 / (beta sqrt(L)) for large
    L. With growth 1 - 1/pi the part of relu's output that all inputs share, and that the next normalisation takes out,
    does not count: the exponent is then -pi / (2 (pi - 1)) = -0.73.
    """
    log = 0.0
    for layer in range(depth):
        v = 1 + growth * beta**2 * layer
        log += math.log((1 + beta**2 / (2 * v)) / (1 + beta**2 / v))
    return math.exp(log)


CENTRED = 1 - 1 / math.pi
"""`growth` of a residual network's variance over the batch, per layer and beta^2; relu, weights of variance 2/n."""


def mean_field_plain(depth: int) -> float:
    """Plain rectifier network without normalisation, inputs at right angles: falls as L^-3, not exponentially."""
    correlation, product = 0.0, 1.0
    for _ in range(depth):
        product *= _both_active(correlation)
        correlation = _through_relu(correlation)
    return product


def mean_field_residual(depth: int) -> float:
    """h + W relu(h) without normalisation, inputs at right angles: falls more slowly than (3/4)^L."""
    correlation, product = 0.0, 1.0
    for _ in range(depth):
        product *= (1 + _both_active(correlation)) / 2
        correlation = (correlation + _through_relu(correlation)) / 2
    return product


def _both_active(correlation: float) -> float:
    """Twice the probability that two inputs are both active at a unit."""
    return 1 - math.acos(min(correlation, 1.0)) / math.pi


def _through_relu(correlation: float) -> float:
    """Correlation (about 0) of a layer's pre-activations from that of the layer before."""
    c = min(correlation, 1.0)
    return (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi

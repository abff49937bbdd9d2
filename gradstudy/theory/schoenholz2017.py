"""Mean field of wide random networks: Poole et al. (NeurIPS 2016), Schoenholz et al. (ICLR 2017).

Pre-activations of a layer are Gaussian of variance q, weights N(0, sigma_w^2 / n), biases N(0, sigma_b^2).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# z = 0 is a node of neither rule, so that the kink of relu falls between nodes; its moments are exact by symmetry.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(200)
_WEIGHTS = _WEIGHTS / math.sqrt(2 * math.pi)


def _sigmoid(z: Values) -> Values:
    return 0.5 * (1 + np.tanh(z / 2))


_FUNCTIONS: dict[str, tuple[Callable[[Values], Values], Callable[[Values], Values]]] = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
}


def mean_square(activation: str, q: float) -> float:
    """E phi(sqrt(q) z)^2 for a standard normal z, by Gauss-Hermite quadrature of 200 nodes."""
    return float(_WEIGHTS @ _FUNCTIONS[activation][0](math.sqrt(q) * _NODES) ** 2)


def mean_square_slope(activation: str, q: float) -> float:
    """E phi'(sqrt(q) z)^2 for a standard normal z, by Gauss-Hermite quadrature of 200 nodes."""
    return float(_WEIGHTS @ _FUNCTIONS[activation][1](math.sqrt(q) * _NODES) ** 2)


def fixed_point(activation: str, sigma_w: float, sigma_b: float, *, start: float = 1.0) -> float:
    """q*: the variance that q -> sigma_w^2 E phi(sqrt(q) z)^2 + sigma_b^2 comes to from `start`.

    NaN if 10,000 steps do not settle it (relu above its critical point grows for ever, tanh at its own falls as 1/l).
    """
    q = start
    for _ in range(10_000):
        following = sigma_w**2 * mean_square(activation, q) + sigma_b**2
        if abs(following - q) <= 1e-14 * max(q, 1e-300):
            return following
        if not following < 1e12:
            break
        q = following
    return math.nan


def chi_1(activation: str, sigma_w: float, q: float) -> float:
    """sigma_w^2 E phi'(sqrt(q) z)^2: what one layer makes of a small difference forward and of a gradient backward.

    Both of a squared norm, on average. Below 1 the network is ordered, above 1 chaotic; 1 / |log chi_1| is the depth
    scale of the gradient. Of relu sigma_w^2 / 2 whatever q.
    """
    return sigma_w**2 * mean_square_slope(activation, q)


def critical_point(activation: str, q: float) -> tuple[float, float]:
    """(sigma_w, sigma_b) at which chi_1 = 1 and q is a fixed point.

    Raises:
        ValueError: there is none (the variance of the biases would be negative).
    """
    sigma_w = 1 / math.sqrt(mean_square_slope(activation, q))
    variance = q - sigma_w**2 * mean_square(activation, q)
    if variance < 0:
        raise ValueError(f"{activation} has no critical point with q = {q:g}: sigma_b^2 would be {variance:g}")
    return sigma_w, math.sqrt(variance)

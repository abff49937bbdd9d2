"""Eigenvalues of products of random matrices, as in Saxe, McClelland and Ganguli (ICLR 2014)."""

from __future__ import annotations

import math

from scipy import integrate


def share_within(radius: float, depth: int) -> float:
    """P(|lambda| < r) = r^(2/L) for the product of L large matrices with entries N(0, 1/n); 1 beyond r = 1."""
    return min(1.0, radius ** (2 / depth)) if radius > 0 else 0.0


def share_in_square(half_width: float, depth: int) -> float:
    """Share of the eigenvalues with |Re| and |Im| below a half width (at most 1/sqrt(2)), averaged over directions."""
    edge = integrate.quad(lambda angle: (half_width / math.cos(angle)) ** (2 / depth), 0, math.pi / 4)[0]
    return edge / (math.pi / 4)

"""Gradient explosion by batch normalisation at initialisation: Yang et al. (ICLR 2019), worked out for any batch.

A wide network h' = W phi(BN(h)) with independent weights, B inputs a batch. BN(h) = sqrt(B) u, u = G h / |G h|,
G = 1 - 11^T / B, is uniform on a sphere in B - 1 dimensions, and |G h|^2 is mu sigma_w^2 chi^2_{B-1}, where mu is the
variance left of phi after centring. Backwards, the covariance of a unit's gradients over the batch is a multiple of G,
by symmetry, and a layer multiplies it by

    lambda = B / (mu (B - 3)) E tr[(G - u u^T) D G D] / (B - 1),    D = diag phi'(BN(h)).
"""

from __future__ import annotations

import math

LARGE_BATCH = math.pi / (math.pi - 1)
"""lambda of relu as B grows (Theorem 8): 1.467 for the *squared* norm, 1.211 for the norm."""


def squared_rate(activation: str, batch: int) -> float:
    """lambda: factor on the expected squared gradient norm of one layer, for relu and linear networks.

    Linear: (B - 2) / (B - 3). Relu: `LARGE_BATCH` as B grows, more for small batches.

    Args:
        activation: "relu" or "linear".
        batch: B, at least 4: the mean of 1 / chi^2_{B-1} is infinite below.

    Raises:
        ValueError: another activation, or a smaller batch.
    """
    if batch < 4:
        raise ValueError(f"a batch of {batch}: the expected squared gradient is infinite below 4")
    if activation == "linear":
        return (batch - 2) / (batch - 3)
    if activation != "relu":
        raise ValueError(f"no closed form for {activation!r}; relu or linear")
    return _relu(batch)


def _relu(batch: int) -> float:
    correlation = -1 / (batch - 1)
    angle = math.acos(correlation)
    both = 0.25 + math.asin(correlation) / (2 * math.pi)  # P(two inputs are active at one unit)
    # E of u_a+ u_b+ over the sphere: the Gaussian moment divided by E|.|^2 = B - 1
    product = (math.sqrt(1 - correlation**2) + correlation * (math.pi - angle)) / (2 * math.pi * batch)
    count, count_squared = batch / 2, batch / 2 + batch * (batch - 1) * both
    sum_squared = 0.5 + batch * (batch - 1) * product  # E (sum of u+)^2
    mu = (batch / 2 - sum_squared) / (batch - 1)
    trace = count - 2 * count / batch + count_squared / batch**2 - (0.5 - sum_squared / batch)
    return batch / (mu * (batch - 3)) * trace / (batch - 1)

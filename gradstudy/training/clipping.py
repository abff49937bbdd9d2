"""Clipping of every member's gradient: Pascanu's Algorithm 1, the released code's, and element by element."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gradstudy.training.population import Population

Clipping = Literal["algorithm-1", "code", "element-wise"]

RESCUE_ABOVE = 1e10
RESCUE_FACTOR = 0.02


def gradient_norm(gradient: Population) -> Tensor:
    """Euclidean norm over all parameters of each member, `(members,)`."""
    return torch.linalg.vector_norm(gradient.weights, dim=1)


def clip(gradient: Population, norm: Tensor, threshold: Tensor, clipping: Clipping) -> Tensor:
    """Clip in place.

    | clipping | what becomes of g |
    |---|---|
    | algorithm-1 | (threshold / norm) g where norm >= threshold, as the paper has it |
    | code | threshold g / norm where norm > threshold, as the released code has it; at equality both leave g as it is |
    | element-wise | every number of g held within +-threshold |

    Args:
        gradient: with the regularizers' already in it.
        norm: as `gradient_norm` gives it.
        threshold: `(members,)`; infinite for a member whose gradient is not clipped.
        clipping: one of the above.

    Returns:
        The clip factor |clipped g| / |g|, `(members,)`; 1 where nothing was clipped, NaN where the norm is.

    Source: Pascanu, Mikolov and Bengio 2013, Algorithm 1 and released code.
    """
    weights = gradient.weights
    if clipping == "element-wise":
        torch.minimum(torch.maximum(weights, -threshold[:, None], out=weights), threshold[:, None], out=weights)
        inside = weights.abs().amax(1) < threshold
        return torch.where(inside & norm.isfinite(), 1.0, gradient_norm(gradient) / norm)
    above = norm >= threshold if clipping == "algorithm-1" else norm > threshold
    factor = torch.where(above, threshold / norm, torch.where(norm.isnan(), norm, 1.0))
    if clipping == "algorithm-1":
        weights *= torch.where(above, factor, 1.0)[:, None]
    else:
        weights *= torch.where(above, threshold, 1.0)[:, None]
        weights /= torch.where(above, norm, 1.0)[:, None]
    return factor


def rescue(gradient: Population, norm: Tensor, population: Population) -> None:
    """The released code's rule, in place: where the norm is NaN, infinite or above 1e10, a gradient of its own making.

    That of W_hh becomes 0.02 W_hh (a step towards 0), all others 0. It is not in the paper.
    """
    lost = ~(norm <= RESCUE_ABOVE)
    if lost.any():
        gradient.weights[lost] = 0.0
        gradient.weight_hh[lost] = RESCUE_FACTOR * population.weight_hh[lost]

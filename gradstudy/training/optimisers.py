"""Steps of plain SGD, SGD with momentum and Adam for many members at once, each with a learning rate of its own."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Optimiser = Literal["sgd", "momentum", "adam"]

# Numbers of which each keeps one a weight.
MOMENTS: dict[Optimiser, int] = {"sgd": 0, "momentum": 1, "adam": 2}
MOMENTUM = 0.9
BETAS = (0.9, 0.999)
EPSILON = 1e-8


def step(optimiser: Optimiser, weights: Tensor, gradient: Tensor, rate: Tensor, moments: Tensor, count: int) -> None:
    """One step, in place; as torch.optim's of the same name with their defaults.

    | optimiser | step |
    |---|---|
    | sgd | w -= rate g |
    | momentum | v = 0.9 v + g; w -= rate v |
    | adam | m = 0.9 m + 0.1 g; v = 0.999 v + 0.001 g^2; |
    | | w -= rate (m / (1 - 0.9^n)) / (sqrt(v / (1 - 0.999^n)) + 1e-8) |

    Args:
        optimiser: one of the above.
        weights: `(members, parameters)`.
        gradient: of the same shape; overwritten.
        rate: `(members,)`.
        moments: `(MOMENTS[optimiser], members, parameters)`, 0 at the start.
        count: n, this step's number, from 1.
    """
    if optimiser == "sgd":
        weights -= gradient.mul_(rate[:, None])
    elif optimiser == "momentum":
        moments[0].mul_(MOMENTUM).add_(gradient)
        weights -= moments[0] * rate[:, None]
    else:
        first, second = moments.unbind(0)
        first.lerp_(gradient, 1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        size = (second / (1 - BETAS[1] ** count)).sqrt_().add_(EPSILON)
        weights -= torch.div(first, size, out=gradient).mul_(rate[:, None] / (1 - BETAS[0] ** count))

"""The same weights with a sigmoid, and with another nonlinearity in its place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from gradstudy.measure.layer_rates import Population, log_gradients
from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Activation, Stack, draw

_STEEPEST = 0.25


def nonlinearities(
    population: Population,
    references: Sequence[Activation],
    *,
    lead: float | None = None,
    slope: float | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gradient through a sigmoid network and through networks of the same weights with another nonlinearity.

    Args:
        population: of networks; their own activation does not matter.
        references: nonlinearities beside the sigmoid.
        lead: planted: in the sigmoid's place stands the reference itself, each link of which hands back e^(-lead/2)
            times its gradient.
        slope: planted: in the sigmoid's place stands a linear function whose derivative is this.

    Returns:
        Two tables. Pairs, one row a network and reference: `network`; `reference`; `links`; `log_backward`: log
        |dF/dh_0|^2 - log |dF/dh_L|^2 through the reference; `log_backward_sigmoid`: through the sigmoid. Bounds, one
        row a network: `network`, `links`, `log_backward_sigmoid`, `log_bound`: sum over links of 2 log(sigma_1(W)/4);
        `largest_margin`: largest over links of the change of log |dF/dh|^2 on the way back minus 2 log(sigma_1(W)/4).

    Cost: a forward and a backward pass a nonlinearity, and a singular value a link.
    """
    pairs, bounds = [], []
    for i in range(population.networks):
        stack = replace(population.stack, activation="sigmoid")
        curve = _curve(population, stack if slope is None else _linear(stack, slope), i)
        bounds.append({"network": i, "links": stack.depth, "log_backward_sigmoid": float(curve[0] - curve[-1])})
        bounds[-1].update(_bound(population, stack, i, curve))
        for reference in references:
            beside = replace(stack, activation=reference)
            other = _curve(population, beside, i)
            stand_in = curve if lead is None else _curve(population, replace(beside, gain=-lead), i)
            pairs.append(
                {
                    "network": i,
                    "reference": reference,
                    "links": stack.depth,
                    "log_backward": float(other[0] - other[-1]),
                    "log_backward_sigmoid": float(stand_in[0] - stand_in[-1]),
                }
            )
    return pd.DataFrame(pairs), pd.DataFrame(bounds)


def _linear(stack: Stack, slope: float) -> Stack:
    return replace(stack, activation="linear", gain=2 * math.log(slope))


def _curve(population: Population, stack: Stack, index: int) -> Tensor:
    """log |dF/dh_l|^2 of one network; the same index has the same weights, input and direction."""
    stream = generator(population.seed, index, "network")
    size = (population.rows, stack.width)
    inputs, cotangent = (torch.randn(size, generator=stream, dtype=torch.float64) for _ in range(2))
    return log_gradients(draw(stack, population.rows, stream), inputs, cotangent)


def _bound(population: Population, stack: Stack, index: int, curve: Tensor) -> dict[str, float]:
    stream = generator(population.seed, index, "network")
    torch.randn((2, population.rows, stack.width), generator=stream, dtype=torch.float64)
    links = draw(stack, population.rows, stream)
    bound = torch.stack([2 * (_STEEPEST * torch.linalg.matrix_norm(link.weight, ord=2)).log() for link in links])
    return {"log_bound": float(bound.sum()), "largest_margin": float((curve[:-1] - curve[1:] - bound).max())}

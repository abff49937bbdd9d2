"""How far apart the gradients of nonlinear networks are: spread over draws, by lag, with shared weights and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.measure.product_spread import BLOCK
from gradstudy.models.pascanu import slope
from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import SHARINGS, Sharing
from gradstudy.models.unfolded import Design, Unfolded, draw_unfolded, isometries

_DECIMALS = 6
# Of the planted rates over draws of the independent networks' stand-ins, nats per link.
_PLANTED = 0.02


@dataclass(frozen=True)
class Population:
    """Networks of one design with and without shared weights, in blocks of 50 draws.

    Args:
        design: of the networks; its length less the largest lag is left to the states to settle.
        blocks: of 50 draws.
        rows: input sequences a network, with entries N(0, 1).
        seed: of all draws.
        planted_ratio: planted: in the place of both kinds stand linear networks of a known rate each, N(0, s^2) over
            draws, s being this many times as large for those in the place of the tied ones.
    """

    design: Design
    blocks: int
    rows: int = 4
    seed: int = 0
    planted_ratio: float | None = None


def gradient_spread(population: Population, lags: Sequence[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Spread over draws of log |dF/da_{T-l}| - log |dF/da_T|, F = <c, a_T>, each the mean over a network's rows.

    Returns:
        Two tables. Spreads, one row a block, kind and lag: `block`, `sharing`, `steps` (the lag l), `mean` and
        `spread`: mean and standard deviation (n - 1) over the block, nats. Rates of the first block's networks over the
        largest lag: `draw`, `sharing`, `rate`, nats per link.

    Cost: a forward and a backward pass a network; the weights of a block are held at once.
    """
    rows, rates = [], []
    for block in range(population.blocks):
        for sharing in SHARINGS:
            logs = _log_gradients(population, sharing, block, lags)
            rows += [
                {"block": block, "sharing": sharing, "steps": lag, "mean": float(at.mean()), "spread": float(at.std())}
                for lag, at in zip(lags, logs, strict=True)
            ]
            if block == 0:
                last = logs[-1] / lags[-1]
                rates.append(pd.DataFrame({"draw": range(BLOCK), "sharing": sharing, "rate": last.numpy()}))
    return pd.DataFrame(rows).round(_DECIMALS), pd.concat(rates, ignore_index=True).round(_DECIMALS)


def log_gradients(
    networks: Unfolded, states: Sequence[Float[Tensor, "count rows n"]], cotangent: Float[Tensor, "count rows n"]
) -> Float[Tensor, "lags count rows"]:
    """log |dF/da_{T-l}| - log |dF/da_T| for l = 0 .. T and F = <cotangent, a_T>, a row by itself.

    The adjoint recursion, scaled to norm 1 after every link, so that nothing under- or overflows.

    Args:
        networks: the networks.
        states: a_0 .. a_T.
        cotangent: the gradient at a_T.
    """
    gradient = cotangent / cotangent.norm(dim=2, keepdim=True)
    logs = [torch.zeros_like(gradient[..., 0])]
    for step in range(len(states) - 1, 0, -1):
        back = torch.bmm(gradient, networks.recurrent[networks.at(step)]) * slope(networks.activation, states[step - 1])
        length = back.norm(dim=2, keepdim=True)
        # A gradient that has died stays dead: log 0 = -inf, and no 0/0.
        gradient = back / torch.where(length == 0, torch.ones_like(length), length)
        logs.append(logs[-1] + length[..., 0].log())
    return torch.stack(logs)


def _log_gradients(
    population: Population, sharing: Sharing, block: int, lags: Sequence[int]
) -> Float[Tensor, "lags count"]:
    design = population.design
    networks = _networks(population, sharing, block)
    stream = generator(population.seed, block, "inputs")
    inputs = torch.randn(design.length, BLOCK, population.rows, design.inputs, generator=stream, dtype=torch.float64)
    states = networks.states(inputs)
    cotangent = torch.randn(states[-1].shape, generator=stream, dtype=torch.float64)
    return log_gradients(networks, states, cotangent)[list(lags)].mean(2)


def _networks(population: Population, sharing: Sharing, block: int) -> Unfolded:
    stream = generator(population.seed, block, "networks")
    if population.planted_ratio is None:
        return draw_unfolded(population.design, sharing, BLOCK, stream)
    deviation = _PLANTED * (population.planted_ratio if sharing == "tied" else 1.0)
    numbers = torch.randn(BLOCK, generator=generator(population.seed, block, f"{sharing} rates"), dtype=torch.float64)
    return isometries((deviation * numbers).tolist(), population.design, stream)

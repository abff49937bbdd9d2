"""What attractor an autonomous network comes to, and the rate of its gradient there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.time import time_chain
from gradstudy.measure.growth import tangent_growth
from gradstudy.models.networks import Family, as_taken, draw_network
from gradstudy.models.randomness import generator

_LONGEST = 100  # period that is looked for
_CLOSED = 1e-9  # a state that comes back this near, in every component, has closed its period
_NEAR = 1e-9  # distance between the two starts of a network
_TAIL = 100  # states at the end over which the distance between the two is taken


@dataclass(frozen=True)
class Watch:
    """How long a network is watched.

    Args:
        burn_in: links that are not counted; an attractor is looked for right after them.
        links: links over which the rate is measured.
    """

    burn_in: int
    links: int


def attractors(family: Family, networks: int, watch: Watch, *, seed: int) -> pd.DataFrame:
    """Attractor and gradient rate of independently drawn tanh networks without input.

    Each network runs from a random start, and from a twin of it 1e-9 away.

    Args:
        family: of the networks, tanh.
        networks: how many are drawn.
        watch: burn-in and counted links.
        seed: of networks, starts and tangents.

    Returns:
        One row a network: `network`; `period` of the attractor it has come to after the burn-in (1: a fixed point; 0:
        none of at most 100 links); `log_radius`: log rho of the period map over the period, nats per link, rho being
        the spectral radius of the product of the period's one-step Jacobians diag(1 - h^2) W (NaN without a period);
        `rate`: growth of a random tangent over the counted links, nats per link; `separation`: largest distance between
        the network and its twin over the last 100 states.

    Cost: a chain and a tangent a network.
    """
    return pd.DataFrame([_of_a_network(family, watch, i, seed) for i in range(networks)])


def expanding_maps(rate: float, size: int, networks: int, watch: Watch, *, seed: int) -> pd.DataFrame:
    """Planted in the networks' place: uncoupled chaotic maps h -> e^rate h mod 1, whose rate is exactly `rate`.

    Returns:
        As `attractors`.
    """
    rows = []
    for i in range(networks):
        stream = generator(seed, i, "expanding maps")
        states = [_twins(torch.rand(size, generator=stream, dtype=torch.float64), stream)]
        tangent, grown = torch.ones(size, dtype=torch.float64), 0.0
        for t in range(watch.burn_in + watch.links):
            states.append(torch.remainder(math.exp(rate) * states[-1], 1.0))
            longer = math.exp(rate) * tangent
            grown += float((longer.norm() / tangent.norm()).log()) if t >= watch.burn_in else 0.0
            tangent = torch.nn.functional.normalize(longer, dim=0)
        measured = {"log_radius": math.nan, "rate": grown / watch.links}
        rows.append({"network": i, **_attractor(torch.stack(states), watch), **measured})
    return pd.DataFrame(rows)


def log_radius(weight: Float[Tensor, "n n"], states: Float[Tensor, "period n"]) -> float:
    """log rho(J_p ... J_1) / p with J = diag(1 - h^2) W of a tanh network, h the states that the links lead to."""
    product, scale = torch.eye(len(weight), dtype=torch.float64), 0.0
    for state in states:
        product = (1 - state**2)[:, None] * weight @ product
        size = float(product.abs().max())
        product, scale = product / size, scale + math.log(size)
    return (float(torch.linalg.eigvals(product).abs().max().log()) + scale) / len(states)


def _of_a_network(family: Family, watch: Watch, index: int, seed: int) -> dict[str, int | float]:
    stream = generator(seed, index, "attractors")
    network = draw_network(family, stream)
    starts = _twins(torch.randn(family.size, generator=stream, dtype=torch.float64), stream)
    inputs = torch.zeros(watch.burn_in + watch.links, 2, family.input_size, dtype=torch.float64)
    chain = time_chain(network.module, inputs, as_taken(network.module, starts))
    assert isinstance(chain.states, Tensor)
    found = _attractor(chain.states, watch)
    cycle = chain.states[watch.burn_in + 1 : watch.burn_in + int(found["period"]) + 1, 0]
    return {
        "network": index,
        **found,
        "log_radius": log_radius(network.weight, cycle) if len(cycle) else math.nan,
        "rate": float(tangent_growth(chain, watch.burn_in, stream=generator(seed, index, "tangent"))[0]),
    }


def _twins(start: Float[Tensor, " n"], stream: torch.Generator) -> Float[Tensor, "2 n"]:
    direction = torch.nn.functional.normalize(torch.randn(len(start), generator=stream, dtype=torch.float64), dim=0)
    return torch.stack([start, start + _NEAR * direction])


def _attractor(states: Float[Tensor, "states 2 n"], watch: Watch) -> dict[str, int | float]:
    tail = states[-_TAIL:]
    return {
        "period": _period(states[watch.burn_in :, 0]),
        "separation": float((tail[:, 1] - tail[:, 0]).norm(dim=1).max()),
    }


def _period(states: Float[Tensor, "states n"]) -> int:
    """The first number of links after which the first state is back; 0 if it is not within 100."""
    distance = (states[1 : _LONGEST + 1] - states[0]).abs().amax(1)
    back = (distance < _CLOSED).nonzero()
    return int(back[0]) + 1 if len(back) else 0

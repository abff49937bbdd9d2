"""What attractor an autonomous network comes to, and the rate of its gradient there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain
from gradstudy.chains.time import time_chain
from gradstudy.measure.growth import tangent_growth
from gradstudy.models.networks import Family, Network, as_taken, draw_network
from gradstudy.models.randomness import generator

_LONGEST = 100  # period that is looked for
_CLOSED = 1e-9  # a state that comes back this near, in every component, has closed its period
_NEAR = 1e-9  # distance at which a twin is set beside the network after the burn-in
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

    Each network runs from a random start; after the burn-in a twin of it sets out 1e-9 away.

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
        As `attractors`; the rate is that of a tangent carried forward through all counted links.
    """
    rows = []
    for i in range(networks):
        stream = generator(seed, i, "expanding maps")
        start = _expanded(torch.rand(size, generator=stream, dtype=torch.float64), rate, watch.burn_in)[-1]
        own, twin = (_expanded(h, rate, watch.links) for h in (start, _beside(start, stream)))
        tangent = torch.ones_like(start)
        for _ in range(watch.links):
            tangent = math.exp(rate) * tangent
        rows.append(
            {
                "network": i,
                "period": period(own),
                "separation": _separation(own, twin),
                "log_radius": math.nan,
                "rate": float(tangent.log().mean()) / watch.links,
            }
        )
    return pd.DataFrame(rows)


def _expanded(start: Float[Tensor, " n"], rate: float, links: int) -> Float[Tensor, "states n"]:
    states = [start]
    for _ in range(links):
        states.append(torch.remainder(math.exp(rate) * states[-1], 1.0))
    return torch.stack(states)


def log_radius(weight: Float[Tensor, "n n"], states: Float[Tensor, "period n"]) -> float:
    """log rho(J_p ... J_1) / p with J = diag(1 - h^2) W of a tanh network, h the states that the links lead to."""
    product, scale = torch.eye(len(weight), dtype=torch.float64), 0.0
    for state in states:
        product = (1 - state**2)[:, None] * weight @ product
        size = float(product.abs().max())
        product, scale = product / size, scale + math.log(size)
    return (float(torch.linalg.eigvals(product).abs().max().log()) + scale) / len(states)


def period(states: Float[Tensor, "states n"]) -> int:
    """The first number of links after which the first state is back, to 1e-9; 0 if it is not within 100."""
    distance = (states[1 : _LONGEST + 1] - states[0]).abs().amax(1)
    back = (distance < _CLOSED).nonzero()
    return int(back[0]) + 1 if len(back) else 0


def _of_a_network(family: Family, watch: Watch, index: int, seed: int) -> dict[str, int | float]:
    stream = generator(seed, index, "attractors")
    network = draw_network(family, stream)
    start = torch.randn(family.size, generator=stream, dtype=torch.float64)
    chain = _chain(network, start, watch.burn_in + watch.links)
    states = _states(chain)[watch.burn_in :]
    twin = _states(_chain(network, _beside(states[0], stream), watch.links))
    cycle = states[1 : period(states) + 1]
    return {
        "network": index,
        "period": len(cycle),
        "separation": _separation(states, twin),
        "log_radius": log_radius(network.weight, cycle) if len(cycle) else math.nan,
        "rate": float(tangent_growth(chain, watch.burn_in, stream=generator(seed, index, "tangent"))[0]),
    }


def _chain(network: Network, start: Float[Tensor, " n"], links: int) -> Chain:
    inputs = torch.zeros(links, 1, 1, dtype=torch.float64)
    return time_chain(network.module, inputs, as_taken(network.module, start[None]))


def _states(chain: Chain) -> Float[Tensor, "states n"]:
    assert isinstance(chain.states, Tensor)
    return chain.states[:, 0]


def _beside(start: Float[Tensor, " n"], stream: torch.Generator) -> Float[Tensor, " n"]:
    direction = torch.randn(len(start), generator=stream, dtype=torch.float64)
    return start + _NEAR * torch.nn.functional.normalize(direction, dim=0)


def _separation(states: Float[Tensor, "states n"], twin: Float[Tensor, "states n"]) -> float:
    return float((states - twin)[-_TAIL:].norm(dim=1).max())

"""How the squared gradient norm changes from layer to layer, over populations of independently drawn networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from gradstudy.measure.error_decay import interval
from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Link, Stack, draw
from gradstudy.theory import he2015init, schoenholz2017, yang2019

_DECIMALS = 6


@dataclass(frozen=True)
class Population:
    """Networks of one design and what goes into them.

    Args:
        stack: the design.
        networks: how many are drawn.
        rows: inputs of a network, drawn with it; under batch normalisation its batch.
        start: mean square q of the entries of h_0; None for the fixed point of q where there is one, else 1.
        margin: links at each end that rates do not count.
        differences: whether small differences of the inputs are followed forward as well.
        seed: of all draws; more networks leave the first ones as they are.
    """

    stack: Stack
    networks: int
    rows: int = 1
    start: float | None = None
    margin: int = 0
    differences: bool = False
    seed: int = 0


def critical_stack(stack: Stack, q: float) -> Stack:
    """The stack at the critical point whose pre-activations keep the variance q, see `critical_point`."""
    sigma_w, sigma_b = schoenholz2017.critical_point(stack.activation, q)
    return replace(stack, sigma_w=sigma_w, sigma_b=sigma_b)


def log_gradients(
    links: list[Link], inputs: Float[Tensor, "rows n"], cotangent: Float[Tensor, "rows n"]
) -> Float[Tensor, " states"]:
    """log |dF/dh_l|^2 of F = <cotangent, h_L>, over all rows together, for l = 0 .. L, by autograd.

    Cost: one forward and one backward pass.
    """
    states = [inputs.clone().requires_grad_()]
    for link in links:
        states.append(link(states[-1]))
    found = torch.autograd.grad((states[-1] * cotangent).sum(), states)
    return torch.stack([g.square().sum().log() for g in found])


def log_differences(
    links: list[Link], inputs: Float[Tensor, "rows n"], tangent: Float[Tensor, "rows n"]
) -> Float[Tensor, " states"]:
    """log |dh_l/dh_0 v|^2, over all rows together, for l = 0 .. L: how a small difference of the inputs fares.

    Cost: one forward pass with its tangent.
    """
    state, found = inputs, [tangent.square().sum().log()]
    for link in links:
        pushed = torch.func.jvp(link, (state,), (tangent,))
        state, tangent = pushed[0], pushed[1]
        found.append(tangent.square().sum().log())
    return torch.stack(found)


def layer_rates(population: Population) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Backward and forward rates of every network, and the mean profile over layers.

    Returns:
        Two tables. Networks: `network`; `links` counted; `log_backward`: log of the squared gradient norm at the first
        counted state over that at the last; `log_forward`: log of the squared norm of a small difference at the last
        counted state over that at the first (NaN unless asked for); `predicted`: the law's annealed rate of the squared
        gradient norm, nats per link, NaN where there is none; `predicted_quenched`: of the mean logarithm. Profile: one
        row a state: `state`; `quenched`: mean over networks of log |dF/dh_l|^2 - log |dF/dh_L|^2, `low`, `high`: its
        95 % Student interval; `n` networks; `annealed`: log of the mean of the ratio; to 6
        decimals, for pictures.
    """
    pairs = [_one(population, i) for i in range(population.networks)]
    first, last = population.margin, population.stack.depth - population.margin
    law = predicted(population)
    rows = [
        {
            "network": i,
            "links": last - first,
            "log_backward": float(backward[first] - backward[last]),
            "log_forward": float(forward[last] - forward[first]),
            "predicted": law,
            "predicted_quenched": _quenched(population.stack),
        }
        for i, (backward, forward) in enumerate(pairs)
    ]
    return pd.DataFrame(rows), profile(np.stack([backward.numpy() for backward, _ in pairs]))


def profile(curves: NDArray[np.float64]) -> pd.DataFrame:
    """The second table of `layer_rates`, from `(networks, states)` log squared norms."""
    ratios = curves - curves[:, -1:]
    largest = ratios.max(0)
    annealed = np.log(np.exp(ratios - largest).mean(0)) + largest
    return pd.DataFrame(
        {"state": i, **interval("quenched", ratios[:, i].tolist()), "annealed": float(annealed[i])}
        for i in range(ratios.shape[1])
    ).round(_DECIMALS)


def predicted(population: Population) -> float:
    """The law's annealed rate of the squared gradient norm, in nats per link; NaN for designs without one.

    Batch normalisation: `yang2019`. Standard weights: log(1/3) for linear networks and tanh near 0, log(1/6) for relu.
    He's weights and relu: 0. Gaussian and orthogonal weights: log chi_1.
    """
    stack = population.stack
    if stack.normalisation == "batch":
        return math.log(yang2019.squared_rate(stack.activation, population.rows))
    if stack.scheme == "standard":
        return {"linear": -math.log(3), "tanh": -math.log(3), "relu": -math.log(6)}.get(stack.activation, math.nan)
    if stack.scheme == "he":
        return 0.0 if stack.activation == "relu" else math.nan
    if stack.scheme == "glorot":
        return math.nan
    return math.log(schoenholz2017.chi_1(stack.activation, stack.sigma_w, start_of(population)))


def start_of(population: Population) -> float:
    """The mean square of the entries of h_0: as given, else the fixed point q*, else 1."""
    if population.start is not None:
        return population.start
    stack = population.stack
    if stack.scheme not in ("gaussian", "orthogonal") or stack.normalisation == "batch":
        return 1.0
    settled = schoenholz2017.fixed_point(stack.activation, stack.sigma_w, stack.sigma_b)
    return settled if settled > 1e-6 else 1.0


def _quenched(stack: Stack) -> float:
    law = stack.scheme == "he" and stack.activation == "relu" and stack.normalisation == "none"
    return he2015init.quenched_rate(stack.width) if law else math.nan


def _one(population: Population, index: int) -> tuple[Tensor, Tensor]:
    stream = generator(population.seed, index, "network")
    size = (population.rows, population.stack.width)
    inputs, cotangent, tangent = (torch.randn(size, generator=stream, dtype=torch.float64) for _ in range(3))
    links = draw(population.stack, population.rows, stream)
    inputs = math.sqrt(start_of(population)) * inputs
    backward = log_gradients(links, inputs, cotangent)
    followed = population.differences
    return backward, log_differences(links, inputs, tangent) if followed else torch.full_like(backward, math.nan)

"""How the gradient fares along trajectories of the minimal latch of Bengio, Simard and Frasconi (1994)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradstudy.chains.time import time_chain
from gradstudy.measure.gradient_norms import gradient_norms
from gradstudy.models.randomness import generator
from gradstudy.theory import bengio1994

Cell = Callable[[Tensor, Tensor], Tensor]

REST = 400
"""Links that a latch runs before it is measured: at w = 1.05 what is left of the start has shrunk by e^-40."""

LONG_REST = 3000
"""The same under inputs that hold it near the border of Gamma, where it settles as slowly as its gradient fades."""


@dataclass(frozen=True)
class Walk:
    """Trajectories x_t = tanh(w x_{t-1} + u_t) of latches.

    Args:
        weights: w > 1, each a latch of its own.
        noise: standard deviation of the Gaussian u_t; 0 for no input.
        links: that are measured.
        trajectories: of each latch, with independent starts and noise.
        seed: of starts and noise.
    """

    weights: Sequence[float]
    noise: float
    links: int
    trajectories: int
    seed: int


def identity(walk: Walk, *, slip: float = 0.0) -> pd.DataFrame:
    """|dx_T/dx_0| by autograd beside the product of w (1 - x_t^2), trajectory by trajectory, from starts in Gamma.

    Args:
        walk: latches; their derivatives must not underflow, at w = 4 up to 130 links.
        slip: planted: each link hands back e^slip times its gradient.

    Returns:
        One row a trajectory: `weight`, `trajectory`; `log_derivative`, of autograd, in nats; `gap`: log of autograd's
        derivative over the product, and `rounding`, a bound on what of it float64 can make.
    """
    rows = []
    for index, weight in enumerate(walk.weights):
        x, drives = _start(walk, index, weight)
        start = x.clone().requires_grad_()
        cell, states = latch_cell(slip), [start]
        for drive in drives:
            states.append(cell(drive, states[-1]))
        (derivative,) = torch.autograd.grad(states[-1].sum(), start)
        x = torch.stack(states[1:]).detach()
        product = (weight * (1 - x) * (1 + x)).prod(0)  # 1 - x^2 would cancel where tanh saturates
        # Autograd's own 1 - x^2 does, unless its compiler fused the two operations.
        rounding = torch.finfo(x.dtype).eps / 2 * (3 + 1 / ((1 - x) * (1 + x))).sum(0)
        gap = ((derivative - product) / product).log1p()
        columns = {"log_derivative": derivative.log(), "gap": gap, "rounding": rounding}
        rows.append(_frame(walk, weight, columns))
    return pd.concat(rows, ignore_index=True)


def rates(walk: Walk, *, excess: float = 0.0) -> pd.DataFrame:
    """Rate of |dx_T/dx_0| of latches that have settled, beside the closed form.

    The gradient is the library's own (`gradient_norms` of the chain of the latch as a callable cell). Before it is
    measured the latch runs `REST` links, so that it has come to its attractor, or to its stationary law.

    Args:
        walk: latches.
        excess: planted: the gradient's rate is 1 + excess times what it should be.

    Returns:
        One row a trajectory: `weight`, `trajectory`; `rate`: log |dx_T/dx_0| / links; `predicted`: log w (1 - x^2) at
        the attractor, with noise its mean under the stationary law; nats per link.
    """
    rows = []
    for index, weight in enumerate(walk.weights):
        law = closed_form(weight, walk.noise)
        x, drives = _start(walk, index, weight)
        x = _run(x, _drives(weight, _noise(walk, index, REST, "rest")))
        rate = chain_rate(x, drives, latch_cell(excess * law))
        rows.append(_frame(walk, weight, {"rate": rate, "predicted": torch.full_like(rate, law)}))
    return pd.concat(rows, ignore_index=True)


def latched_rates(weights: Sequence[float], reach: float, *, links: int, rows: int, seed: int) -> pd.DataFrame:
    """Rate of |dx_T/dx_0| of latches under bounded inputs that never drive them out of Gamma.

    Inputs are at most reach h*(w) in size. They come as the worst there are (constantly against the bit), as uniform
    noise, and as the worst with signs drawn anew at every link. Starts are anywhere in Gamma; the first `LONG_REST`
    links are not counted.

    Returns:
        One row a trajectory: `weight`, `inputs`, `trajectory`; `rate` in nats per link; `slowest`: the rate at the
        fixed point under the worst inputs, the closed form of what inputs of this size can do at most; `inside`:
        whether every state was in Gamma.
    """
    found = []
    for index, weight in enumerate(weights):
        bound = reach * bengio1994.input_threshold(weight)
        for kind, draw in _INPUTS.items():
            stream = generator(seed, index, f"latched {kind}")
            x = start_in_gamma(weight, rows, stream).abs()
            drives = bound * draw((LONG_REST + links, rows, 1), stream)
            settled = _run(x, _drives(weight, drives[:LONG_REST]))
            rate = chain_rate(settled, _drives(weight, drives[LONG_REST:]), latch_cell())
            frame = pd.DataFrame({"weight": weight, "inputs": kind, "trajectory": range(rows), "rate": rate.numpy()})
            frame["slowest"] = bengio1994.resting_rate(weight, -bound)
            frame["inside"] = _inside(weight, x, drives).numpy()
            found.append(frame)
    return pd.concat(found, ignore_index=True)


def closed_form(weight: float, noise: float) -> float:
    """The rate of a settled latch: at its attractor, or under its stationary law."""
    return bengio1994.noisy_rate(weight, noise) if noise else bengio1994.resting_rate(weight)


def latch_cell(slip: float = 0.0) -> Cell:
    """x_t = tanh(w x_{t-1} + u_t) with the input (w, u_t), so that rows may differ in w.

    Args:
        slip: planted: the gradient that comes back through it is e^slip times its due; values stay as they are.
    """
    gain = math.exp(slip)

    def cell(drive: Tensor, state: Tensor) -> Tensor:
        new = torch.tanh(drive[:, :1] * state + drive[:, 1:])
        return new if gain == 1 else gain * new + (1 - gain) * new.detach()

    return cell


def chain_rate(start: Tensor, drives: Tensor, cell: Cell) -> Float[Tensor, " rows"]:
    """log |dx_T/dx_0| / T of each row, in nats per link."""
    chain = time_chain(cell, drives, start)
    return gradient_norms(chain, lambda output: output[-1].sum()).log_norm[0] / chain.length


def start_in_gamma(weight: float, rows: int, stream: torch.Generator) -> Float[Tensor, "rows 1"]:
    """x_0 = tanh(a_0) with |a_0| between the border of Gamma and as far beyond the attractor, either sign."""
    border, rest = bengio1994.gamma_border(weight), bengio1994.fixed_point(weight)
    size = border + 2 * (rest - border) * torch.rand(rows, 1, generator=stream, dtype=torch.float64)
    sign = 2.0 * torch.randint(2, (rows, 1), generator=stream) - 1
    return torch.tanh(sign * size)


def _start(walk: Walk, index: int, weight: float) -> tuple[Tensor, Tensor]:
    """Starts in Gamma, and what drives the links that are measured, `(links, trajectories, 2)`."""
    start = start_in_gamma(weight, walk.trajectories, generator(walk.seed, index, "start"))
    return start, _drives(weight, _noise(walk, index, walk.links, "noise"))


def _noise(walk: Walk, index: int, links: int, purpose: str) -> Tensor:
    stream = generator(walk.seed, index, purpose)
    return walk.noise * torch.randn(links, walk.trajectories, 1, generator=stream, dtype=torch.float64)


def _drives(weight: float, inputs: Tensor) -> Tensor:
    return torch.cat([torch.full_like(inputs, weight), inputs], -1)


def _run(x: Tensor, drives: Tensor) -> Tensor:
    cell = latch_cell()
    for drive in drives:
        x = cell(drive, x)
    return x


def _inside(weight: float, x: Tensor, drives: Tensor) -> Bool[Tensor, " rows"]:
    """Whether |a_t| stays beyond the border of Gamma, to rounding, under these inputs."""
    border = math.tanh(bengio1994.gamma_border(weight)) * (1 - 1e-12)
    inside = x[:, 0] >= border
    for u in drives:
        x = torch.tanh(weight * x + u)
        inside = inside & (x[:, 0] >= border)
    return inside


def _frame(walk: Walk, weight: float, columns: dict[str, Tensor]) -> pd.DataFrame:
    values = {name: value.flatten().numpy() for name, value in columns.items()}
    return pd.DataFrame({"weight": weight, "trajectory": range(walk.trajectories), **values})


def _against(shape: tuple[int, ...], stream: torch.Generator) -> Tensor:
    return torch.full(shape, -1.0, dtype=torch.float64)


def _uniform(shape: tuple[int, ...], stream: torch.Generator) -> Tensor:
    return 2 * torch.rand(shape, generator=stream, dtype=torch.float64) - 1


def _signs(shape: tuple[int, ...], stream: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(2, shape, generator=stream) - 1


_INPUTS = {"against": _against, "uniform": _uniform, "signs": _signs}

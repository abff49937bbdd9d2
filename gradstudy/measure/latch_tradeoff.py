"""Robustness against noise beside the decay of the gradient, over the weight of the minimal latch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch

from gradstudy.models.randomness import generator
from gradstudy.theory import bengio1994

_FINER = 12  # points a standard deviation of the second grid
_AT_ONCE = 250_000


def tradeoff(
    weights: Sequence[float], noise: float, steps: int, simulated: int, *, growth: float = 0.0, seed: int
) -> pd.DataFrame:
    """Probability that the bit reads wrong after T noisy steps, and the rate of the gradient, of each latch.

    Both by quadrature on a grid; a second, finer grid bounds the error. Where the probability is above `SIMULATED`,
    trajectories are drawn as well.

    Args:
        weights: w > 1.
        noise: standard deviation of the inputs of the first latch.
        steps: T.
        simulated: trajectories of each latch.
        growth: planted: the noise grows with the weight, as w^growth.
        seed: of the trajectories.

    Returns:
        One row a latch: `weight`, `deviation` (of its noise), `steps`; `flip`: P(a_T < 0) from the attractor a > 0, and
        `flip_error`, relative; `decay`: -E log w (1 - x^2) under the stationary law, nats per link, and `decay_error`;
        `resting_decay`: the same at the attractor, without noise; `simulated_flip`: share of the trajectories that
        read wrong, and `simulated`, their number (NaN and 0 where none were drawn).

    Cost: a matrix of (2 (w + 12 s) 8 / s)^2 times a vector, T times, and up to `simulated` T normal numbers, a latch.
    """
    return pd.DataFrame([_row(weight, _deviation(weight, noise, weights[0], growth), steps, simulated, seed, i)
                         for i, weight in enumerate(weights)])  # fmt: skip


SIMULATED = 1e-3
"""Probabilities below this are not to be found by drawing trajectories."""


def _row(weight: float, noise: float, steps: int, simulated: int, seed: int, index: int) -> dict[str, float]:
    flip, finer = (bengio1994.flip_probability(weight, noise, steps, points=n) for n in (bengio1994.POINTS, _FINER))
    rate, finer_rate = (bengio1994.noisy_rate(weight, noise, points=n) for n in (bengio1994.POINTS, _FINER))
    count = simulated if flip > SIMULATED else 0
    return {
        "weight": weight,
        "deviation": noise,
        "steps": steps,
        "flip": flip,
        "flip_error": abs(flip / finer - 1),
        "decay": -rate,
        "decay_error": abs(rate - finer_rate),
        "resting_decay": -bengio1994.resting_rate(weight),
        "simulated_flip": simulated_flip(weight, noise, steps, count, seed=seed, index=index),
        "simulated": count,
    }


def simulated_flip(weight: float, noise: float, steps: int, count: int, *, seed: int, index: int = 0) -> float:
    """Share of trajectories from the attractor a > 0 with a_T < 0; NaN for no trajectory."""
    stream = generator(seed, index, "flips")
    wrong = 0
    for first in range(0, count, _AT_ONCE):
        a = torch.full((min(_AT_ONCE, count - first),), bengio1994.fixed_point(weight), dtype=torch.float64)
        for _ in range(steps):
            a = weight * a.tanh() + noise * torch.randn(a.shape, generator=stream, dtype=torch.float64)
        wrong += int((a < 0).sum())
    return wrong / count if count else float("nan")


def _deviation(weight: float, noise: float, first: float, growth: float) -> float:
    return noise * (weight / first) ** growth

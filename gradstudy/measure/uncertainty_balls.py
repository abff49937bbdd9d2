"""What the minimal latch makes of a ball of uncertainty: Theorem 1 of Bengio, Simard and Frasconi (1994)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from gradstudy.models.randomness import generator
from gradstudy.theory import bengio1994

_HALVINGS = 20
_SIDES = ("outside", "inside")


def balls(weights: Sequence[float], random: int, *, border: float = 1.0, links: int = 100, seed: int) -> pd.DataFrame:
    """Largest growth of balls around starts outside and inside Gamma, which is |a| > artanh sqrt(1 - 1/w).

    Starts approach Gamma's border by halves, from either side (2^-1 to 2^-20 of it away), and others are drawn at
    random; outside down to 0, inside up to three times the attractor. The radius is a random share of the distance to
    the border (and outside to 0, where the basin ends), so that a ball lies wholly on one side. There is no input.

    Args:
        weights: w > 1.
        random: starts drawn at random, a side and weight.
        border: planted: starts are sorted by this many times Gamma's border.
        links: iterates that are looked at.
        seed: of starts and radii.

    Returns:
        One row a ball: `weight`, `side`; `place`: a_0 over the border it was sorted by; `radius`; `growth`: log of the
        largest over the first radius, over all iterates, nats; `links_grown`: the iterate at which it is the largest;
        `last`: log of the last radius over the first, nats.
    """
    rows = []
    for index, weight in enumerate(weights):
        edge = border * bengio1994.gamma_border(weight)
        top = 3 * bengio1994.fixed_point(weight) / edge
        for side in _SIDES:
            places, shares = _draw(side, random, top, generator(seed, index, f"ball {side}"))
            for place, share in zip(places, shares, strict=True):
                radius = share * edge * min(abs(place - 1), place)
                path = ball_path(weight, place * edge, radius, links)
                rows.append(_row(weight, side, place, path))
    return pd.DataFrame(rows)


def ball_paths(weights: Sequence[float], places: Sequence[float], share: float, links: int) -> pd.DataFrame:
    """The same balls link by link, for pictures.

    Args:
        weights: w > 1.
        places: a_0 over the border of Gamma, neither 1 nor 0.
        share: the radius over the distance to the border, or to 0.
        links: iterates.

    Returns:
        One row an iterate: `weight`, `place`, `t`; `log_radius`: log of the radius over the first, nats; `centre`: a_t.
    """
    found = []
    for weight in weights:
        edge = bengio1994.gamma_border(weight)
        for place in places:
            path = ball_path(weight, place * edge, share * edge * min(abs(place - 1), place), links)
            frame = pd.DataFrame({"weight": weight, "place": place, "t": range(links + 1)})
            centres = [place * edge]
            for _ in range(links):
                centres.append(weight * math.tanh(centres[-1]))
            found.append(frame.assign(log_radius=np.log(path / path[0]), centre=centres))
    return pd.concat(found, ignore_index=True)


def ball_path(weight: float, centre: float, radius: float, links: int) -> np.ndarray:
    """Half the length of M^t([a - r, a + r]) for t = 0 .. links, without cancellation.

    M is increasing, so the image of an interval is the interval between the images of its ends, and the ends' distance
    d becomes w (tanh p - tanh q) = w sinh(d) / (cosh p cosh q).
    """
    high, distance = centre + radius, 2 * radius
    found = [distance]
    for _ in range(links):
        low = high - distance
        distance = weight * math.sinh(distance) / (math.cosh(high) * math.cosh(low))
        high = weight * math.tanh(high)
        found.append(distance)
    return np.array(found) / 2


def _draw(side: str, random: int, top: float, stream: torch.Generator) -> tuple[list[float], list[float]]:
    """Starts as shares of the border, and radii as shares of what is free."""
    halves = [2.0**-k for k in range(1, _HALVINGS + 1)]
    uniform = torch.rand(random, generator=stream, dtype=torch.float64).tolist()
    if side == "outside":
        places = [1 - h for h in halves] + uniform
    else:
        places = [1 + h for h in halves] + [1 + (top - 1) * u for u in uniform]
    shares = 0.99 * torch.rand(len(places), generator=stream, dtype=torch.float64) + 0.005
    return places, shares.tolist()


def _row(weight: float, side: str, place: float, path: np.ndarray) -> dict[str, float | str]:
    largest = int(path[1:].argmax()) + 1
    return {
        "weight": weight,
        "side": side,
        "place": place,
        "radius": float(path[0]),
        "growth": math.log(path[largest] / path[0]),
        "links_grown": largest,
        "last": math.log(path[-1] / path[0]) if path[-1] > 0 else -math.inf,
    }

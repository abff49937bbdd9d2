"""Gradient descents on the error surface of one sigmoid unit, with and without clipping, many starts at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gradstudy.errors import OptionError
from gradstudy.measure.error_surface import START, error_and_gradient
from gradstudy.measure.one_unit import Values
from gradstudy.models.randomness import generator
from gradstudy.theory.one_unit import boundary_bias

Slope = Callable[[Values], tuple[Values, Values]]
"""From points (w, b), `(starts, 2)`, to the error `(starts,)` and its gradient `(starts, 2)`."""

Clipping = Literal["none", "norm", "element-wise"]
Side = Literal["valley", "plateau"]

_WEIGHTS, _DISTANCES = (4.8, 6.5), (0.02, 0.3)
_TOO_LONG = 1.0
_END = 100  # errors at the end that are averaged


@dataclass(frozen=True)
class Descent:
    """Plain gradient descent, or with clipping.

    Args:
        rate: learning rate.
        updates: gradient steps.
        clipping: of the gradient: not at all, by its norm (Pascanu et al.'s Algorithm 1) or entry by entry.
        threshold: of the norm, or of each entry.
        turn: planted: clipped gradients are turned by this angle, in radians.

    Raises:
        OptionError: the threshold is not above 0.
    """

    rate: float
    updates: int
    clipping: Clipping = "none"
    threshold: float = 1.0
    turn: float = 0.0

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise OptionError(
                f"a threshold of {self.threshold:g}",
                needed="a number above 0",
                why="every gradient would be clipped to nothing, or turned round",
                remedy="choose a threshold near the norm that gradients usually have",
            )

    def clipped(self, gradient: Values) -> tuple[Values, NDArray[np.bool_]]:
        """The gradients `(starts, 2)` as they are used, and which of them were changed."""
        if self.clipping == "element-wise":
            used = np.clip(gradient, -self.threshold, self.threshold)
            return used, (used != gradient).any(1)
        norm = np.hypot(gradient[:, 0], gradient[:, 1])
        if self.clipping == "none":
            return gradient, np.zeros(len(gradient), dtype=bool)
        long = norm >= self.threshold
        factor = np.where(long, self.threshold / np.where(long, norm, 1.0), 1.0)
        cosine, sine = math.cos(self.turn), math.sin(self.turn)
        used = factor[:, None] * gradient
        turned = used @ np.array([[cosine, sine], [-sine, cosine]])
        return np.where(long[:, None], turned, used), long


@dataclass(frozen=True, eq=False)
class Path:
    """Where descents went.

    Args:
        points: (w, b) before each update and after the last, `(updates + 1, starts, 2)`.
        errors: E there, `(updates + 1, starts)`.
        gradients: dE/d(w, b) there, not clipped, `(updates + 1, starts, 2)`.
        clipped: which gradients were clipped, `(updates, starts)`.
    """

    points: Values
    errors: Values
    gradients: Values
    clipped: NDArray[np.bool_]


def descend(descent: Descent, starts: Values, slope: Slope) -> Path:
    """theta <- theta - rate * g from every start, g clipped as the descent says.

    Cost: one gradient an update, all starts at once.
    """
    point = starts
    points, errors, gradients, clipped = [], [], [], []
    for _ in range(descent.updates):
        error, gradient = slope(point)
        used, changed = descent.clipped(gradient)
        points.append(point)
        errors.append(error)
        gradients.append(gradient)
        clipped.append(changed)
        point = point - descent.rate * used
    error, gradient = slope(point)
    return Path(
        np.stack([*points, point]), np.stack([*errors, error]), np.stack([*gradients, gradient]), np.stack(clipped)
    )


def draw_starts(count: int, side: Side, *, seed: int) -> Values:
    """Points (w, b) beside the wall: w uniform in 4.8 .. 6.5, at a distance in b uniform in 0.02 .. 0.3.

    Args:
        count: how many.
        side: valley: above the wall, where the unit ends high and the error is small; plateau: below it.
        seed: of the draw.
    """
    stream = generator(seed, 0, "starts of descents")
    w, distance = torch.rand(2, count, generator=stream, dtype=torch.float64).numpy()
    w = _WEIGHTS[0] + (_WEIGHTS[1] - _WEIGHTS[0]) * w
    distance = _DISTANCES[0] + (_DISTANCES[1] - _DISTANCES[0]) * distance
    wall = np.array([boundary_bias(x, START) for x in w])
    return np.stack([w, wall + (distance if side == "valley" else -distance)], -1)


def unit_slope(steps: int) -> Slope:
    """The error and gradient of the paper's unit over T steps."""
    return lambda points: error_and_gradient(points[:, 0], points[:, 1], steps)


def cliff(starts: Values, rate: float, height: float) -> Slope:
    """Planted in the surface's place: a cliff of known height, off which the first step leads.

    Around each start the error is 1 and its gradient has the length 1/rate, so that a plain step has the length 1; from
    1/2 on away the error is 10^height and flat.
    """

    def slope(points: Values) -> tuple[Values, Values]:
        near = np.abs(points[:, 1] - starts[:, 1]) < _TOO_LONG / 2
        gradient = np.stack([np.zeros(len(points)), np.where(near, _TOO_LONG / rate, 0.0)], -1)
        return np.where(near, 1.0, 10.0**height), gradient

    return slope


@dataclass(frozen=True)
class Plants:
    """What controls plant.

    Args:
        height: the surface is a `cliff` of this height, in powers of ten.
        excess: in the plain descent's place the clipped one, with errors higher by this much.
    """

    height: float | None = None
    excess: float | None = None


def compare(descent: Descent, starts: Values, slope: Slope, plants: Plants) -> tuple[Path, Path]:
    """The plain descent and the clipped one from the same starts; plants as told there."""
    slope = slope if plants.height is None else cliff(starts, descent.rate, plants.height)
    clipped = descend(descent, starts, slope)
    if plants.excess is not None:
        return replace(clipped, errors=clipped.errors + plants.excess), clipped
    return descend(replace(descent, clipping="none"), starts, slope), clipped


def descent_table(descent: Descent, plain: Path, clipped: Path) -> pd.DataFrame:
    """What became of each start.

    A step is too long if it has at least the length 1 in (w, b). The end of a descent is the mean error of its last 100
    points.

    Returns:
        One row a start: `start`, `start_w`, `start_b`, `start_error`; of the plain descent: `thrown`: whether it
        took too long a step, `throw_update`: the first, `throw_gradient`: the norm of its gradient, `error_before`,
        `error_after`: on either side of it, `gradient_after`: norm of the gradient where it landed (NaN for those never
        thrown), `plain_end`; of the clipped one: `clipped_end`, `clipped_steps`: how many gradients were clipped,
        `deviation`: the largest over these of the distance between the step and the nearest point of the segment from 0
        to the plain step, over the step's length (NaN if none was clipped).
    """
    norms = np.hypot(plain.gradients[..., 0], plain.gradients[..., 1])
    long = descent.rate * norms[:-1] >= _TOO_LONG
    thrown, first = np.asarray(long.any(0)), long.argmax(0)
    each = np.arange(long.shape[1])

    def at(values: Values, update: NDArray[np.intp]) -> Values:
        return np.where(thrown, values[update, each], np.nan)

    return pd.DataFrame(
        {
            "start": each,
            "start_w": plain.points[0, :, 0],
            "start_b": plain.points[0, :, 1],
            "start_error": plain.errors[0],
            "thrown": thrown,
            "throw_update": np.where(thrown, first, -1),
            "throw_gradient": at(norms, first),
            "error_before": at(plain.errors, first),
            "error_after": at(plain.errors, first + 1),
            "gradient_after": at(norms, first + 1),
            "plain_end": plain.errors[-_END:].mean(0),
            "clipped_end": clipped.errors[-_END:].mean(0),
            "clipped_steps": clipped.clipped.sum(0),
            "deviation": _deviations(descent.rate, clipped),
        }
    )


def _deviations(rate: float, path: Path) -> Values:
    """The largest `deviation` of each start; see `descent_table`."""
    taken, plain = np.diff(path.points, axis=0), -rate * path.gradients[:-1]
    squared = (plain**2).sum(-1)
    share = np.clip((taken * plain).sum(-1) / np.where(squared > 0, squared, 1.0), 0.0, 1.0)
    away = np.linalg.norm(taken - share[..., None] * plain, axis=-1)
    length = np.linalg.norm(taken, axis=-1)
    relative = np.where(path.clipped, away / np.where(path.clipped, length, 1.0), -np.inf)
    largest = relative.max(0)
    return np.where(np.isneginf(largest), np.nan, largest)


def path_table(plain: Path, clipped: Path, starts: int) -> pd.DataFrame:
    """All points of the first starts, for a picture.

    Returns:
        One row a start, arm and update: `start`, `arm` (plain, clipped), `update`, `w`, `b`, `error`, `gradient_norm`.
    """
    rows = []
    for arm, path in (("plain", plain), ("clipped", clipped)):
        for start in range(starts):
            w, b = path.points[:, start].T
            norm = np.hypot(*path.gradients[:, start].T)
            table = {"w": w, "b": b, "error": path.errors[:, start], "gradient_norm": norm}
            rows.append(pd.DataFrame({"start": start, "arm": arm, "update": np.arange(len(w)), **table}))
    return pd.concat(rows, ignore_index=True)

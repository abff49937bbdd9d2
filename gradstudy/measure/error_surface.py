"""The error surface of one sigmoid unit over weight and bias: error, gradient and curvature.

E(w, b) = (sigma(x_T) - d)^2 with x_t = w sigma(x_{t-1}) + b, no input: Pascanu et al. (2013), Fig. 6, where T = 50,
x_0 = 0.5 and d = 0.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from gradstudy.measure.one_unit import Numbers, Values, final_state, state_gradient, unroll

START, TARGET = 0.5, 0.7
"""x_0 and d of the paper's Fig. 6."""


@dataclass(frozen=True, eq=False)
class Local:
    """A surface at some points.

    Args:
        error: E, any shape.
        gradient: dE/d(w, b), `(..., 2)`.
        hessian: d2E/d(w, b)2, `(..., 2, 2)`.
    """

    error: Values
    gradient: Values
    hessian: Values

    @property
    def norm(self) -> Values:
        """Euclidean norm of the gradient."""
        return np.asarray(np.hypot(self.gradient[..., 0], self.gradient[..., 1]))

    @property
    def curvature(self) -> Values:
        """v^T H v along the gradient, v = g / |g|; NaN where the gradient is 0."""
        with np.errstate(invalid="ignore"):
            v = self.gradient / self.norm[..., None]
        return np.asarray(np.einsum("...i,...ij,...j->...", v, self.hessian, v))

    @property
    def alignment(self) -> Values:
        """|cosine| between the gradient and the eigenvector of the Hessian whose eigenvalue is largest in modulus."""
        values, vectors = np.linalg.eigh(self.hessian)
        top = np.take_along_axis(vectors, np.abs(values).argmax(-1)[..., None, None], -1)[..., 0]
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs((top * self.gradient).sum(-1)) / self.norm)


Surface = Callable[[Values, Values, int], Local]
"""From weights, biases and a number of steps to the surface there."""


def error_surface(weight: Numbers, bias: Numbers, steps: int = 50) -> Local:
    """Error, gradient and Hessian of the paper's unit, in closed form by forward recursion.

    Cost: see `one_unit.unroll`.
    """
    unit = unroll(weight, bias, START, steps)
    output = expit(unit.state)
    off, first = output - TARGET, output * (1 - output)
    outer = 2 * (first**2 + off * first * (1 - 2 * output))
    by_state = 2 * off * first
    products = unit.gradient[..., :, None] * unit.gradient[..., None, :]
    hessian = outer[..., None, None] * products + by_state[..., None, None] * unit.hessian
    return Local(np.asarray(off**2), by_state[..., None] * unit.gradient, hessian)


def error_and_gradient(weight: Numbers, bias: Numbers, steps: int = 50) -> tuple[Values, Values]:
    """Error and gradient `(..., 2)` alone, in half the time."""
    state, gradient = state_gradient(weight, bias, START, steps)
    output = expit(state)
    off = output - TARGET
    return np.asarray(off**2), (2 * off * output * (1 - output))[..., None] * gradient


def surface_map(weights: Values, biases: Values, steps: int = 50) -> pd.DataFrame:
    """The error over a grid, for a picture: `w`, `b`, `log10_error` to four decimals."""
    w, b = np.meshgrid(weights, biases, indexing="ij")
    error = (expit(final_state(w, b, START, steps)) - TARGET) ** 2
    log_error = np.log10(np.maximum(error, 1e-30))
    return pd.DataFrame({"w": w.ravel(), "b": b.ravel(), "log10_error": log_error.ravel()}).round(4)


def grid_maxima(sides: Sequence[int], steps: int = 50) -> pd.DataFrame:
    """The largest gradient on grids of w in 0 .. 7 and b in -4 .. 1: an artefact, which grows with the grid.

    Returns:
        One row a grid: `points` a side; `largest` norm of the gradient, at `w`, `b`; `median` norm.

    Cost: a recursion over all points of each grid.
    """
    rows = []
    for points in sides:
        w, b = np.meshgrid(np.linspace(0, 7, points), np.linspace(-4, 1, points), indexing="ij")
        gradient = error_and_gradient(w, b, steps)[1]
        norms = np.hypot(gradient[..., 0], gradient[..., 1])
        top = np.unravel_index(norms.argmax(), norms.shape)
        rows.append([points, norms[top], w[top], b[top], np.median(norms)])
    return pd.DataFrame(rows, columns=["points", "largest", "w", "b", "median"])

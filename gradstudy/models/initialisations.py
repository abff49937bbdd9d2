"""Recurrent weight matrices by name: the draws that the studies compare."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Initialisation = Literal[
    "gaussian",
    "orthogonal",
    "non-normal",
    "normal",
    "nilpotent",
    "basic-tanh",
    "smart-tanh",
    "sigmoid",
    "scalar",
    "defective",
    "textbook",
    "chaotic",
    "known-disagreement",
    "known-agreement",
]
Draw = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Recurrence:
    """A recurrent weight matrix and the bias drawn with it.

    Args:
        weight: W_hh, `(n, n)`, float64.
        bias: `(n,)`; zero except for the initialisations that saturate some units on purpose.
        start: the state around which the initialisation is to be watched, `(n,)`; zero but for "textbook", whose first
            unit is at its unstable fixed point while the second is saturated.
    """

    weight: Tensor
    bias: Tensor
    start: Tensor


def spectral_radius(weight: Tensor) -> float:
    """rho(W): the largest modulus of an eigenvalue."""
    return float(torch.linalg.eigvals(weight).abs().max())


def spectral_norm(weight: Tensor) -> float:
    """sigma_1(W): the largest singular value."""
    return float(torch.linalg.matrix_norm(weight, ord=2))


def recurrence(name: Initialisation, size: int, generator: torch.Generator) -> Recurrence:
    """Draw a recurrent weight matrix (and bias) by name; all in float64.

    | name | draw |
    |---|---|
    | gaussian | entries N(0, 1/n): rho near 1, sigma_1 near 2 |
    | orthogonal | Haar-distributed: rho = sigma_1 = 1 |
    | non-normal | Q (D + N) Q^T, D uniform in +-0.9, N strictly upper triangular N(0, 4/n) |
    | normal | Q D Q^T with D uniform, scaled to rho = 0.95 (= sigma_1) |
    | nilpotent | [[A, -A], [A, -A]], A with entries N(0, 9/m), m = n/2: W^2 = 0, so rho = 0; the bias saturates the |
    | | second half and cancels what it sends to the first |
    | basic-tanh | entries N(0, 0.1^2), standard deviation 0.1 as in the released code |
    | smart-tanh | 15 non-zero N(0, 1) entries a row, scaled to rho = 0.95 |
    | sigmoid | entries N(0, 0.01^2) |
    | scalar | the 1 x 1 matrix 1 |
    | defective | [[1, 1], [0, 1]] |
    | textbook | [[1.5, -1.5], [1.4667, -1.5]], rho 0.22, with a bias that saturates the second unit |
    | chaotic | entries N(0, 9/n): rho near 3 |
    | known-disagreement | Q B Q^T, B of equal 2 x 2 triangles with rho = 0.8 and sigma_1 = 1.02 in closed form |
    | known-agreement | the same with sigma_1 = 1 |

    Source: Pascanu, Mikolov and Bengio 2013 (section 4.1 and released code) for the three of the paper.

    Args:
        name: one of the above.
        size: n; even for nilpotent and the known ones, 1 for scalar, 2 for defective and textbook.
        generator: source of the draw.
    """
    fixed = {"scalar": 1, "defective": 2, "textbook": 2}
    if name in fixed and size != fixed[name]:
        raise ValueError(f"initialisation {name!r} has size {fixed[name]}, not {size}")
    weight = _DRAWS[name](size, generator)
    bias = torch.zeros(size, dtype=torch.float64)
    if name in ("nilpotent", "textbook"):
        bias = _saturating_bias(weight)
    start = torch.zeros(size, dtype=torch.float64)
    start[size // 2 :] = 1.0 if name == "textbook" else 0.0
    return Recurrence(weight, bias, start)


def scaled(
    drawn: Recurrence, scale: float = 1.0, *, rho: float | None = None, sigma_1: float | None = None
) -> Recurrence:
    """The same draw with its weight multiplied by `scale`, or so that rho(W) or sigma_1(W) has the value given."""
    factor = scale
    if rho is not None:
        factor *= rho / spectral_radius(drawn.weight)
    if sigma_1 is not None:
        factor *= sigma_1 / spectral_norm(drawn.weight)
    return replace(drawn, weight=factor * drawn.weight)


def _normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def _gaussian(size: int, generator: torch.Generator) -> Tensor:
    return _normal(size, size, generator) / math.sqrt(size)


def _orthogonal(size: int, generator: torch.Generator) -> Tensor:
    basis, factor = torch.linalg.qr(_normal(size, size, generator))
    return basis * factor.diagonal().sign()


def _uniform(size: int, bound: float, generator: torch.Generator) -> Tensor:
    return bound * (2 * torch.rand(size, generator=generator, dtype=torch.float64) - 1)


def _non_normal(size: int, generator: torch.Generator) -> Tensor:
    basis = _orthogonal(size, generator)
    upper = (2 * _gaussian(size, generator)).triu(1) + torch.diag(_uniform(size, 0.9, generator))
    return basis @ upper @ basis.T


def _normal_matrix(size: int, generator: torch.Generator) -> Tensor:
    basis = _orthogonal(size, generator)
    values = _uniform(size, 1.0, generator)
    return basis @ torch.diag(0.95 * values / values.abs().max()) @ basis.T


def _nilpotent(size: int, generator: torch.Generator) -> Tensor:
    block = 3 * _gaussian(size // 2, generator)
    return torch.cat([torch.cat([block, -block], 1), torch.cat([block, -block], 1)])


def _known(sigma_1: float, size: int, generator: torch.Generator) -> Tensor:
    """[[a, b], [0, a]] has rho = a and sigma_1 = (b + sqrt(b^2 + 4 a^2)) / 2, so b = sigma_1 - a^2 / sigma_1."""
    a = 0.8
    block = torch.tensor([[a, sigma_1 - a**2 / sigma_1], [0.0, a]], dtype=torch.float64)
    basis = _orthogonal(size, generator)
    return basis @ torch.block_diag(*[block] * (size // 2)) @ basis.T


def _smart_tanh(size: int, generator: torch.Generator) -> Tensor:
    weight = torch.zeros(size, size, dtype=torch.float64)
    for row in weight:
        chosen = torch.randperm(size, generator=generator)[:15]
        row[chosen] = torch.randn(len(chosen), generator=generator, dtype=torch.float64)
    return weight * (0.95 / spectral_radius(weight))


def _saturating_bias(weight: Tensor) -> Tensor:
    """Drive the second half to tanh = 1 and cancel its input to the first half."""
    half = len(weight) // 2
    first = -weight[:half, half:].sum(1)
    second = 20 + weight[half:].abs().sum(1)
    return torch.cat([first, second])


_DRAWS: dict[str, Draw] = {
    "gaussian": _gaussian,
    "orthogonal": _orthogonal,
    "non-normal": _non_normal,
    "normal": _normal_matrix,
    "nilpotent": _nilpotent,
    "basic-tanh": lambda size, generator: 0.1 * _normal(size, size, generator),
    "smart-tanh": _smart_tanh,
    "sigmoid": lambda size, generator: 0.01 * _normal(size, size, generator),
    "scalar": lambda size, generator: torch.ones(1, 1, dtype=torch.float64),
    "defective": lambda size, generator: torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64),
    "chaotic": lambda size, generator: 3 * _gaussian(size, generator),
    "known-disagreement": lambda size, generator: _known(1.02, size, generator),
    "known-agreement": lambda size, generator: _known(1.0, size, generator),
    "textbook": lambda size, generator: torch.tensor([[1.5, -1.5], [1.4667, -1.5]], dtype=torch.float64),
}

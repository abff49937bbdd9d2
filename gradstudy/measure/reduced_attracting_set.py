"""The reduced attracting set of Bengio, Simard and Frasconi (1994), by eigenvalues, of a map of two units.

Gamma(X) of an attractor X is the set of states in its basin where, for every l >= 1, the eigenvalues of the derivative
of M^l are below 1 in modulus (Definition 4, as told second-hand); M(a) = W tanh(a) + b is the network left to itself.
For one unit an eigenvalue is a norm. For two it is not, and a product of matrices with small eigenvalues may be large.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradstudy.models.pascanu import PascanuRNN

ITERATES = 60
"""Iterates l that are looked at; by then the derivative has shrunk below 1e-6 in norm, or the state counts as lost."""

_SETTLED = 1e-6
_STILL = 1e-6
_APART = 1e-3
_SIDE = 21


@dataclass(frozen=True, eq=False)
class Iterates:
    """What becomes of some states when a network is left to itself.

    Args:
        rho: largest modulus of an eigenvalue of the derivative of M^l, l = 1 .. `ITERATES`, `(states,)`.
        settled: whether the derivative of the last iterate is below 1e-6 in norm, so that later ones are small too.
        limit: the state after the last iterate, `(states, 2)`.
        norm: spectral norm of the derivative of M.
    """

    rho: Float[Tensor, " states"]
    settled: Bool[Tensor, " states"]
    limit: Float[Tensor, "states 2"]
    norm: Float[Tensor, " states"]

    @property
    def inside(self) -> Bool[Tensor, " states"]:
        """Whether these states lie in Gamma of the attractor they come to."""
        return (self.rho < 1) & self.settled


def iterates(module: PascanuRNN, states: Float[Tensor, "states 2"]) -> Iterates:
    """The derivatives of M, M^2, ... from each state.

    Args:
        module: two tanh units, float64.
        states: pre-activations a.

    Cost: `ITERATES` products of 2 x 2 matrices a state.
    """
    with torch.no_grad():
        product = torch.eye(2, dtype=torch.float64).expand(len(states), 2, 2)
        rho = norm = torch.zeros(len(states), dtype=torch.float64)
        for step in range(ITERATES):
            product = (module.weight_rec * module.slopes(states)[:, None, :]) @ product
            states = left_to_itself(module, states)
            rho = torch.maximum(rho, spectral_radius(product))
            norm = torch.linalg.matrix_norm(product, ord=2) if step == 0 else norm
        return Iterates(rho, torch.linalg.matrix_norm(product) < _SETTLED, states, norm)


def left_to_itself(module: PascanuRNN, states: Tensor) -> Tensor:
    """M(a) = W tanh(a) + b."""
    return torch.tanh(states) @ module.weight_rec.T + module.bias


def spectral_radius(matrix: Float[Tensor, "rows 2 2"]) -> Float[Tensor, " rows"]:
    """Largest modulus of an eigenvalue of 2 x 2 matrices, from trace and determinant."""
    half = (matrix[:, 0, 0] + matrix[:, 1, 1]) / 2
    determinant = matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0]
    root = (half**2 - determinant).clamp(min=0).sqrt()
    return torch.where(half**2 >= determinant, half.abs() + root, determinant.clamp(min=0).sqrt())


def same_limit(limits: Float[Tensor, "points rows 2"]) -> Bool[Tensor, "points rows"]:
    """Whether each point has come to the attractor of the first point of its row."""
    return (limits - limits[:1]).abs().amax(-1) < _APART


def count_attractors(module: PascanuRNN, box: float, *, steps: int = 400) -> int:
    """Attracting fixed points to which a lattice of 21 x 21 starts in [-box, box]^2 comes."""
    line = torch.linspace(-box, box, _SIDE, dtype=torch.float64)
    states = torch.cartesian_prod(line, line)
    with torch.no_grad():
        for _ in range(steps):
            states = left_to_itself(module, states)
        states = states[(left_to_itself(module, states) - states).abs().amax(1) < _STILL]
    return len(torch.unique((states / _APART).round(), dim=0))

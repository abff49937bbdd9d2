"""Gamma by eigenvalues against Gamma by norms: Theorem 4 of Bengio, Simard and Frasconi (1994) in two dimensions.

Gamma(X) of an attractor X is the set of states in its basin where, for every l >= 1, the eigenvalues of the derivative
of M^l are below 1 in modulus (Definition 4, as told second-hand). For one unit an eigenvalue is a norm; for two it is
not, and a product of matrices with small eigenvalues may have any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradstudy.measure.spectral_conditions import Probe, growth, perturb
from gradstudy.measure.subject import Subject
from gradstudy.models.pascanu import PascanuRNN
from gradstudy.models.randomness import generator
from gradstudy.models.two_unit_latch import TwoUnitLatch, alternating_inputs, draw_two_unit_latch

ITERATES = 60
"""Iterates l of the latch left to itself that are looked at; by then its derivative has shrunk below 1e-6 in norm."""

_SETTLED = 1e-6
_CLOSE = 1e-6
_POINTS = 64
_BOX = 4.0


@dataclass(frozen=True)
class Watch:
    """How driven latches are watched.

    Args:
        burn_in: links that are not counted.
        links: that are.
        rows: starts and noise of each latch.
        noise: standard deviation of the noise on its inputs.
        networks: draws.
        seed: of all.
    """

    burn_in: int
    links: int
    rows: int
    noise: float
    networks: int
    seed: int


def driven_growth(latch: TwoUnitLatch, watch: Watch) -> pd.DataFrame:
    """Growth of da_t/da_0 of driven latches, and whether every state on the way was in Gamma.

    Returns:
        One row a draw: `network`; `growth`, `growth_low`, `growth_high`, `growth_perturbed`, `growth_perturbed_low` as
        in `spectral_conditions`, under a relative perturbation of W of 1e-3; `rho`: the largest modulus of an
        eigenvalue of the derivative of M^l over all counted states and l = 1 .. `ITERATES`, and `rho_perturbed`;
        `settles`: whether from all counted states of a row the latch, left to itself, comes to the same attractor, and
        the derivative of M^l has shrunk to nothing by then; `norm`: the largest spectral norm of a one-step Jacobian; `attractors`: that the latch has.

    Cost: a tangent twice over all links, and `ITERATES` products of 2 x 2 matrices a counted state.
    """
    probe = Probe(watch.burn_in, "tangent", 1e-3, watch.seed)
    subjects = [_subject(latch, watch, i) for i in range(watch.networks)]
    rows = []
    for i, subject in enumerate(subjects):
        twin = perturb(subject, probe.perturbation, generator(probe.seed, i, "perturbation"))
        own, other = (_visited(each, watch) for each in (subject, twin))
        rows.append(
            {
                "rho": float(own.rho.max()),
                "rho_perturbed": float(other.rho.max()),
                "settles": bool(own.settles.all() and other.settles.all()),
                "norm": float(own.first_norm.max()),
                "attractors": count_attractors(_module(subject)),
            }
        )
    return growth(subjects, probe).join(pd.DataFrame(rows))


def gamma_balls(latch: TwoUnitLatch, states: int, radius: float, networks: int, *, seed: int) -> pd.DataFrame:
    """Growth of balls of uncertainty that lie wholly in Gamma, in latches left to themselves.

    Centres are uniform in a box; those whose ball (its rim, `_POINTS` points) is not in Gamma of one attractor are
    passed over.

    Args:
        latch: which.
        states: centres a draw.
        radius: of the balls.
        networks: draws.
        seed: of draws and centres.

    Returns:
        One row a draw: `network`; `growth`: log of the largest distance of an image from the image of the centre, over
        the radius, at the iterate and centre where it is largest; `rho`: the largest eigenvalue modulus on that ball;
        `share`: of the box that lies in Gamma with its ball; `growing`: of these balls, the share that grow.
    """
    rows = []
    for i in range(networks):
        module = draw_two_unit_latch(latch, generator(seed, i, "two-unit latch")).module
        assert isinstance(module, PascanuRNN)
        stream = generator(seed, i, "centres")
        centres = _BOX * (2 * torch.rand(states, 2, generator=stream, dtype=torch.float64) - 1)
        rows.append({"network": i, **_balls(module, centres, radius)})
    return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class Gamma:
    """What the iterates of a latch left to itself are like from some states.

    Args:
        rho: largest modulus of an eigenvalue of the derivative of M^l, l = 1 .. `ITERATES`, `(states,)`.
        settles: whether the derivative of the last iterate is below 1e-6 in norm, so that later ones are small too.
        limit: the state after the last iterate, `(states, 2)`.
        first_norm: spectral norm of the derivative of M.
    """

    rho: Float[Tensor, " states"]
    settles: Bool[Tensor, " states"]
    limit: Float[Tensor, "states 2"]
    first_norm: Float[Tensor, " states"]

    @property
    def inside(self) -> Bool[Tensor, " states"]:
        """Whether these states lie in Gamma of the attractor they come to."""
        return (self.rho < 1) & self.settles


def gamma(module: PascanuRNN, states: Float[Tensor, "states 2"]) -> Gamma:
    """The derivatives of M, M^2, ... from each state; M(a) = W tanh(a) + b."""
    with torch.no_grad():
        product = torch.eye(2, dtype=torch.float64).expand(len(states), 2, 2)
        rho = torch.zeros(len(states), dtype=torch.float64)
        first_norm = rho
        for step in range(ITERATES):
            product = (module.weight_rec * module.slopes(states)[:, None, :]) @ product
            states = _map(module, states)
            rho = torch.maximum(rho, radius_of(product))
            first_norm = torch.linalg.matrix_norm(product, ord=2) if step == 0 else first_norm
        settled = torch.linalg.matrix_norm(product) < _SETTLED
        return Gamma(rho, settled, states, first_norm)


def radius_of(matrix: Float[Tensor, "rows 2 2"]) -> Float[Tensor, " rows"]:
    """Spectral radii of 2 x 2 matrices from trace and determinant."""
    half = (matrix[:, 0, 0] + matrix[:, 1, 1]) / 2
    determinant = matrix[:, 0, 0] * matrix[:, 1, 1] - matrix[:, 0, 1] * matrix[:, 1, 0]
    root = (half**2 - determinant).clamp(min=0).sqrt()
    return torch.where(half**2 >= determinant, half.abs() + root, determinant.clamp(min=0).sqrt())


def count_attractors(module: PascanuRNN, *, steps: int = 400) -> int:
    """Attracting fixed points that a lattice of 21 x 21 starts in the box comes to."""
    line = torch.linspace(-_BOX, _BOX, 21, dtype=torch.float64)
    states = torch.cartesian_prod(line, line)
    with torch.no_grad():
        for _ in range(steps):
            states = _map(module, states)
        states = states[(_map(module, states) - states).abs().amax(1) < _CLOSE]
    return len(torch.unique((states / 1e-3).round(), dim=0))


def _map(module: PascanuRNN, states: Tensor) -> Tensor:
    return torch.tanh(states) @ module.weight_rec.T + module.bias


def _subject(latch: TwoUnitLatch, watch: Watch, index: int) -> Subject:
    network = draw_two_unit_latch(latch, generator(watch.seed, index, "two-unit latch"))
    stream = generator(watch.seed, index, "driven latch")
    inputs = alternating_inputs(latch, watch.burn_in + watch.links, watch.rows, watch.noise, stream)
    start = torch.randn(watch.rows, 2, generator=stream, dtype=torch.float64)
    return Subject(network, inputs, start, torch.ones_like(start) / math.sqrt(2))


def _module(subject: Subject) -> PascanuRNN:
    assert isinstance(subject.network.module, PascanuRNN)
    return subject.network.module


def _visited(subject: Subject, watch: Watch) -> Gamma:
    """The counted states, those of a row that come to another attractor than its first one marked as not settling."""
    states = subject.chain().states[watch.burn_in : -1]
    found = gamma(_module(subject), states.flatten(0, 1))
    limits = found.limit.unflatten(0, states.shape[:2])
    same = (limits - limits[:1]).abs().amax(-1) < 1e-3
    return replace(found, settles=found.settles & same.flatten())


def _balls(module: PascanuRNN, centres: Tensor, radius: float) -> dict[str, float]:
    angles = torch.arange(_POINTS, dtype=torch.float64) * (2 * math.pi / _POINTS)
    rim = radius * torch.stack([angles.cos(), angles.sin()], 1)
    points = torch.cat([torch.zeros(1, 2, dtype=torch.float64), rim])
    states = centres[:, None] + points
    found = gamma(module, states.flatten(0, 1))
    limits = found.limit.unflatten(0, states.shape[:2])
    same = (limits - limits[:, :1]).abs().amax((1, 2)) < 1e-3
    inside = found.inside.unflatten(0, states.shape[:2]).all(1) & same
    growths = _growths(module, states[inside], radius)
    if not len(growths):
        return {"growth": math.nan, "rho": math.nan, "share": 0.0, "growing": math.nan}
    best = int(growths.argmax())
    rho = found.rho.unflatten(0, states.shape[:2]).amax(1)[inside]
    return {
        "growth": float(growths[best]),
        "rho": float(rho[best]),
        "share": float(inside.double().mean()),
        "growing": float((growths > 0).double().mean()),
    }


def _growths(module: PascanuRNN, states: Tensor, radius: float) -> Float[Tensor, " balls"]:
    """log of the largest image of each ball over its radius, over all iterates."""
    largest = torch.full((len(states),), -math.inf, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(ITERATES):
            states = _map(module, states)
            largest = torch.maximum(largest, (states[:, 1:] - states[:, :1]).norm(dim=-1).amax(1))
    return (largest / radius).log()

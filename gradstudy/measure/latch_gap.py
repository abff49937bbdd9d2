"""Theorem 4 of Bengio, Simard and Frasconi (1994) where eigenvalues are no norms: latches of two units."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.measure.reduced_attracting_set import (
    ITERATES,
    Iterates,
    count_attractors,
    iterates,
    left_to_itself,
    same_limit,
    spectral_radius,
)
from gradstudy.measure.spectral_conditions import Probe, growth, perturb
from gradstudy.measure.subject import Subject
from gradstudy.models.pascanu import PascanuRNN
from gradstudy.models.randomness import generator
from gradstudy.models.two_unit_latch import TwoUnitLatch, alternating_inputs, draw_two_unit_latch

_PERTURBATION = 1e-3
_POINTS = 64
_BOX = 4.0
# Links between two points of a picture.
_PICTURED = 10


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
        the derivative of M^l has shrunk to nothing by then; `norm`: the largest spectral norm of a one-step Jacobian;
        `attractors`: how many the latch has.

    Cost: a tangent twice over all links, and `ITERATES` products of 2 x 2 matrices a counted state.
    """
    probe = Probe(watch.burn_in, "tangent", _PERTURBATION, watch.seed)
    subjects = [_subject(latch, watch, i) for i in range(watch.networks)]
    return growth(subjects, probe).join(pd.DataFrame([_latched(s, watch, i) for i, s in enumerate(subjects)]))


def driven_path(latch: TwoUnitLatch, watch: Watch) -> pd.DataFrame:
    """log |da_t/da_0 v| of the first draw after the burn-in, for pictures.

    Returns:
        One row every 10 links: `t`; `log_norm`, `low`, `high`: mean, least and largest over the rows, in nats, v being
        what the burn-in made of a random vector; `rho`: largest modulus of an eigenvalue of the one-step Jacobians so
        far.
    """
    subject = _subject(latch, watch, 0)
    chain, module = subject.chain(), _module(subject)
    vector = torch.randn(watch.rows, 2, generator=generator(watch.seed, 0, "tangent"), dtype=torch.float64)
    total, rho, rows = torch.zeros(watch.rows, dtype=torch.float64), 0.0, []
    for t in range(1, chain.length + 1):
        vector = chain.jvp(t, vector)
        size = vector.norm(dim=1)
        vector = vector / size[:, None]
        if t > watch.burn_in:
            total = total + size.log()
            jacobians = module.weight_rec.detach() * module.slopes(chain.states[t - 1]).detach()[:, None, :]
            rho = max(rho, float(spectral_radius(jacobians).max()))
            spread = {"log_norm": float(total.mean()), "low": float(total.min()), "high": float(total.max())}
            if (t - watch.burn_in) % _PICTURED == 0:
                rows.append({"t": t - watch.burn_in, **spread, "rho": rho})
    return pd.DataFrame(rows)


def gamma_balls(latch: TwoUnitLatch, states: int, radius: float, networks: int, *, seed: int) -> pd.DataFrame:
    """Growth of balls of uncertainty that lie wholly in Gamma, in latches left to themselves.

    Centres are uniform in a box; those whose ball (its rim, 64 points) is not in Gamma of one attractor are passed
    over.

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
        network = draw_two_unit_latch(latch, generator(seed, i, "two-unit latch"))
        assert isinstance(network.module, PascanuRNN)
        stream = generator(seed, i, "centres")
        centres = _BOX * (2 * torch.rand(states, 2, generator=stream, dtype=torch.float64) - 1)
        rows.append({"network": i, **_balls(network.module, centres, radius)})
    return pd.DataFrame(rows)


def _subject(latch: TwoUnitLatch, watch: Watch, index: int) -> Subject:
    network = draw_two_unit_latch(latch, generator(watch.seed, index, "two-unit latch"))
    stream = generator(watch.seed, index, "driven latch")
    inputs = alternating_inputs(latch, watch.burn_in + watch.links, watch.rows, watch.noise, stream)
    start = torch.randn(watch.rows, 2, generator=stream, dtype=torch.float64)
    return Subject(network, inputs, start, torch.ones_like(start) / math.sqrt(2))


def _module(subject: Subject) -> PascanuRNN:
    assert isinstance(subject.network.module, PascanuRNN)
    return subject.network.module


def _latched(subject: Subject, watch: Watch, index: int) -> dict[str, float | bool]:
    """Whether the states of a subject, and of its perturbed twin, lie in Gamma."""
    twin = perturb(subject, _PERTURBATION, generator(watch.seed, index, "perturbation"))
    own, other = (_visited(each, watch) for each in (subject, twin))
    return {
        "rho": float(own.rho.max()),
        "rho_perturbed": float(other.rho.max()),
        "settles": bool(own.settled.all() and other.settled.all()),
        "norm": float(own.norm.max()),
        "attractors": count_attractors(_module(subject), _BOX),
    }


def _visited(subject: Subject, watch: Watch) -> Iterates:
    """The counted states; those that come to another attractor than the first one of their row have not settled."""
    states = subject.chain().states[watch.burn_in : -1]
    assert isinstance(states, Tensor)
    found = iterates(_module(subject), states.flatten(0, 1))
    same = same_limit(found.limit.unflatten(0, states.shape[:2]))
    return replace(found, settled=found.settled & same.flatten())


def _balls(module: PascanuRNN, centres: Tensor, radius: float) -> dict[str, float]:
    angles = torch.arange(_POINTS, dtype=torch.float64) * (2 * math.pi / _POINTS)
    rim = radius * torch.stack([angles.cos(), angles.sin()], 1)
    points = centres + torch.cat([torch.zeros(1, 2, dtype=torch.float64), rim])[:, None]
    found = iterates(module, points.flatten(0, 1))
    same = same_limit(found.limit.unflatten(0, points.shape[:2]))
    inside = (found.inside.unflatten(0, points.shape[:2]) & same).all(0)
    growths = _growths(module, points[:, inside], radius)
    if not len(growths):
        return {"growth": math.nan, "rho": math.nan, "share": 0.0, "growing": math.nan}
    best = int(growths.argmax())
    rho = found.rho.unflatten(0, points.shape[:2]).amax(0)[inside]
    return {
        "growth": float(growths[best]),
        "rho": float(rho[best]),
        "share": float(inside.double().mean()),
        "growing": float((growths > 0).double().mean()),
    }


def _growths(module: PascanuRNN, points: Tensor, radius: float) -> Float[Tensor, " balls"]:
    """log of the largest image of each ball over its radius, over all iterates; points `(1 + rim, balls, 2)`."""
    largest = torch.full((points.shape[1],), -math.inf, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(ITERATES):
            points = left_to_itself(module, points)
            largest = torch.maximum(largest, (points[1:] - points[:1]).norm(dim=-1).amax(0))
    return (largest / radius).log()

"""Adversarial search for a network whose temporal component outgrows a bound on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradstudy.measure.subject import Subject
from gradstudy.models.networks import Family, Network, draw_network
from gradstudy.models.pascanu import Activation, PascanuRNN, activate, slope
from gradstudy.models.randomness import generator
from gradstudy.theory.pascanu2013 import GAMMA


@dataclass(frozen=True)
class Budget:
    """How hard to search.

    Args:
        length: links T between the two ends of the component.
        steps: gradient steps; 0 leaves the random start as it is.
        rate: step size of Adam at the start; it falls to a hundredth of it along a cosine.
    """

    length: int
    steps: int
    rate: float = 0.05


def attack(network: Network, budget: Budget, *, stream: torch.Generator, weight_scale: float = 1.0) -> Subject:
    """Ascend log |u^T J_T ... J_1| - T log(gamma sigma_1(W)) over W, x_0, the drives and u.

    The only constraint is the hypothesis gamma sigma_1(W) < 1: W is any matrix rescaled to a spectral norm below
    1 / gamma, which is itself free, and the input matrix is the identity, so the drive of every unit is free. The
    start is random. One network a call; nothing is shared between calls.

    Args:
        network: a PascanuRNN draw: its W, its activation and its (possibly planted) gain are where the search starts.
        budget: links and steps.
        stream: source of the start.
        weight_scale: planted: the network runs with this many times the W that the bound is computed from.

    Cost: `steps` times T products of a vector with W, forward and backward.
    """
    module = network.module
    assert isinstance(module, PascanuRNN)
    size, gamma = module.hidden_size, GAMMA[module.activation]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=stream, dtype=torch.float64)

    free = [network.weight.clone(), normal(1), normal(budget.length, size), normal(size), normal(size)]
    free = [value.requires_grad_() for value in free]
    optimizer = torch.optim.Adam(free, lr=budget.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(budget.steps, 1), budget.rate / 100)
    for _ in range(budget.steps):
        optimizer.zero_grad()
        weight = _admissible(free[0], free[1], gamma)
        (-_margin(module, weight, weight_scale, free[2:])).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        weight = _admissible(free[0], free[1], gamma)
        return _freeze(module, weight, weight_scale, free[2:])


def _admissible(matrix: Tensor, level: Tensor, gamma: float) -> Tensor:
    """The matrix rescaled to gamma sigma_1 = sigmoid(level) < 1."""
    return matrix * (torch.sigmoid(level) / (gamma * torch.linalg.matrix_norm(matrix, ord=2)))


def _margin(module: PascanuRNN, weight: Tensor, weight_scale: float, rest: list[Tensor]) -> Tensor:
    """log |u^T J_T ... J_1| - log |u| - T log(gamma sigma_1(W))."""
    drives, state, cotangent = rest
    acting = weight_scale * weight
    slopes = []
    for drive in drives:
        slopes.append(module.gain * slope(module.activation, state))
        state = acting @ (module.gain * activate(module.activation, state)) + drive
    vector, total = cotangent / cotangent.norm(), state.new_zeros(())
    for factor in reversed(slopes):
        vector = (vector @ acting) * factor
        # Renormalised at every link, so that a component of e^-300 is still climbed.
        length = vector.norm()
        vector, total = vector / length, total + length.log()
    bound = torch.log(GAMMA[module.activation] * torch.linalg.matrix_norm(weight, ord=2))
    return total - len(drives) * bound


def _freeze(module: PascanuRNN, weight: Tensor, weight_scale: float, rest: list[Tensor]) -> Subject:
    drives, start, cotangent = (value.detach() for value in rest)
    size = module.hidden_size
    activation: Activation = module.activation
    unused = torch.Generator().manual_seed(0)
    found = PascanuRNN(size, size, activation, gain=module.gain, generator=unused).double()
    with torch.no_grad():
        found.weight_rec.copy_(weight_scale * weight)
        found.weight_in.copy_(torch.eye(size))
        found.bias.zero_()
    return Subject(
        Network(found, weight.detach(), torch.zeros(size, dtype=torch.float64)),
        drives[:, None],
        start[None],
        (cotangent / cotangent.norm())[None],
    )


def adversarial_subjects(
    family: Family, count: int, budget: Budget, *, seed: int, weight_scale: float = 1.0
) -> list[Subject]:
    """Attacks from `count` independently drawn networks of a family; network i has a generator of its own."""
    found = []
    for i in range(count):
        stream = generator(seed, i, "adversarial search")
        network = draw_network(family, stream, pre_activation=True)
        found.append(attack(network, budget, stream=stream, weight_scale=weight_scale))
    return found

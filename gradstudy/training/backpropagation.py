"""Loss and gradient of every member of a population by hand-written backpropagation through time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gradstudy.tasks.task import Likelihood
from gradstudy.training.gru import GRU
from gradstudy.training.likelihoods import loss_and_gradient
from gradstudy.training.lstm import LSTM
from gradstudy.training.population import Cell, Population, Shape
from gradstudy.training.unrolled import Unrolled
from gradstudy.training.vanilla import Vanilla

_UNROLLED: Mapping[Cell, type[Unrolled]] = {
    "tanh": Vanilla,
    "relu": Vanilla,
    "sigmoid": Vanilla,
    "lstm": LSTM,
    "gru": GRU,
}
# Steps that `predict` keeps at once: tests are of many sequences.
_PIECE = 8


@dataclass(frozen=True, eq=False)
class Gradients:
    """What one pass there and back gives.

    Args:
        loss: `(members,)`.
        gradient: of the loss, one row a member.
        unrolled: with `state_gradient` dL/dh_t, t = 0 .. T, total derivatives (the average over the batch included);
            memory that the next pass overwrites.
        direct: by t, the part of dL/dh_t that does not come through h_{t+1}, `(members, H, batch)`; 0 elsewhere.
    """

    loss: Tensor
    gradient: Population
    unrolled: Unrolled
    direct: Mapping[int, Tensor]


def unroll(shape: Shape, size: tuple[int, int, int], dtype: torch.dtype = torch.float64) -> Unrolled:
    """Memory for passes of a shape's members: size = (members, length, batch)."""
    return _UNROLLED[shape.cell].empty(shape, size, dtype)


def gradients(
    population: Population,
    unrolled: Unrolled,
    batch: tuple[Tensor, Tensor],
    scored: slice,
    likelihood: Likelihood,
) -> Gradients:
    """Loss and gradient of every member on sequences of its own.

    The loss is that of `loss_and_gradient`, averaged over scored steps and sequences.

    Args:
        population: whose members.
        unrolled: of their shape, for as many members and sequences, and at least as many steps.
        batch: inputs `(members, T, batch, I)` and targets `(members, scored steps, batch, ...)`.
        scored: the steps, from 0, whose predictions are made and scored.
        likelihood: how.

    Cost: T batched products there, T back and T for the weights; memory linear in T.

    Example:
        >>> import torch
        >>> from gradstudy.training.population import Shape, draw_population
        >>> population = draw_population(Shape("tanh", 2, 8, 1), "default", range(3), seed=0)
        >>> batch = torch.randn(3, 20, 5, 2).double(), torch.randn(3, 1, 5, 1).double()
        >>> found = gradients(population, unroll(population.shape, (3, 20, 5)), batch, slice(-1, None), "gaussian")
        >>> tuple(found.gradient.weights.shape) == tuple(population.weights.shape)
        True
    """
    inputs, targets = batch
    unrolled = unrolled.part(len(population), inputs.shape[1])
    unrolled.drive(inputs)
    unrolled.forward(population)
    states = unrolled.hidden[1:][scored].permute(1, 0, 3, 2).contiguous()
    loss, at_predictions = loss_and_gradient(likelihood, _read(population, states), targets)
    at_predictions = at_predictions.flatten(1, 2)
    gradient = population.like(torch.empty_like(population.weights))
    gradient.readout[..., :-1] = _products(at_predictions.mT, states.flatten(1, 2))
    gradient.readout[..., -1] = at_predictions.sum(1)
    at_states = _products(at_predictions, population.readout[..., :-1]).unflatten(1, states.shape[1:3]).mT
    direct = dict(zip(range(1, unrolled.length + 1)[scored], at_states.unbind(1), strict=True))
    gradient.recurrent[:] = unrolled.backward(population, direct)
    return Gradients(loss, gradient, unrolled, direct)


def predict(population: Population, inputs: Tensor, scored: slice) -> Tensor:
    """Predictions at the scored steps, `(members, scored steps, batch, outputs)`.

    Args:
        population: whose members.
        inputs: `(members, T, batch, I)`.
        scored: the steps, from 0.

    Cost: T batched products; memory for 8 steps whatever T, and for the scored states.
    """
    length = inputs.shape[1]
    wanted = torch.zeros(length, dtype=torch.bool)
    wanted[scored] = True
    pieces = zip(_states(population, inputs, _PIECE), wanted.split(_PIECE), strict=True)
    kept = [hidden[chosen] for hidden, chosen in pieces]
    return _read(population, torch.cat(kept).permute(1, 0, 3, 2))


def predictions(population: Population, inputs: Tensor, piece: int) -> Iterator[Tensor]:
    """Predictions at all steps, `(members, steps, batch, outputs)`, a piece of so many steps after the other.

    As `predict`, but nothing is kept of a piece when the next one comes: memory for one, whatever T.
    """
    for hidden in _states(population, inputs, piece):
        yield _read(population, hidden.permute(1, 0, 3, 2))


def _states(population: Population, inputs: Tensor, piece: int) -> Iterator[Tensor]:
    """h_t, `(steps, members, H, batch)`, a piece after the other; memory that the next one overwrites."""
    members, length, batch = inputs.shape[:3]
    unrolled = unroll(population.shape, (members, min(length, piece), batch), inputs.dtype)
    for driving in inputs.split(piece, dim=1):
        part = unrolled.part(members, driving.shape[1])
        part.drive(driving)
        part.forward(population)
        yield part.hidden[1:]
        part.carry()


def _read(population: Population, states: Tensor) -> Tensor:
    """Predictions from h_t, `(members, steps, batch, H)`."""
    readout = population.readout
    flat = _products(states.flatten(1, 2), readout[..., :-1].mT) + readout[:, None, :, -1]
    return flat.unflatten(1, states.shape[1:3])


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Matrix products member by member: a single output in a batched product is summed otherwise in other company."""
    return torch.stack([a @ b for a, b in zip(left, right, strict=True)])

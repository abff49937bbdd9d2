"""Losses of members on sequences of their own, apart from any update."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradstudy.training.backpropagation import predict
from gradstudy.training.likelihoods import loss_and_gradient
from gradstudy.training.population import Population
from gradstudy.training.sequences import Draws, Feed


def losses(population: Population, indices: Sequence[int], draws: Draws, *, batches: int = 1) -> Tensor:
    """The task's loss of each member, averaged over scored steps and sequences, `(members,)`.

    Not finite where a member's weights or predictions are not.

    Args:
        population: whose members.
        indices: of its members; those with the same index are asked the same sequences.
        draws: of the sequences: with another purpose than "training" they are fresh ones; with that of a campaign's
            training they are those of its updates.
        batches: how many, of `draws.batch` sequences each.

    Cost: a forward pass a batch.

    Example:
        >>> from gradstudy.tasks.adding import Adding
        >>> from gradstudy.training.population import Shape, draw_population
        >>> population = draw_population(Shape("tanh", 2, 8, 1), "default", range(3), seed=0)
        >>> tuple(losses(population, range(3), Draws(Adding(), 20, 100, seed=0, purpose="test")).shape)
        (3,)
    """
    feed, total = Feed(draws), torch.zeros(len(population), dtype=population.weights.dtype)
    for number in range(batches):
        inputs, targets = feed.batch(indices, number)
        found = predict(population, inputs, draws.task.scored(inputs.shape[1]))
        total += loss_and_gradient(draws.task.likelihood, found, targets)[0]
    return total / batches

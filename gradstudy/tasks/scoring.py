"""Losses of scored tasks by their likelihood, and what their generated sequences share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from gradstudy.errors import LengthError
from gradstudy.tasks.task import Likelihood


def mean_loss(likelihood: Likelihood, predictions: Tensor, targets: Tensor) -> Tensor:
    """Loss in nats or squared units, summed over outputs, averaged over steps and sequences.

    Args:
        likelihood: categorical (predictions are logits of a softmax), gaussian (squared error) or bernoulli
            (predictions are logits of independent sigmoids).
        predictions: `(steps, count, output_size)`.
        targets: `(steps, count)` class indices (categorical), else `(steps, count, output_size)`.
    """
    if likelihood == "categorical":
        return nn.functional.cross_entropy(predictions.flatten(0, 1), targets.flatten())
    if likelihood == "gaussian":
        return (predictions - targets.view_as(predictions)).square().sum(-1).mean()
    return nn.functional.binary_cross_entropy_with_logits(predictions, targets, reduction="none").sum(-1).mean()


def misclassified(predictions: Tensor, classes: Tensor) -> Tensor:
    """Where the largest output is not that of the class, or an output is not finite.

    Args:
        predictions: `(..., output_size)`.
        classes: `(...)`.
    """
    return (predictions.argmax(-1) != classes) | ~predictions.isfinite().all(-1)


class Scored(ABC):
    """A base for scored tasks: their losses follow from the likelihood and the scored steps."""

    @property
    @abstractmethod
    def likelihood(self) -> Likelihood:
        """How a prediction is scored."""

    @property
    @abstractmethod
    def shortest(self) -> int:
        """The least length at which the task has room for its positions."""

    def scored(self, length: int) -> slice:
        """The steps whose predictions are scored: the last one alone."""
        return slice(length - 1, length)

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The loss over the scored steps; see `mean_loss`."""
        return mean_loss(self.likelihood, predictions[self.scored(len(predictions))], targets)

    def last_loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """E_T, the loss at the last step alone."""
        return mean_loss(self.likelihood, predictions[-1:], targets[-1:])

    def check(self, length: int) -> None:
        """Refuse a length that is too short.

        Raises:
            LengthError: there is no room for the task's positions.
        """
        if length < self.shortest:
            raise LengthError(
                f"{length} steps for {self}",
                needed=f"at least {self.shortest} steps",
                why="its positions would not fit into the sequence",
                remedy=f"make the sequences longer, or begin a list of lengths at {self.shortest}",
            )


def one_hot(symbols: Tensor, size: int) -> Tensor:
    """Indices as unit vectors `(..., size)`, float64."""
    return nn.functional.embedding(symbols, torch.eye(size, dtype=torch.float64))


def uniform(low: int, high: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` integers, uniform on low, ..., high - 1."""
    return torch.randint(low, high, (count,), generator=generator)

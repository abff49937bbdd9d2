"""What a task is to a training loop and to a study."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor


class Task(Protocol):
    """Sequences with targets, and what is lost by predictions read from a recurrent network's outputs.

    Sequences are time-major, predictions `(time, batch, output_size)`, one a step.
    """

    @property
    def input_size(self) -> int:
        """Inputs a step."""

    @property
    def output_size(self) -> int:
        """Predictions a step."""

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` sequences `(length, count, input_size)`, float64, and their targets."""

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The loss that is trained, a scalar, averaged over sequences."""

    def last_loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """E_T, the loss at the last step alone, a scalar, averaged over sequences."""

    def trivial_loss(self) -> float:
        """What the best constant prediction loses."""


Likelihood = Literal["categorical", "gaussian", "bernoulli"]
"""How a prediction is scored: cross-entropy of a softmax, squared error, or cross-entropy of independent sigmoids."""


class ScoredTask(Task, Protocol):
    """A task whose loss is a standard one at some of the steps, and that counts right and wrong sequences.

    Targets are `(scored steps, count)` class indices (categorical), else `(scored steps, count, output_size)`, float64.
    The loss is in nats or squared units: summed over outputs, averaged over scored steps and sequences.
    """

    @property
    def likelihood(self) -> Likelihood:
        """How a prediction is scored."""

    @property
    def shortest(self) -> int:
        """The least length at which the task has room for its positions."""

    def scored(self, length: int) -> slice:
        """The steps whose predictions are scored, of a sequence of that length."""

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Which sequences count as wrong, `(count,)` bool, by the task's own success rule.

        Args:
            predictions: at the scored steps alone, `(scored steps, count, output_size)`.
            targets: as drawn.
        """

    def trivial_error(self) -> float:
        """Share of sequences that the best constant prediction gets wrong."""

"""What a task is to a training loop and to a study."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor


class Task(Protocol):
    """Sequences with targets, and what is lost by predictions read from a recurrent network's outputs.

    Sequences are time-major, predictions `(time, batch, output_size)`, one a step. All sequences of a draw have one
    length; where a paper draws the length, whoever trains draws it, once a batch. Sequences are independent of each
    other, so the batches of many networks can be drawn at once and split.
    """

    @property
    def input_size(self) -> int:
        """Inputs a step."""

    @property
    def output_size(self) -> int:
        """Predictions a step."""

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` sequences `(length, count, input_size)`, float64, and their targets.

        Raises:
            LengthError: the task needs more steps.
        """

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The loss that is trained, a scalar, averaged over sequences."""

    def last_loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """E_T, the loss at the last step alone, a scalar, averaged over sequences."""

    def trivial_loss(self, length: int) -> float:
        """Expected loss of the best predictions that do not see the sequence, but may differ from step to step.

        Args:
            length: of the sequences; it matters where only some of the scored steps can be known blindly.
        """


Likelihood = Literal["categorical", "gaussian", "bernoulli"]
"""How a prediction is scored: cross-entropy of a softmax, squared error, or cross-entropy of independent sigmoids."""


class ScoredTask(Task, Protocol):
    """A task whose loss is a standard one at some of the steps.

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


class SolvableTask(ScoredTask, Protocol):
    """A scored task with a success rule, by which a sequence is right or wrong."""

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Which sequences count as wrong, `(count,)` bool, by the task's own success rule.

        Args:
            predictions: at the scored steps alone, `(scored steps, count, output_size)`.
            targets: as drawn.
        """

    def trivial_error(self, length: int) -> float:
        """Expected share of sequences that the best predictions that do not see the sequence get wrong.

        Best by this rule, which may be other predictions than those with the least loss.
        """

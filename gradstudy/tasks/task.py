"""What a task is to a training loop and to a study."""

from __future__ import annotations

from typing import Protocol

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

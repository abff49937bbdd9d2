"""The adding problem: two marked numbers of a long sequence (Hochreiter and Schmidhuber 1997; Pascanu 2013)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Adding:
    """The mean of the two marked values of a sequence, told at its end.

    Two inputs a step: a value, uniform on [0, 1), and a marker, 1 at two steps and else 0. The first marked step is
    uniform over the first tenth of the sequence, the second over the rest of its first half; so the answer lies at
    least half the sequence back. The target is the *mean* of the two values, which has mean 1/2 and variance 1/24.

    As in Pascanu's released code, but for the length: there each batch has its own, uniform on [T, 1.1 T), here all
    sequences have length T, so that lags are the same in all of them. Hochreiter and Schmidhuber's problem differs in
    values, markers, target (1/2 + a quarter of the sum) and success rule.

    A sequence counts as solved, in the paper, when its *squared* error is at most 0.04, that is |error| <= 0.2 (not
    |error| < 0.04, as in 1997). The constant prediction 1/2 then already solves 1 - (1 - 0.4)^2 = 64 % of the
    sequences, the target's density being a triangle, with a mean squared error of 1/24: judge a network beside it.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code.
    """

    input_size: int = 2
    output_size: int = 1

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, 2)` and targets `(count,)`, float64.

        Raises:
            ValueError: fewer than ten steps leave no place for the first marker.
        """
        if length < 10:
            raise ValueError(f"the adding problem needs at least 10 steps, got {length}")
        inputs = torch.zeros(length, count, 2, dtype=torch.float64)
        inputs[..., 0] = torch.rand(length, count, generator=generator, dtype=torch.float64)
        tenth, half = length // 10, length // 2
        first = torch.randint(0, tenth, (count,), generator=generator)
        second = torch.randint(tenth, half, (count,), generator=generator)
        rows = torch.arange(count)
        inputs[first, rows, 1] = inputs[second, rows, 1] = 1.0
        return inputs, (inputs[first, rows, 0] + inputs[second, rows, 0]) / 2

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of the prediction at the last step; the other steps predict nothing."""
        return (predictions[-1, :, 0] - targets).square().mean()

    def last_loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """E_T, which is the whole loss."""
        return self.loss(predictions, targets)

    def trivial_loss(self) -> float:
        """Squared error of the constant prediction 1/2: the variance 1/24 of the target."""
        return 1 / 24

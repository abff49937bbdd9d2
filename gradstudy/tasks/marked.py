"""Sequences of values of which two are marked: what the adding and the multiplication problem share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gradstudy.tasks.scoring import Scored, uniform
from gradstudy.tasks.task import Likelihood

Definition = Literal["pascanu2013", "hochreiter1997"]

SQUARED_TOLERANCE = 0.04  # of Pascanu's code: right is |error| <= 0.2
TOLERANCE = 0.04  # of 1997: right is |error| < 0.04


@dataclass(frozen=True)
class Marked(Scored):
    """A function of two marked values of a sequence is to be told at its end.

    Two inputs a step, the value and the marker. A prediction is scored by its squared error.

    | definition | marker | first marked step | second | right |
    |---|---|---|---|---|
    | pascanu2013 | 1, else 0 | [0, L/10) | [L/10, L/2) | squared error <= 0.04 |
    | hochreiter1997 | 1, else 0; -1 at both ends | [0, 10) | [0, L/2), another than the first | abs. error < 0.04 |

    *pascanu2013* is the released code, but for the length: there each batch has its own, uniform on [T, 1.1 T). (If L
    is not a multiple of 10 the code's last second place is at times one lower.) In 1997 every sequence had its own,
    from T to 1.1 T, and where its very first step is marked, by either mark, the marker there is 1 and the value
    `neutral`.
    """

    definition: Definition = "pascanu2013"

    input_size: ClassVar[int] = 2
    output_size: ClassVar[int] = 1
    likelihood: ClassVar[Likelihood] = "gaussian"

    @property
    @abstractmethod
    def range(self) -> tuple[float, float]:
        """Of the values, which are uniform."""

    @property
    @abstractmethod
    def neutral(self) -> float:
        """The value of the first step where it is marked, in 1997."""

    @abstractmethod
    def combined(self, first: Tensor, second: Tensor) -> Tensor:
        """The target."""

    @property
    def shortest(self) -> int:
        """Ten steps have a first tenth; in 1997, twenty have ten steps in their first half."""
        return 10 if self.definition == "pascanu2013" else 20

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, 2)` and targets `(1, count, 1)`, float64.

        Raises:
            LengthError: too few steps.
        """
        self.check(length)
        inputs = torch.zeros(length, count, 2, dtype=torch.float64)
        values, markers = inputs.unbind(-1)
        values.copy_(self._values(length, count, generator))
        first, second = self._steps(length, count, generator)
        rows = torch.arange(count)
        if self.definition == "hochreiter1997":
            markers[0] = markers[-1] = -1.0
            values[0] = torch.where((first == 0) | (second == 0), self.neutral, values[0])
        markers[first, rows] = markers[second, rows] = 1.0
        return inputs, self.combined(values[first, rows], values[second, rows])[None, :, None]

    def _values(self, length: int, count: int, generator: torch.Generator) -> Tensor:
        low, high = self.range
        return low + (high - low) * torch.rand(length, count, generator=generator, dtype=torch.float64)

    def _steps(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if self.definition == "pascanu2013":
            tenth, half = length // 10, length // 2
            return uniform(0, tenth, count, generator), uniform(tenth, half, count, generator)
        first = uniform(0, 10, count, generator)
        unmarked = uniform(0, length // 2 - 1, count, generator)
        return first, unmarked + (unmarked >= first)

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences whose squared error is above 0.04; in 1997 those whose absolute error is 0.04 or more."""
        error = (predictions - targets)[0, :, 0]
        right = error.square() <= SQUARED_TOLERANCE if self.definition == "pascanu2013" else error.abs() < TOLERANCE
        return ~right  # NaN is wrong

    def first_marked(self, length: int) -> float:
        """Probability that the very first step is marked and replaced by the neutral value: 0 but in 1997."""
        return 0.0 if self.definition == "pascanu2013" else 1 / 10 + 9 / 10 / (length // 2 - 1)

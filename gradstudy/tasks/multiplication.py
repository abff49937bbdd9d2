"""The multiplication problem: the product of two marked numbers (Hochreiter and Schmidhuber 1997; Pascanu 2013)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from gradstudy.tasks.marked import SQUARED_TOLERANCE, TOLERANCE, Marked


@dataclass(frozen=True)
class Multiplication(Marked):
    """The product of the two marked values of a sequence, told at its end.

    Sequences are those of the adding problem (`Adding`), values uniform on [0, 1) in both definitions. The product z of
    two has mean 1/4, variance 7/144 and the distribution function z - z log z, whose density falls throughout. So
    without seeing the sequence 1/4 has the least squared error, but the least constant that reaches down to 0 solves
    most of the sequences: 0.2 solves 0.4 - 0.4 log 0.4 = 76.7 % of them by the rule of 2013 (squared error at most
    0.04), 0.04 solves 28.2 % by that of 1997 (error below 0.04).

    In 1997, where the first step is marked its value is 1 and the product is one uniform value.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code; Hochreiter and Schmidhuber 1997,
    experiment 5.

    Args:
        definition: pascanu2013 or hochreiter1997; see `Marked`.
    """

    @property
    def range(self) -> tuple[float, float]:
        """[0, 1)."""
        return 0.0, 1.0

    @property
    def neutral(self) -> float:
        """1."""
        return 1.0

    def combined(self, first: Tensor, second: Tensor) -> Tensor:
        """The product."""
        return first * second

    def trivial_loss(self, length: int) -> float:
        """The variance of the target: 1/9 - 1/16, but for the share of single values in 1997."""
        alone = self.first_marked(length)
        mean, square = (1 - alone) / 4 + alone / 2, (1 - alone) / 9 + alone / 3
        return square - mean**2

    def trivial_error(self, length: int) -> float:
        """Error of the constant equal to the tolerance: 1 - P(target <= twice the tolerance)."""
        tolerance = math.sqrt(SQUARED_TOLERANCE) if self.definition == "pascanu2013" else TOLERANCE
        alone, width = self.first_marked(length), 2 * tolerance
        return 1 - (1 - alone) * (width - width * math.log(width)) - alone * width

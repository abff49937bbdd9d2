"""Noiseless memorisation: repeat a string after a long silence (Pascanu 2013)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.scoring import Scored, misclassified, one_hot
from gradstudy.tasks.task import Likelihood


@dataclass(frozen=True)
class Memorisation(Scored):
    """Repeat a string of `positions` symbols, each one of `values`, after blanks and a trigger.

    One step is one symbol, one-hot. The string (uniform and independent symbols) comes first, then T blanks, the
    trigger, and `positions` - 1 blanks more. The string is to be told from the trigger on; before it the answer is
    "blank". So a sequence has T + 2 `positions` steps (`steps`).

    Every step is scored, by the cross-entropy of a softmax over the values and "blank", averaged over the steps. A
    sequence is right if the largest output is right at every step.

    Without seeing the sequence, but knowing the step, one loses `positions` ln `values` / length nats, and is right
    once in `values`^`positions`.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code, whose 5 values at 10 positions are 23.2
    bits; `Memorisation(2, 5)` is the variant with 5 bits.

    Args:
        values: different symbols.
        positions: length of the string.

    Raises:
        OptionError: fewer than two values or no position.
    """

    values: int = 5
    positions: int = 10

    likelihood: ClassVar[Likelihood] = "categorical"

    def __post_init__(self) -> None:
        if self.values < 2 or self.positions < 1:
            raise OptionError(
                repr(self),
                needed="at least two values and one position",
                why="there would be nothing to memorise",
                remedy="use more of them",
            )

    @property
    def input_size(self) -> int:
        """One input a value, blank and trigger."""
        return self.values + 2

    @property
    def output_size(self) -> int:
        """One output a value, and blank."""
        return self.values + 1

    @property
    def shortest(self) -> int:
        """No blank before the trigger."""
        return self.steps(0)

    def steps(self, blanks: int) -> int:
        """Length of a sequence with so many blanks before the trigger: the paper's T."""
        return blanks + 2 * self.positions

    def scored(self, length: int) -> slice:
        """All steps."""
        return slice(0, length)

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, values + 2)`, float64, and the symbols to be told, `(length, count)`.

        Raises:
            LengthError: no room for the string and for telling it.
        """
        self.check(length)
        blank, trigger = self.values, self.values + 1
        string = torch.randint(self.values, (self.positions, count), generator=generator)
        silence = torch.full((length - self.positions, count), blank)
        shown = torch.cat([string, silence])
        shown[-self.positions] = trigger
        return one_hot(shown, self.input_size), torch.cat([silence, string])

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences with a wrong symbol at any step."""
        return misclassified(predictions, targets).any(0)

    def trivial_loss(self, length: int) -> float:
        """ln `values` at the steps at which the string is told, averaged over all; nats a step."""
        return self.positions * math.log(self.values) / length

    def trivial_error(self, length: int) -> float:
        """All strings but one."""
        return 1 - float(self.values) ** -self.positions

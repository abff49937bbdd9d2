"""Random permutation: the last symbol repeats the first, all others are noise (Pascanu 2013)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.scoring import Scored, misclassified, one_hot
from gradstudy.tasks.task import Likelihood

_FIRST = 2  # symbols that can begin a sequence


@dataclass(frozen=True)
class RandomPermutation(Scored):
    """Predict the next symbol of a sequence whose last one is its first, and only that can be predicted.

    One step is one of 100 symbols, one-hot. The first is 0 or 1 with probability 1/2, the length - 1 others are uniform
    on the other 98 (with repetition: no permutation in truth), and the symbol to be predicted at the last step is the
    first one again. Cross-entropy of a softmax over all symbols.

    A sequence is right if the largest output at the last step is that of the first symbol. Without seeing the sequence
    that is so for 1/2, and the loss there is ln 2 nats; at any other step it is ln 98, whoever predicts.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code, which trains the last prediction alone;
    lines left in its comments, and the evaluation of the last one only, tell that every one was trained before.

    Args:
        symbols: how many, two of them first ones.
        trained: the last prediction alone, or every one.

    Raises:
        OptionError: fewer than three symbols.
    """

    symbols: int = 100
    trained: Literal["last", "every"] = "last"

    likelihood: ClassVar[Likelihood] = "categorical"
    shortest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if self.symbols <= _FIRST:
            raise OptionError(
                f"{self.symbols} symbols",
                needed="at least 3",
                why="two can begin a sequence, and none would be left to follow",
                remedy="use more symbols",
            )

    @property
    def input_size(self) -> int:
        """One input a symbol."""
        return self.symbols

    @property
    def output_size(self) -> int:
        """One output a symbol."""
        return self.symbols

    def scored(self, length: int) -> slice:
        """The last step, or all."""
        return slice(length - 1 if self.trained == "last" else 0, length)

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, symbols)`, float64, and the next symbols at the scored steps.

        Raises:
            LengthError: fewer than two steps.
        """
        self.check(length)
        shown = torch.randint(_FIRST, self.symbols, (length + 1, count), generator=generator)
        shown[0] = shown[-1] = torch.randint(_FIRST, (count,), generator=generator)
        return one_hot(shown[:-1], self.symbols), shown[1:][self.scored(length)]

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences whose last symbol is not the one predicted."""
        return misclassified(predictions[-1], targets[-1])

    def trivial_loss(self, length: int) -> float:
        """ln 2 at the last step, ln of the number of other symbols before it; nats, averaged over the scored steps."""
        before = 0 if self.trained == "last" else length - 1
        return (math.log(_FIRST) + before * math.log(self.symbols - _FIRST)) / (before + 1)

    def trivial_error(self, length: int) -> float:
        """1/2."""
        return 1 - 1 / _FIRST

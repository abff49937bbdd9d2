"""Temporal order: which symbols stood at two or three places of a long sequence, and in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.scoring import Scored, misclassified, one_hot, uniform
from gradstudy.tasks.task import Likelihood

Definition = Literal["code", "docstring", "derived", "hochreiter1997"]

_RELEVANT, _DISTRACTORS = 2, 4
_START, _TRIGGER = 6, 7  # of hochreiter1997 alone
_TOLERANCE = 0.3
# Where the places of each relevant symbol begin, in hundredths of the length.
_FIRST: dict[tuple[Definition, int], tuple[int, ...]] = {
    ("code", 2): (10, 50),
    ("code", 3): (10, 30, 60),
    ("docstring", 2): (0, 50),
    ("derived", 2): (10, 40),
    ("hochreiter1997", 2): (10, 50),
    ("hochreiter1997", 3): (10, 33, 66),
}


@dataclass(frozen=True)
class TemporalOrder(Scored):
    """Classify a sequence by the two or three relevant symbols in it and their order.

    One step is one symbol, one-hot. A relevant symbol, A or B with probability 1/2 each, stands at two (or three)
    places; all other steps hold one of four distractors. The answer, at the last step, is the class v_1 + 2 v_2
    (+ 4 v_3), v_i being 0 for A and 1 for B. Everything is uniform and independent, also the places. Sources differ in
    the range of these; in parts of the length L, counted from 0:

    | definition | two symbols | three symbols |
    |---|---|---|
    | code | [.1 L, .2 L), [.5 L, .6 L) | [.1 L, .2 L), [.3 L, .4 L), [.6 L, .7 L) |
    | docstring | [0, .1 L), [.5 L - 1, .6 L) | |
    | derived | [.1 L, .2 L), [.4 L, .5 L) | |
    | hochreiter1997 | [.1 L, .2 L], [.5 L, .6 L] | [.1 L, .2 L], [.33 L, .43 L], [.66 L, .76 L] |

    *code* is the code released by Pascanu, *docstring* what that code says of itself, [1, L/10] and [5 L/10, 6 L/10]
    counted from 1; *derived* is second-hand, from a repository that builds on it. The paper only says in words that
    they stand near the beginning and in the middle. These three score a softmax by its cross-entropy, and a sequence is
    right if the largest output is that of its class. *hochreiter1997* has a start symbol before all others and a
    trigger after them (so 8 symbols), scores one output a class by its squared error, and a sequence is right if every
    output is off by less than 0.3; its outputs were sigmoids, here they are whatever the network gives, and its places
    were 10 to 20 (and so on) for all lengths from 100 to 110, here tenths of L rounded down to a multiple of 10.

    Without seeing the sequence one loses ln 4 nats (ln 8 with three symbols), or 3/4 (7/8) in squared error, and errs
    on 3/4 (7/8) of the sequences.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code; Hochreiter and Schmidhuber 1997,
    experiments 6a and 6b.

    Args:
        symbols: relevant ones, 2 or 3.
        definition: whose.

    Raises:
        OptionError: that source has no task with so many symbols.

    Example:
        >>> import torch
        >>> from gradstudy.tasks.temporal_order import TemporalOrder
        >>> inputs, classes = TemporalOrder().draw(50, 20, torch.Generator().manual_seed(0))
        >>> inputs.shape, classes.shape
        (torch.Size([50, 20, 6]), torch.Size([1, 20]))
    """

    symbols: int = 2
    definition: Definition = "code"

    def __post_init__(self) -> None:
        if (self.definition, self.symbols) not in _FIRST:
            raise OptionError(
                f"symbols={self.symbols} as in {self.definition!r}",
                needed=f"one of {', '.join(f'{symbols} as in {name!r}' for name, symbols in _FIRST)}",
                why="no source says where the symbols of any other would stand",
                remedy="choose another definition, or another number of symbols",
            )

    @property
    def input_size(self) -> int:
        """One input a symbol: A, B, four distractors (and start and trigger)."""
        return _RELEVANT + _DISTRACTORS + (2 if self.definition == "hochreiter1997" else 0)

    @property
    def output_size(self) -> int:
        """One output a class."""
        return 2**self.symbols

    @property
    def likelihood(self) -> Likelihood:
        """Categorical; gaussian in 1997."""
        return "gaussian" if self.definition == "hochreiter1997" else "categorical"

    @property
    def shortest(self) -> int:
        """Ten steps, so that a tenth of them is at least one."""
        return 10

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, input_size)`, float64, and classes `(1, count)`, or one-hot `(1, count, classes)`.

        Raises:
            LengthError: fewer than ten steps.
        """
        self.check(length)
        shown = torch.randint(_RELEVANT, _RELEVANT + _DISTRACTORS, (length, count), generator=generator)
        if self.definition == "hochreiter1997":
            shown[0], shown[-1] = _START, _TRIGGER
        rows, classes = torch.arange(count), torch.zeros(count, dtype=torch.int64)
        for i, (first, end) in enumerate(self._places(length)):
            value = uniform(0, _RELEVANT, count, generator)
            shown[uniform(first, end, count, generator), rows] = value
            classes += value << i
        targets = classes if self.likelihood == "categorical" else one_hot(classes, self.output_size)
        return one_hot(shown, self.input_size), targets[None]

    def _places(self, length: int) -> list[tuple[int, int]]:
        """First place of each relevant symbol, and the one after its last."""
        tenth = length // 10
        if self.definition == "docstring":
            return [(0, tenth), (length // 2 - 1, length * 6 // 10)]
        if self.definition == "hochreiter1997":
            return [
                (tenth * part // 10, tenth * part // 10 + tenth + 1) for part in _FIRST[self.definition, self.symbols]
            ]
        starts = [length * part // 100 for part in _FIRST[self.definition, self.symbols]]
        return [(start, start + tenth) for start in starts]

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences whose largest output is not that of the class; in 1997 those with an output off by 0.3 or more."""
        if self.likelihood == "categorical":
            return misclassified(predictions, targets).any(0)
        # Asked so that NaN is wrong.
        return ~((predictions - targets).abs() < _TOLERANCE).all(-1).all(0)

    def trivial_loss(self, length: int) -> float:
        """The logarithm of the number K of classes, in nats; in 1997 the variance 1 - 1/K of a one-hot class."""
        return math.log(self.output_size) if self.likelihood == "categorical" else 1 - 1 / self.output_size

    def trivial_error(self, length: int) -> float:
        """1 - 1/K, whichever of K classes is always named."""
        return 1 - 1 / self.output_size

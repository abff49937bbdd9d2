"""Counting: predict the strings of the languages a^n b^n and a^n b^n c^n (Gers and Schmidhuber 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.scoring import Scored, one_hot
from gradstudy.tasks.task import Likelihood


@dataclass(frozen=True)
class Counting(Scored):
    """At every symbol of a string of a^n b^n (or a^n b^n c^n), tell which symbols may come next.

    One step is one symbol, one-hot: the start S, then the string, then the end E until the sequence is full. What may
    come next: a after S; a or b after any a; after another letter the same again, but after its n-th the next letter;
    E after the last one, and after E. There is one output a letter and for E, each an independent sigmoid scored by its
    cross-entropy, summed over outputs and averaged over all steps.

    n is uniform on `least`, ..., `most`. Longer strings than those trained on are another task of the same kind, which
    the same network can be given.

    A sequence is right if, from S to the last letter, exactly the symbols that may come next have a probability above
    1/2 (a logit above 0); what is predicted after E does not count. So one wrong output of one step makes it wrong, and
    a network that has learnt bounds of n instead of counting is right up to these only.

    Without seeing the sequence one can be right for one n alone; the loss follows from the frequencies of the symbols
    at each step (`trivial_loss`).

    Source: Gers and Schmidhuber 2001, second-hand: there strings came one at a time, so that nothing filled a sequence
    up, inputs and targets were -1 and 1, and the error was squared.

    Args:
        letters: 2 or 3, or more.
        least: smallest n.
        most: largest n.

    Raises:
        OptionError: fewer than two letters, or no n.
    """

    letters: int = 2
    least: int = 1
    most: int = 10

    likelihood: ClassVar[Likelihood] = "bernoulli"

    def __post_init__(self) -> None:
        if self.letters < 2 or not 1 <= self.least <= self.most:
            raise OptionError(
                repr(self),
                needed="at least two letters and 1 <= least <= most",
                why="a single letter needs no counting, and without any n there is no string",
                remedy="correct the options",
            )

    @property
    def input_size(self) -> int:
        """One input a letter, the end and the start, in this order."""
        return self.letters + 2

    @property
    def output_size(self) -> int:
        """One output a letter, and the end."""
        return self.letters + 1

    @property
    def shortest(self) -> int:
        """The start and the longest string."""
        return 1 + self.letters * self.most

    def scored(self, length: int) -> slice:
        """All steps."""
        return slice(0, length)

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, letters + 2)` and what may come next `(length, count, letters + 1)`, float64.

        Raises:
            LengthError: the longest string does not fit.
        """
        self.check(length)
        return self.strings(torch.randint(self.least, self.most + 1, (count,), generator=generator), length)

    def strings(self, sizes: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """The strings with these n, `(count,)`, as `draw` gives them; each n that does not fit is cut off."""
        step = torch.arange(length)[:, None]
        end, start = self.letters, self.letters + 1
        shown = torch.div(step - 1, sizes, rounding_mode="floor").clamp(max=end)
        shown[0] = start
        following = one_hot(torch.div(step, sizes, rounding_mode="floor").clamp(max=end), self.output_size)
        following[..., :2].masked_fill_((shown == 0)[..., None], 1.0)
        return one_hot(shown, self.input_size), following

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences with, before the end, a step that names other symbols than those that may come next."""
        off = (((predictions > 0) != (targets > 0)) | ~predictions.isfinite()).any(-1)
        off[1:] &= targets[:-1, :, -1] == 0
        return off.any(0)

    def trivial_loss(self, length: int) -> float:
        """Entropy of each symbol's frequency at each step, all n alike; nats a step, averaged over steps."""
        _, following = self.strings(torch.arange(self.least, self.most + 1), length)
        frequency = following.mean(1)
        return float((torch.special.entr(frequency) + torch.special.entr(1 - frequency)).sum(-1).mean())

    def trivial_error(self, length: int) -> float:
        """All n but one."""
        return 1 - 1 / (self.most - self.least + 1)

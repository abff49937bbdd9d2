"""Parity: whether the number of ones in a sequence is odd (Bengio, Simard and Frasconi 1994)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradstudy.tasks.two_classes import Law, TwoClasses, check_noise, draw_noise


@dataclass(frozen=True)
class Parity(TwoClasses):
    """Tell at the end of a sequence of 1 and -1 whether the number of ones was odd.

    One input a step, 1 or -1 with probability 1/2 each, plus noise. The target is 1 for an odd number of ones and 0 for
    an even one, the loss the squared error at the last step, and a sequence is right if that error is below 0.1.

    All inputs matter equally, so nothing short can be learnt first. Without seeing the sequence one loses 1/4 and errs
    on half of the sequences; without seeing any one step likewise.

    Source: Bengio, Simard and Frasconi 1994, second-hand: noise uniform on +-0.2, lengths from T/2 to T; the rule, and
    the variant without noise, from Schmidhuber, Hochreiter and Bengio 2001 (lengths from 500 to 600).

    Args:
        noise: half the width of uniform noise, or standard deviation.
        law: of the noise.

    Raises:
        OptionError: a negative noise.
    """

    noise: float = 0.0
    law: Law = "uniform"

    input_size: ClassVar[int] = 1
    tolerance: ClassVar[float] = 0.1
    shortest: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_noise(self, 1, self.noise)

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, 1)` and targets `(1, count, 1)`, float64.

        Raises:
            LengthError: no step.
        """
        self.check(length)
        ones = torch.randint(2, (length, count), generator=generator)
        line = 2.0 * ones.double() - 1
        if self.noise:
            line += draw_noise(self.law, self.noise, (length, count), generator)
        return line[..., None], (ones.sum(0) % 2).double()[None, :, None]

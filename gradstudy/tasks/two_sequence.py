"""The 2-sequence problem: signal and noise on one line (Bengio, Simard and Frasconi 1994; Hochreiter 1997)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradstudy.tasks.two_classes import Law, TwoClasses, check_noise, draw_classes, draw_noise


@dataclass(frozen=True)
class TwoSequence(TwoClasses):
    """Tell at the end of a sequence whether its first steps were 1 or -1; all others are noise on the same line.

    One input a step. The first N are all 1 (class 1) or all -1 (class 2), each with probability 1/2, the others are
    independent noise of mean 0. The target is 1 for class 1 and 0 for class 2, the loss the squared error at the last
    step, and a sequence is right if that error is below 0.2 (1997, whose output was a logistic unit).

    | source | N | noise | on the first N | length |
    |---|---|---|---|---|
    | 1997, task 3a | 1 or 3 | gaussian, variance 0.2 | no | [T, 1.1 T] |
    | 1997, task 3b | 1 or 3 | gaussian, variance 0.2 | yes | [T, 1.1 T] |
    | 1994, second-hand | ? | uniform on +-0.2 | ? | [T/2, T] |

    Without seeing the sequence one loses 1/4 and errs on half of the sequences.

    Source: Hochreiter and Schmidhuber 1997, experiment 3; Bengio, Simard and Frasconi 1994, second-hand.

    Args:
        informative: steps N that tell the class.
        noise: standard deviation, or half the width of uniform noise.
        law: of the noise.
        everywhere: noise is added to the informative steps too.

    Raises:
        OptionError: no informative step, or a negative noise.
    """

    informative: int = 3
    noise: float = math.sqrt(0.2)
    law: Law = "gaussian"
    everywhere: bool = False

    input_size: ClassVar[int] = 1
    tolerance: ClassVar[float] = 0.2

    def __post_init__(self) -> None:
        check_noise(self, self.informative, self.noise)

    @property
    def shortest(self) -> int:
        """The informative steps."""
        return self.informative

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, 1)` and targets `(1, count, 1)`, float64.

        Raises:
            LengthError: fewer than the informative steps.
        """
        self.check(length)
        classes = draw_classes(count, generator)
        line = draw_noise(self.law, self.noise, (length, count), generator)
        if not self.everywhere:
            line[: self.informative] = 0.0
        line[: self.informative] += 2 * classes - 1
        return line[..., None], classes[None, :, None]

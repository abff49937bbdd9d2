"""The minimal latch: hold one bit against noise (Bengio, Simard and Frasconi 1994)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gradstudy.tasks.scoring import Scored
from gradstudy.tasks.task import Likelihood
from gradstudy.tasks.two_classes import Law, check_noise, draw_classes, draw_noise

_TARGET = 0.8


@dataclass(frozen=True)
class Latch(Scored):
    """Hold the class of a sequence, shown in its first steps, through noise to its end.

    The latch itself is one unit, a_t = w tanh(a_{t-1}) + u_t, and what drives it in the first L steps is learnt: u_t =
    h_t^p for class p and t <= L, then zero-mean noise. As a task for any network: inputs 1 to L are one at step t of
    class 0, inputs L + 1 to 2 L at step t of class 1, else zero, and the last input is the noise, which is zero in the
    first L steps. So h are input weights like any other; `input_weights` makes them those of the latch, with 1 for the
    noise.

    The target is +0.8 for class 0 and -0.8 for class 1, each with probability 1/2; the loss is the squared error at the
    last step, for one sequence of each class the paper's half of the sum of both. A sequence counts as right if the
    prediction has the sign of its target: the paper's own rule of convergence is not known here.

    Without seeing the sequence one loses 0.64 and errs on half of the sequences.

    Source: Bengio, Simard and Frasconi 1994, second-hand: L = 3, noise of 0.2, which some read as a variance; its
    comparison of methods has noise uniform on +-0.2.

    Args:
        informative: steps L that show the class.
        noise: standard deviation, or half the width of uniform noise.
        law: of the noise.

    Raises:
        OptionError: no informative step, or a negative noise.
    """

    informative: int = 3
    noise: float = 0.2
    law: Law = "gaussian"

    output_size: ClassVar[int] = 1
    likelihood: ClassVar[Likelihood] = "gaussian"

    def __post_init__(self) -> None:
        check_noise(self, self.informative, self.noise)

    @property
    def input_size(self) -> int:
        """One input a class and informative step, and the noise."""
        return 2 * self.informative + 1

    @property
    def shortest(self) -> int:
        """The informative steps."""
        return self.informative

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, 2 L + 1)` and targets `(1, count, 1)`, float64.

        Raises:
            LengthError: fewer than the informative steps.
        """
        self.check(length)
        inputs = torch.zeros(length, count, self.input_size, dtype=torch.float64)
        classes = draw_classes(count, generator)
        for step in range(self.informative):
            inputs[step, :, step], inputs[step, :, self.informative + step] = 1 - classes, classes
        rest = (length - self.informative, count)
        inputs[self.informative :, :, -1] = draw_noise(self.law, self.noise, rest, generator)
        return inputs, _TARGET * (1 - 2 * classes)[None, :, None]

    def input_weights(self, drives: Tensor) -> Tensor:
        """Input weights `(1, 2 L + 1)` of a unit that h_t^p, `(2, L)`, drives, and then the noise as it is."""
        return torch.cat([drives.flatten(), drives.new_ones(1)])[None]

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences whose prediction has not the sign of the target."""
        return ~((predictions * targets > 0) & predictions.isfinite())[0, :, 0]

    def trivial_loss(self, length: int) -> float:
        """Squared error of 0."""
        return _TARGET**2

    def trivial_error(self, length: int) -> float:
        """1/2, whichever sign is always told."""
        return 0.5

"""Sequences of one of two classes, which is to be told at the end, in noise."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.tasks.scoring import Scored
from gradstudy.tasks.task import Likelihood

Law = Literal["gaussian", "uniform"]


class TwoClasses(Scored):
    """A base for tasks with one output, whose target is 1 for one class and 0 for the other, equally likely."""

    output_size: ClassVar[int] = 1
    likelihood: ClassVar[Likelihood] = "gaussian"
    tolerance: ClassVar[float]

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences whose error is not below the tolerance."""
        return ~((predictions - targets).abs() < self.tolerance)[0, :, 0]

    def trivial_loss(self, length: int) -> float:
        """Squared error of 1/2."""
        return 0.25

    def trivial_error(self, length: int) -> float:
        """1/2, whichever class is always told."""
        return 0.5


def draw_noise(law: Law, scale: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent noise of mean 0, float64.

    Args:
        law: gaussian, or uniform on +-scale.
        scale: standard deviation (gaussian), or half the width (uniform).
        shape: of what is drawn.
        generator: source of the draw.
    """
    if law == "gaussian":
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return scale * (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1)


def draw_classes(count: int, generator: torch.Generator) -> Tensor:
    """`count` classes, 0 or 1 with probability 1/2 each, float64."""
    return torch.randint(2, (count,), generator=generator).double()


def check_noise(task: object, informative: int, noise: float) -> None:
    """Refuse options that leave no class to be told.

    Raises:
        OptionError: no informative step, or a negative noise.
    """
    if informative < 1 or noise < 0:
        raise OptionError(
            repr(task),
            needed="at least one informative step, and noise of 0 or more",
            why="the classes could not be told apart",
            remedy="correct the options",
        )

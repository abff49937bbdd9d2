"""The first symbol: tell at the end of a noisy sequence what stood at its beginning."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gradstudy.tasks.task import Likelihood


@dataclass(frozen=True)
class FirstSymbol:
    """Which of +1 and -1, equally likely, stood at the first step, before noise from N(0, noise^2)?

    One input a step. The simplest task in which something must be kept over the whole of a sequence while inputs go on. Unlike the adding
    problem it asks for the same at a fixed place in every sequence, so that a network with weights of its own at every
    step can solve it as well as a recurrent one. A sequence is wrong if the more likely answer is; a constant answer is
    wrong on half of them and loses log 2 nats.

    Args:
        noise: standard deviation of the later inputs.
    """

    noise: float = 1.0
    input_size: int = 1
    output_size: int = 1

    @property
    def likelihood(self) -> Likelihood:
        """One sigmoid: the probability of +1."""
        return "bernoulli"

    @property
    def shortest(self) -> int:
        """One step."""
        return 1

    def scored(self, length: int) -> slice:
        """The last step."""
        return slice(length - 1, length)

    def draw(self, length: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Sequences `(length, count, 1)` and targets `(1, count, 1)`, 1 for +1 and 0 for -1, float64.

        Raises:
            ValueError: a sequence without a step has no first one.
        """
        if length < self.shortest:
            raise ValueError(f"the first symbol needs at least {self.shortest} step, got {length}")
        inputs = self.noise * torch.randn(length, count, 1, generator=generator, dtype=torch.float64)
        targets = torch.randint(0, 2, (count, 1), generator=generator).double()
        inputs[0] = 2 * targets - 1
        return inputs, targets[None]

    def loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the logit at the last step, in nats, averaged over sequences."""
        return torch.nn.functional.binary_cross_entropy_with_logits(predictions[-1], targets[-1])

    def last_loss(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """E_T, which is the whole loss."""
        return self.loss(predictions, targets)

    def trivial_loss(self) -> float:
        """Of the answer 1/2: log 2."""
        return math.log(2)

    def wrong(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Sequences whose more likely answer is not the target; a logit that is no number is wrong."""
        logit = predictions[-1, :, 0]
        return ~torch.where(targets[-1, :, 0] > 0.5, logit > 0, logit < 0)

    def trivial_error(self) -> float:
        """A constant answer is wrong on half of the sequences."""
        return 0.5

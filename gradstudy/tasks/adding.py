"""The adding problem: two marked numbers of a long sequence (Hochreiter and Schmidhuber 1997; Pascanu 2013)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gradstudy.tasks.marked import Marked


@dataclass(frozen=True)
class Adding(Marked):
    """The mean of the two marked values of a sequence, told at its end.

    Two inputs a step: a value, uniform on [0, 1), and a marker, 1 at two steps and else 0. The first marked step is
    uniform over the first tenth of the sequence, the second over the rest of its first half; so the answer lies at
    least half the sequence back. The target is the *mean* of the two values, which has mean 1/2 and variance 1/24.

    A sequence counts as solved, in the paper, when its *squared* error is at most 0.04, that is |error| <= 0.2 (not
    |error| < 0.04, as in 1997). The constant prediction 1/2 then already solves 1 - (1 - 0.4)^2 = 64 % of the
    sequences, the target's density being a triangle, with a mean squared error of 1/24: judge a network beside it.

    In 1997 the values are uniform on [-1, 1) and the target is 1/2 + a quarter of their sum, with the same triangle as
    density, of which |error| < 0.04 leaves 1/2 a share of 1 - (1 - 0.08)^2 = 15 % (where the first step is marked,
    16 %). See `Marked` for its markers and for what differs from both sources.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code; Hochreiter and Schmidhuber 1997,
    experiment 4.

    Args:
        definition: pascanu2013 or hochreiter1997.
    """

    @property
    def range(self) -> tuple[float, float]:
        """[0, 1); in 1997 [-1, 1)."""
        return (0.0, 1.0) if self.definition == "pascanu2013" else (-1.0, 1.0)

    @property
    def neutral(self) -> float:
        """0."""
        return 0.0

    def combined(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean; in 1997 1/2 + a quarter of the sum."""
        return (first + second) / 2 if self.definition == "pascanu2013" else 0.5 + (first + second) / 4

    def trivial_loss(self, length: int) -> float:
        """Squared error of 1/2: the variance 1/24 of the target; 1/48 where one of the values is 0 (1997)."""
        alone = self.first_marked(length)
        return (1 - alone) / 24 + alone / 48

    def trivial_error(self, length: int) -> float:
        """Error of 1/2: (1 - 0.4)^2; in 1997 (1 - 0.08)^2, or 1 - 0.16 where one of the values is 0."""
        if self.definition == "pascanu2013":
            return 0.6**2
        alone = self.first_marked(length)
        return (1 - alone) * 0.92**2 + alone * 0.84

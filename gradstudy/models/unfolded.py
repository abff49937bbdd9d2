"""Networks of T equal steps with an input at each: recurrent ones, and ones with weights of their own at every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.pascanu import Activation, activate
from gradstudy.models.shared_matrices import Matrices, Sharing, draw_matrices, matrix_sequence


@dataclass(frozen=True, eq=False)
class Unfolded:
    """Networks side by side: a_t = W_t phi(a_{t-1}) + U_t x_t + b_t on pre-activations, from a_0 = 0.

    With one set of weights (`links` = 1) it is used at every step, which makes a recurrent network; with T sets each
    step has its own, which makes a feed-forward network of depth T that is fed at every layer.

    Args:
        recurrent: W, one set or T.
        input: U.
        bias: b.
        activation: phi.
    """

    recurrent: Float[Tensor, "links count n n"]
    input: Float[Tensor, "links count n inputs"]
    bias: Float[Tensor, "links count n"]
    activation: Activation = "tanh"

    @property
    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, U and b."""
        return self.recurrent, self.input, self.bias

    def at(self, step: int) -> int:
        """Index of the weights that lead from a_{t-1} to a_t, t = 1 .. T."""
        return (step - 1) % len(self.recurrent)

    def states(self, inputs: Float[Tensor, "time count rows inputs"]) -> list[Float[Tensor, "count rows n"]]:
        """a_0 .. a_T."""
        # What the inputs do is one product for all steps; tied weights are broadcast over them.
        drive = inputs @ self.input.mT + self.bias[:, :, None, :]
        recurrent = self.recurrent.unbind(0)
        found = [inputs.new_zeros(drive.shape[1:])]
        for step, at in enumerate(drive.unbind(0), start=1):
            found.append(torch.baddbmm(at, activate(self.activation, found[-1]), recurrent[self.at(step)].mT))
        return found


@dataclass(frozen=True)
class Design:
    """What drawn networks have in common.

    Args:
        matrices: how W is drawn.
        length: steps T.
        inputs: a step.
        drive: standard deviation of a unit's share of U x for inputs of variance 1: U has entries N(0, drive^2/inputs).
    """

    matrices: Matrices
    length: int
    inputs: int = 1
    drive: float = 1.0


def draw_unfolded(design: Design, sharing: Sharing, count: int, stream: torch.Generator) -> Unfolded:
    """Networks of a design, float64, biases 0; tied and independent ones of one stream have the same W_1."""
    links = 1 if sharing == "tied" else design.length
    size = (links, count, design.matrices.width, design.inputs)
    recurrent = torch.empty(*size[:3], design.matrices.width, dtype=torch.float64)
    for at, weight in zip(recurrent, matrix_sequence(design.matrices, sharing, count, stream), strict=False):
        at.copy_(weight)
    entrance = torch.randn(size, generator=stream, dtype=torch.float64) * (design.drive / math.sqrt(design.inputs))
    return Unfolded(recurrent, entrance, torch.zeros(size[:3], dtype=torch.float64))


def isometries(rates: Sequence[float], design: Design, stream: torch.Generator) -> Unfolded:
    """Linear networks, one a rate, whose gradient norm changes by exactly e^rate at every step: what controls plant."""
    width = design.matrices.width
    scale = torch.tensor(rates, dtype=torch.float64).exp()[:, None, None]
    recurrent = scale * draw_matrices(Matrices(width, "orthogonal"), len(rates), stream)
    entrance = torch.zeros(1, len(rates), width, design.inputs, dtype=torch.float64)
    return Unfolded(recurrent[None], entrance, torch.zeros(1, len(rates), width, dtype=torch.float64), "linear")

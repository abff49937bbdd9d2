"""A population unrolled through time: memory for a pass there and back, used again at every update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from gradstudy.training.population import Population, Shape

# Steps whose gradients at the weights are summed at once on the way back: few enough to stay in the cache.
PIECE = 10


class StepViews(NamedTuple):
    """Views of the tensors of an `Unrolled`, one a step."""

    driven: tuple[Tensor, ...]
    hidden: tuple[Tensor, ...]
    delta: tuple[Tensor, ...]
    gradient: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Unrolled(ABC):
    """States and gradients of one pass of many members, each on its own sequences.

    What goes into a product over many steps lies member by member, what comes out of one step's product lies step by
    step: so batched products take and give their operands without copies.

    Args:
        shape: of the members.
        driven: u_t = (h_{t-1}, x_t, 1) at place t - 1, t = 1 .. T + 1, `(members, T + 1, batch, K)`; x_{T+1} is unused.
        delta: gradient at A u_t, of one piece of steps at a time, `(members, steps a piece, batch, G H)`.
        state_gradient: dL/dh_t, t = 0 .. T, `(T + 1, members, batch, H)`.
    """

    shape: Shape
    driven: Tensor
    delta: Tensor
    state_gradient: Tensor

    @classmethod
    def empty(cls, shape: Shape, size: tuple[int, int, int], dtype: torch.dtype) -> Self:
        """Memory for (members, length, batch), states at 0."""
        members, length, batch = size
        driven = torch.zeros(members, length + 1, batch, shape.width, dtype=dtype)
        driven[..., -1] = 1.0
        delta = torch.empty(members, PIECE, batch, shape.rows, dtype=dtype)
        return cls(shape, driven, delta, torch.empty(length + 1, members, batch, shape.hidden, dtype=dtype))

    def part(self, members: int, length: int) -> Self:
        """The same memory for fewer members or steps; this itself where they are as many."""
        return self if (members, length) == (self.state_gradient.shape[1], self.length) else self._part(members, length)

    def _part(self, members: int, length: int) -> Self:
        return replace(
            self,
            driven=self.driven[:members, : length + 1],
            delta=self.delta[:members],
            state_gradient=self.state_gradient[: length + 1, :members],
        )

    def drive(self, inputs: Tensor) -> None:
        """Put in what drives the networks, `(members, T, batch, I)`."""
        self.driven[:, :-1, :, self.shape.hidden : -1] = inputs

    @property
    def length(self) -> int:
        """T."""
        return len(self.state_gradient) - 1

    @property
    def hidden(self) -> Tensor:
        """h_t, t = 0 .. T, `(members, T + 1, batch, H)`, a view."""
        return self.driven[..., : self.shape.hidden]

    @cached_property
    def by_step(self) -> StepViews:
        """Views of each step, made once: making them anew would take a tenth of an update's time."""
        return StepViews(
            self.driven.unbind(1), self.hidden.unbind(1), self.delta.unbind(1), self.state_gradient.unbind(0)
        )

    @abstractmethod
    def forward(self, population: Population) -> None:
        """States h_1 .. h_T from those at place 0."""

    @abstractmethod
    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """`state_gradient`, and dL/dA = sum over t of delta_t^T u_t, after `forward`.

        Args:
            population: as in `forward`.
            direct: by t, what the loss loses at h_t but not through h_{t+1}, `(members, batch, H)`.

        Returns:
            dL/dA, `(members, G H, K)`.
        """

    def begin_backward(self, direct: Mapping[int, Tensor]) -> None:
        """dL/dh_T, which only the loss at h_T itself makes."""
        if self.length in direct:
            self.state_gradient[-1] = direct[self.length]
        else:
            self.state_gradient[-1] = 0

    def carry(self) -> None:
        """Go on from the last state."""
        self.driven[:, 0, :, : self.shape.hidden] = self.hidden[:, -1]

    def add_weight_gradient(self, total: Tensor, piece: slice) -> None:
        """Add what the steps of a piece give to dL/dA."""
        total.baddbmm_(self.delta_of(piece).mT, self.driven[:, piece].flatten(1, 2))

    def delta_of(self, piece: slice) -> Tensor:
        """`delta` of a piece, `(members, steps x batch, rows)`."""
        return self.delta[:, : piece.stop - piece.start].flatten(1, 2)


def pieces(length: int) -> list[slice]:
    """The steps 0 .. length - 1 in pieces that fit the cache, last first."""
    return [slice(max(stop - PIECE, 0), stop) for stop in range(length, 0, -PIECE)]

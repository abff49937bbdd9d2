"""A population unrolled through time: memory for a pass there and back, used again at every update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from gradstudy.training.population import Population, Shape

Steps = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Unrolled(ABC):
    """States and gradients of one pass of many members, each on its own sequences.

    Everything lies step by step, member by member, and a sequence is a column: so a block of units is one stretch of
    memory a member, whatever is done to it, and a step is one batched product without copies.

    Args:
        shape: of the members.
        driven: u_t = (h_{t-1}, x_t, 1) at place t - 1, t = 1 .. T + 1, `(T + 1, members, K, batch)`; x_{T+1} is unused.
        state_gradient: dL/dh_t, t = 0 .. T, `(T + 1, members, H, batch)`.
        delta: gradient at A u_t, of one step, `(members, G H, batch)`.
    """

    shape: Shape
    driven: Tensor
    state_gradient: Tensor
    delta: Tensor

    @classmethod
    def empty(cls, shape: Shape, size: tuple[int, int, int], dtype: torch.dtype) -> Self:
        """Memory for (members, length, batch), states at 0."""
        members, length, batch = size
        driven = torch.zeros(length + 1, members, shape.width, batch, dtype=dtype)
        driven[:, :, -1] = 1.0
        gradient = torch.empty(length + 1, members, shape.hidden, batch, dtype=dtype)
        return cls(shape, driven, gradient, torch.empty(members, shape.rows, batch, dtype=dtype))

    def part(self, members: int, length: int) -> Self:
        """The same memory for fewer members or steps; this itself where they are as many."""
        whole = (members, length) == (self.driven.shape[1], self.length)
        return self if whole else self._part(members, length)

    def _part(self, members: int, length: int) -> Self:
        return replace(
            self,
            driven=self.driven[: length + 1, :members],
            state_gradient=self.state_gradient[: length + 1, :members],
            delta=self.delta[:members],
        )

    def drive(self, inputs: Tensor) -> None:
        """Put in what drives the networks, `(members, T, batch, I)`."""
        self.driven[:-1, :, self.shape.hidden : -1] = inputs.permute(1, 0, 3, 2)

    @property
    def length(self) -> int:
        """T."""
        return len(self.driven) - 1

    @property
    def hidden(self) -> Tensor:
        """h_t, t = 0 .. T, `(T + 1, members, H, batch)`, a view."""
        return self.driven[:, :, : self.shape.hidden]

    @cached_property
    def by_step(self) -> tuple[Steps, Steps, Steps]:
        """`driven`, `hidden` and `state_gradient` step by step; making them anew takes a tenth of an update's time."""
        return self.driven.unbind(), self.hidden.unbind(), self.state_gradient.unbind()

    @abstractmethod
    def forward(self, population: Population) -> None:
        """States h_1 .. h_T from those at place 0."""

    @abstractmethod
    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """`state_gradient`, and dL/dA = sum over t of delta_t u_t^T, after `forward`.

        Args:
            population: as in `forward`.
            direct: by t, what the loss loses at h_t but not through h_{t+1}, `(members, H, batch)`.

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
        self.hidden[0] = self.hidden[-1]

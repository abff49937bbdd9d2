"""GRUs through time: h_t = (1 - z) n + z h_{t-1}, n = tanh(W_in x_t + b + r (W_hn h_{t-1}))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from gradstudy.training.population import Population, Shape
from gradstudy.training.unrolled import PIECE, Unrolled, pieces

_aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class GRU(Unrolled):
    """Gates r and z (sigmoids) and what the candidate n takes from the state and from the input.

    `delta` has a fourth block here: gradients at r, z, W_hn h_{t-1} and W_in x_t + b, `(members, steps a piece, batch,
    4 H)`.

    Args:
        gates: r, z and W_hn h_{t-1} at t = 1 .. T, `(T, members, batch, 3 H)`.
        candidates: n at t = 1 .. T, `(T, members, batch, H)`.
    """

    gates: Tensor = field(default_factory=Tensor)
    candidates: Tensor = field(default_factory=Tensor)

    @classmethod
    def empty(cls, shape: Shape, size: tuple[int, int, int], dtype: torch.dtype) -> Self:
        """Memory for (members, length, batch), states at 0."""
        members, length, batch = size
        return replace(
            super().empty(shape, size, dtype),
            delta=torch.empty(members, PIECE, batch, 4 * shape.hidden, dtype=dtype),
            gates=torch.empty(length, members, batch, 3 * shape.hidden, dtype=dtype),
            candidates=torch.empty(length, members, batch, shape.hidden, dtype=dtype),
        )

    def _part(self, members: int, length: int) -> Self:
        return replace(
            super()._part(members, length),
            gates=self.gates[:length, :members],
            candidates=self.candidates[:length, :members],
        )

    @cached_property
    def by_gate(self) -> list[tuple[Tensor, ...]]:
        """Views of each step: r, z, W_hn h, all three, the two sigmoids, n, (x_t, 1)."""
        hidden = self.shape.hidden
        gates = [*self.gates.split(hidden, dim=-1), self.gates, self.gates[..., : 2 * hidden]]
        return [*(tensor.unbind(0) for tensor in (*gates, self.candidates)), self.driven[..., hidden:].unbind(1)]

    @cached_property
    def by_block(self) -> list[tuple[Tensor, ...]]:
        """Views of each step of a piece: `delta` as `(members, batch, 4, H)`, and without its fourth block."""
        hidden = self.shape.hidden
        return [self.delta.unflatten(-1, (4, hidden)).unbind(1), self.delta[..., : 3 * hidden].unbind(1)]

    def forward(self, population: Population) -> None:
        """States h_1 .. h_T from those at place 0."""
        hidden, weight = self.shape.hidden, population.recurrent.mT.contiguous()
        by_input = weight[:, hidden:, 2 * hidden :].clone()
        weight[:, hidden:, 2 * hidden :] = 0
        driven, h = self.by_step.driven, self.by_step.hidden
        r, z, by_state, gates, sigmoids, candidates, inputs = self.by_gate
        for t in range(self.length):
            torch.bmm(driven[t], weight, out=gates[t])
            torch.bmm(inputs[t], by_input, out=candidates[t])
            sigmoids[t].sigmoid_()
            candidates[t].addcmul_(r[t], by_state[t]).tanh_()
            torch.lerp(candidates[t], h[t], z[t], out=h[t + 1])

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """All gradients at step t are dL/dh_t times factors of the states; W_hh and z carry it back to h_{t-1}."""
        weight_hh, total = population.weight_hh.contiguous(), torch.zeros_like(population.recurrent)
        (delta, through_weights), gradient, z = self.by_block, self.by_step.gradient, self.by_gate[1]
        self.begin_backward(direct)
        for piece in pieces(self.length):
            self._factors(piece)
            for t in reversed(range(piece.start, piece.stop)):
                delta[t - piece.start].mul_(gradient[t + 1][:, :, None])
                torch.mul(gradient[t + 1], z[t], out=gradient[t])
                gradient[t].baddbmm_(through_weights[t - piece.start], weight_hh)
                if t in direct:
                    gradient[t].add_(direct[t])
            self.add_weight_gradient(total, piece)
        return total

    def add_weight_gradient(self, total: Tensor, piece: slice) -> None:
        """Add what a piece gives to dL/dA; the candidate's columns of x_t and b have a delta of their own."""
        hidden, driven, delta = self.shape.hidden, self.driven[:, piece].flatten(1, 2), self.delta_of(piece)
        total[:, : 2 * hidden] += torch.bmm(delta[..., : 2 * hidden].mT, driven)
        total[:, 2 * hidden :, :hidden] += torch.bmm(delta[..., 2 * hidden : 3 * hidden].mT, driven[..., :hidden])
        total[:, 2 * hidden :, hidden:] += torch.bmm(delta[..., 3 * hidden :].mT, driven[..., hidden:])

    def _factors(self, piece: slice) -> None:
        """What dL/dh_t is to be multiplied by, into `delta`."""
        hidden, n = self.shape.hidden, self.candidates[piece]
        r, z, by_state = self.gates[piece].split(hidden, dim=-1)
        delta = self.delta[:, : len(n)].transpose(0, 1)
        at_r, at_z, at_state, at_input = delta.split(hidden, dim=-1)
        _aten.tanh_backward.grad_input(1 - z, n, grad_input=at_input)
        torch.mul(at_input, r, out=at_state)
        _aten.sigmoid_backward.grad_input(at_input * by_state, r, grad_input=at_r)
        _aten.sigmoid_backward.grad_input(self.hidden[:, :-1][:, piece].transpose(0, 1) - n, z, grad_input=at_z)

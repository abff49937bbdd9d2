"""LSTMs through time: h_t = o tanh(c_t), c_t = f c_{t-1} + i g."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from gradstudy.training.population import Population, Shape
from gradstudy.training.unrolled import Unrolled, pieces

_aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class LSTM(Unrolled):
    """Gates o, i, f (sigmoids) and candidate g (tanh) of A u_t, in this order.

    Args:
        gates: o, i, f, g at t = 1 .. T, `(T, members, batch, 4 H)`.
        cells: c_t, t = 0 .. T, `(T + 1, members, batch, H)`.
        squashed: tanh(c_t), t = 1 .. T, `(T, members, batch, H)`; after `backward` o (1 - tanh(c_t)^2).
    """

    gates: Tensor = field(default_factory=Tensor)
    cells: Tensor = field(default_factory=Tensor)
    squashed: Tensor = field(default_factory=Tensor)

    @classmethod
    def empty(cls, shape: Shape, size: tuple[int, int, int], dtype: torch.dtype) -> Self:
        """Memory for (members, length, batch), states at 0."""
        members, length, batch = size
        return replace(
            super().empty(shape, size, dtype),
            gates=torch.empty(length, members, batch, 4 * shape.hidden, dtype=dtype),
            cells=torch.zeros(length + 1, members, batch, shape.hidden, dtype=dtype),
            squashed=torch.empty(length, members, batch, shape.hidden, dtype=dtype),
        )

    def _part(self, members: int, length: int) -> Self:
        return replace(
            super()._part(members, length),
            gates=self.gates[:length, :members],
            cells=self.cells[: length + 1, :members],
            squashed=self.squashed[:length, :members],
        )

    def carry(self) -> None:
        """Go on from the last state."""
        super().carry()
        self.cells[0] = self.cells[-1]

    @cached_property
    def by_gate(self) -> list[tuple[Tensor, ...]]:
        """Views of each step: o, i, f, g, all four, the three sigmoids, c, tanh(c)."""
        hidden = self.shape.hidden
        gates = [*self.gates.split(hidden, dim=-1), self.gates, self.gates[..., : 3 * hidden]]
        return [tensor.unbind(0) for tensor in (*gates, self.cells, self.squashed)]

    @cached_property
    def by_block(self) -> list[tuple[Tensor, ...]]:
        """Views of each step of a piece: the part of `delta` at o, and that at i, f, g, `(members, batch, 3, H)`."""
        blocks = self.delta.unflatten(-1, (4, self.shape.hidden))
        return [blocks[..., 0, :].unbind(1), blocks[..., 1:, :].unbind(1)]

    def forward(self, population: Population) -> None:
        """States h_1 .. h_T and c_1 .. c_T from those at place 0."""
        weight, views = population.recurrent.mT.contiguous(), self.by_step
        driven, h = views.driven, views.hidden
        o, i, f, g, gates, sigmoids, cells, squashed = self.by_gate
        for t in range(self.length):
            torch.bmm(driven[t], weight, out=gates[t])
            sigmoids[t].sigmoid_()
            g[t].tanh_()
            torch.mul(f[t], cells[t], out=cells[t + 1]).addcmul_(i[t], g[t])
            torch.tanh(cells[t + 1], out=squashed[t])
            torch.mul(o[t], squashed[t], out=h[t + 1])

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """dL/dc_t = f_{t+1} dL/dc_{t+1} + o (1 - tanh(c_t)^2) dL/dh_t, and from both the gradients at the gates."""
        weight_hh, total = population.weight_hh.contiguous(), torch.zeros_like(population.recurrent)
        cell = torch.zeros_like(self.cells[0])
        (_, _, delta, gradient), (by_state, by_cell) = self.by_step, self.by_block
        _, _, forget, _, _, _, _, opening = self.by_gate
        self.begin_backward(direct)
        for piece in pieces(self.length):
            self._factors(piece)
            for t in reversed(range(piece.start, piece.stop)):
                place = t - piece.start
                cell.addcmul_(gradient[t + 1], opening[t])
                by_state[place].mul_(gradient[t + 1])
                by_cell[place].mul_(cell[:, :, None])
                cell.mul_(forget[t])
                if t in direct:
                    torch.baddbmm(direct[t], delta[place], weight_hh, out=gradient[t])
                else:
                    torch.bmm(delta[place], weight_hh, out=gradient[t])
            self.add_weight_gradient(total, piece)
        return total

    def _factors(self, piece: slice) -> None:
        """What dL/dh_t (o) and dL/dc_t (i, f, g) are to be multiplied by, into `delta`; and o (1 - tanh(c_t)^2)."""
        hidden, squashed = self.shape.hidden, self.squashed[piece]
        o, i, f, g = self.gates[piece].split(hidden, dim=-1)
        delta = self.delta[:, : len(squashed)].transpose(0, 1)
        at_o, at_i, at_f, at_g = delta.split(hidden, dim=-1)
        _aten.sigmoid_backward.grad_input(squashed, o, grad_input=at_o)
        _aten.sigmoid_backward.grad_input(g, i, grad_input=at_i)
        _aten.sigmoid_backward.grad_input(self.cells[:-1][piece], f, grad_input=at_f)
        _aten.tanh_backward.grad_input(i, g, grad_input=at_g)
        _aten.tanh_backward.grad_input(o, squashed, grad_input=squashed)

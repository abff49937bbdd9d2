"""LSTMs through time: h_t = o tanh(c_t), c_t = f c_{t-1} + i g."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from gradstudy.training.population import Population, Shape
from gradstudy.training.unrolled import Steps, Unrolled

_tanh_back, _sigmoid_back = torch.ops.aten.tanh_backward.grad_input, torch.ops.aten.sigmoid_backward.grad_input


@dataclass(frozen=True, eq=False)
class LSTM(Unrolled):
    """Gates o, i, f (sigmoids) and candidate g (tanh) of A u_t, in this order.

    Args:
        gates: o, i, f, g at t = 1 .. T, `(T, members, 4 H, batch)`.
        cells: c_t, t = 0 .. T, `(T + 1, members, H, batch)`.
        squashed: tanh(c_t), t = 1 .. T, `(T, members, H, batch)`; after `backward` o (1 - tanh(c_t)^2).
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
            gates=torch.empty(length, members, 4 * shape.hidden, batch, dtype=dtype),
            cells=torch.zeros(length + 1, members, shape.hidden, batch, dtype=dtype),
            squashed=torch.empty(length, members, shape.hidden, batch, dtype=dtype),
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
    def by_gate(self) -> tuple[Steps, ...]:
        """o, i, f, g, all four, the three sigmoids, c and tanh(c), step by step."""
        blocks = self.gates.split(self.shape.hidden, dim=2)
        sigmoids = self.gates[:, :, : 3 * self.shape.hidden]
        return tuple(tensor.unbind() for tensor in (*blocks, self.gates, sigmoids, self.cells, self.squashed))

    def forward(self, population: Population) -> None:
        """States h_1 .. h_T and c_1 .. c_T from those at place 0."""
        weight, (driven, hidden, _) = population.recurrent.contiguous(), self.by_step
        o, i, f, g, gates, sigmoids, cells, squashed = self.by_gate
        for t in range(self.length):
            torch.bmm(weight, driven[t], out=gates[t])
            sigmoids[t].sigmoid_()
            g[t].tanh_()
            torch.mul(f[t], cells[t], out=cells[t + 1]).addcmul_(i[t], g[t])
            torch.tanh(cells[t + 1], out=squashed[t])
            torch.mul(o[t], squashed[t], out=hidden[t + 1])

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """dL/dc_t = f_{t+1} dL/dc_{t+1} + o (1 - tanh(c_t)^2) dL/dh_t, and from both the gradients at the gates."""
        delta, back, (driven, _, gradient) = self.delta, population.weight_hh.mT.contiguous(), self.by_step
        o, i, f, g, _, _, cells, squashed = self.by_gate
        total, by_cell = torch.zeros_like(population.recurrent), torch.zeros_like(self.cells[0])
        blocks = delta.unflatten(1, (4, self.shape.hidden))
        (at_o, at_i, at_f, at_g), through_cell = blocks.unbind(1), blocks[:, 1:]
        self.begin_backward(direct)
        for t in reversed(range(self.length)):
            _sigmoid_back(squashed[t], o[t], grad_input=at_o).mul_(gradient[t + 1])
            _tanh_back(o[t], squashed[t], grad_input=squashed[t])
            by_cell.addcmul_(gradient[t + 1], squashed[t])
            _sigmoid_back(g[t], i[t], grad_input=at_i)
            _sigmoid_back(cells[t], f[t], grad_input=at_f)
            _tanh_back(i[t], g[t], grad_input=at_g)
            through_cell.mul_(by_cell[:, None])
            by_cell.mul_(f[t])
            torch.bmm(back, delta, out=gradient[t])
            if t in direct:
                gradient[t].add_(direct[t])
            total.baddbmm_(delta, driven[t].mT)
        return total

"""GRUs through time: h_t = (1 - z) n + z h_{t-1}, n = tanh(W_in x_t + b + r (W_hn h_{t-1}))."""

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
class GRU(Unrolled):
    """Gates r and z (sigmoids) and what the candidate n takes from the state and from the input.

    `delta` has a fourth block here: gradients at r, z, W_hn h_{t-1} and W_in x_t + b, `(members, 4 H, batch)`.

    Args:
        gates: r, z and W_hn h_{t-1} at t = 1 .. T, `(T, members, 3 H, batch)`.
        candidates: n at t = 1 .. T, `(T, members, H, batch)`.
    """

    gates: Tensor = field(default_factory=Tensor)
    candidates: Tensor = field(default_factory=Tensor)

    @classmethod
    def empty(cls, shape: Shape, size: tuple[int, int, int], dtype: torch.dtype) -> Self:
        """Memory for (members, length, batch), states at 0."""
        members, length, batch = size
        return replace(
            super().empty(shape, size, dtype),
            delta=torch.empty(members, 4 * shape.hidden, batch, dtype=dtype),
            gates=torch.empty(length, members, 3 * shape.hidden, batch, dtype=dtype),
            candidates=torch.empty(length, members, shape.hidden, batch, dtype=dtype),
        )

    def _part(self, members: int, length: int) -> Self:
        return replace(
            super()._part(members, length),
            gates=self.gates[:length, :members],
            candidates=self.candidates[:length, :members],
        )

    @cached_property
    def by_gate(self) -> tuple[Steps, ...]:
        """r, z, W_hn h, all three, the two sigmoids, n and (x_t, 1), step by step."""
        hidden = self.shape.hidden
        blocks, sigmoids = self.gates.split(hidden, dim=2), self.gates[:, :, : 2 * hidden]
        whole = (*blocks, self.gates, sigmoids, self.candidates, self.driven[:, :, hidden:])
        return tuple(tensor.unbind() for tensor in whole)

    def forward(self, population: Population) -> None:
        """States h_1 .. h_T from those at place 0."""
        hidden, weight = self.shape.hidden, population.recurrent.clone(memory_format=torch.contiguous_format)
        by_input = weight[:, 2 * hidden :, hidden:].clone()
        weight[:, 2 * hidden :, hidden:] = 0
        driven, h, _ = self.by_step
        r, z, by_state, gates, sigmoids, candidates, inputs = self.by_gate
        for t in range(self.length):
            torch.bmm(weight, driven[t], out=gates[t])
            torch.bmm(by_input, inputs[t], out=candidates[t])
            sigmoids[t].sigmoid_()
            candidates[t].addcmul_(r[t], by_state[t]).tanh_()
            torch.lerp(candidates[t], h[t], z[t], out=h[t + 1])

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """All gradients at step t are dL/dh_t times factors of the states; W_hh and z carry it back to h_{t-1}."""
        hidden, back, delta = self.shape.hidden, population.weight_hh.mT.contiguous(), self.delta
        (driven, h, gradient), (r, z, by_state, _, _, n, _) = self.by_step, self.by_gate
        total = delta.new_zeros(len(delta), 4 * hidden, self.shape.width)
        blocks, through_weights = delta.unflatten(1, (4, hidden)), delta[:, : 3 * hidden]
        at_r, at_z, at_state, at_input = blocks.unbind(1)
        self.begin_backward(direct)
        for t in reversed(range(self.length)):
            _tanh_back(1 - z[t], n[t], grad_input=at_input)
            torch.mul(at_input, r[t], out=at_state)
            _sigmoid_back(at_input * by_state[t], r[t], grad_input=at_r)
            _sigmoid_back(h[t] - n[t], z[t], grad_input=at_z)
            blocks.mul_(gradient[t + 1][:, None])
            torch.mul(gradient[t + 1], z[t], out=gradient[t]).baddbmm_(back, through_weights)
            if t in direct:
                gradient[t].add_(direct[t])
            total.baddbmm_(delta, driven[t].mT)
        # The candidate's columns of x_t and b have a block of their own.
        total[:, 2 * hidden : 3 * hidden, hidden:] = total[:, 3 * hidden :, hidden:]
        return total[:, : 3 * hidden]

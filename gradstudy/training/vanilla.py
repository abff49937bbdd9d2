"""Networks without gates through time: h_t = phi(A u_t)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from gradstudy.training.population import Cell, Population
from gradstudy.training.unrolled import Unrolled

_PHI: Mapping[str, Callable[..., Tensor]] = {
    "tanh": torch.tanh,
    "relu": partial(torch.clamp, min=0),
    "sigmoid": torch.sigmoid,
}
_aten = torch.ops.aten


def through_nonlinearity(cell: Cell, gradient: Tensor, h: Tensor, out: Tensor) -> Tensor:
    """phi'(h_t) dL/dh_t into `out`, phi' told by h_t; phi'(0) = 0 for relu as in torch."""
    if cell == "relu":
        return _aten.threshold_backward.grad_input(gradient, h, 0, grad_input=out)
    back = _aten.tanh_backward if cell == "tanh" else _aten.sigmoid_backward
    return back.grad_input(gradient, h, grad_input=out)


class Vanilla(Unrolled):
    """h_t = phi(A u_t), phi = tanh, relu or sigmoid."""

    def forward(self, population: Population) -> None:
        """States h_1 .. h_T from those at place 0."""
        phi, weight = _PHI[self.shape.cell], population.recurrent.contiguous()
        driven, hidden, _ = self.by_step
        for t in range(self.length):
            phi(torch.bmm(weight, driven[t], out=self.delta), out=hidden[t + 1])

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """delta_t = phi'(h_t) dL/dh_t, dL/dh_{t-1} = W_hh^T delta_t + what is lost there directly."""
        cell, delta, back = self.shape.cell, self.delta, population.weight_hh.mT.contiguous()
        driven, hidden, gradient = self.by_step
        total = torch.zeros_like(population.recurrent)
        self.begin_backward(direct)
        for t in reversed(range(self.length)):
            through_nonlinearity(cell, gradient[t + 1], hidden[t + 1], delta)
            torch.bmm(back, delta, out=gradient[t])
            if t in direct:
                gradient[t].add_(direct[t])
            total.baddbmm_(delta, driven[t].mT)
        return total

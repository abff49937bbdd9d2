"""Networks without gates through time: h_t = phi(A u_t)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from gradstudy.training.population import Cell, Population
from gradstudy.training.unrolled import Unrolled, pieces

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
        phi = _PHI[self.shape.cell]
        weight = population.recurrent.mT.contiguous()
        summed = torch.empty_like(self.state_gradient[0])
        views = self.by_step
        for driven, following in zip(views.driven[:-1], views.hidden[1:], strict=True):
            torch.bmm(driven, weight, out=summed)
            phi(summed, out=following)

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """delta_t = phi'(h_t) dL/dh_t, dL/dh_{t-1} = delta_t W_hh + what is lost there directly."""
        cell, weight_hh = self.shape.cell, population.weight_hh.contiguous()
        total = torch.zeros_like(population.recurrent)
        _, hidden, delta, gradient = self.by_step
        self.begin_backward(direct)
        for piece in pieces(self.length):
            for t in reversed(range(piece.start, piece.stop)):
                through_nonlinearity(cell, gradient[t + 1], hidden[t + 1], delta[t - piece.start])
                if t in direct:
                    torch.baddbmm(direct[t], delta[t - piece.start], weight_hh, out=gradient[t])
                else:
                    torch.bmm(delta[t - piece.start], weight_hh, out=gradient[t])
            self.add_weight_gradient(total, piece)
        return total

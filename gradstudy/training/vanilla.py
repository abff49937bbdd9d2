"""Networks without gates through time: h_t = phi(A u_t)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from gradstudy.training.population import Population
from gradstudy.training.unrolled import Unrolled, pieces

_PHI: Mapping[str, Callable[..., Tensor]] = {
    "tanh": torch.tanh,
    "relu": partial(torch.clamp, min=0),
    "sigmoid": torch.sigmoid,
}
_aten = torch.ops.aten


def _tanh_back(gradient: Tensor, h: Tensor, out: Tensor) -> None:
    _aten.tanh_backward.grad_input(gradient, h, grad_input=out)


def _sigmoid_back(gradient: Tensor, h: Tensor, out: Tensor) -> None:
    _aten.sigmoid_backward.grad_input(gradient, h, grad_input=out)


def _relu_back(gradient: Tensor, h: Tensor, out: Tensor) -> None:
    _aten.threshold_backward.grad_input(gradient, h, 0, grad_input=out)


_BACK = {"tanh": _tanh_back, "sigmoid": _sigmoid_back, "relu": _relu_back}


class Vanilla(Unrolled):
    """h_t = phi(A u_t), phi = tanh, relu or sigmoid; phi'(0) = 0 for relu as in torch."""

    def forward(self, population: Population) -> None:
        """States h_1 .. h_T from those at place 0."""
        phi = _PHI[self.shape.cell]
        weight = population.recurrent.mT.contiguous()
        summed = torch.empty_like(self.state_gradient[0])
        for driven, following in zip(self.driven.unbind(1)[:-1], self.hidden.unbind(1)[1:], strict=True):
            torch.bmm(driven, weight, out=summed)
            phi(summed, out=following)

    def backward(self, population: Population, direct: Mapping[int, Tensor]) -> Tensor:
        """delta_t = phi'(h_t) dL/dh_t, dL/dh_{t-1} = delta_t W_hh + what is lost there directly."""
        back, weight_hh = _BACK[self.shape.cell], population.weight_hh.contiguous()
        total = torch.zeros_like(population.recurrent)
        hidden, delta, gradient = self.hidden.unbind(1), self.delta.unbind(1), self.state_gradient.unbind(0)
        self.begin_backward(direct)
        for piece in pieces(self.length):
            for t in reversed(range(piece.start, piece.stop)):
                back(gradient[t + 1], hidden[t + 1], delta[t - piece.start])
                if t in direct:
                    torch.baddbmm(direct[t], delta[t - piece.start], weight_hh, out=gradient[t])
                else:
                    torch.bmm(delta[t - piece.start], weight_hh, out=gradient[t])
            self.add_weight_gradient(total, piece)
        return total

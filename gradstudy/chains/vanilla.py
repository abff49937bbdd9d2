"""Links of vanilla recurrent networks, whose state is the activation or the pre-activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gradstudy.chains.closed_form import ClosedFormLinks, at_link, fresh


@dataclass(frozen=True, eq=False)
class VanillaLinks(ClosedFormLinks):
    """h_t = phi(W h_{t-1} + ...): J_t = diag(phi') W.

    Args:
        weight: W, `(H, H)`.
        before: h_{t-1}, `(T, batch, H)`.
        after: h_t, `(T, batch, H)`; phi' follows from it: 1 - h^2 for tanh, 1 where h > 0 for relu (0 at 0, as in
            torch).
        activation: of the layer.
    """

    after: Tensor
    activation: Literal["tanh", "relu"]

    def _slopes(self, t: int) -> Tensor:
        return self._slope(self.after[t - 1])

    def _slope(self, hidden: Tensor) -> Tensor:
        return 1 - hidden * hidden if self.activation == "tanh" else (hidden > 0).to(hidden.dtype)

    def _push(self, t: int, rows: Tensor) -> Tensor:
        slopes = self._slopes(t)
        return (slopes if rows.dim() == 2 else slopes[:, None]) * (rows @ self.weight.T)

    def _pull(self, t: int, rows: Tensor) -> Tensor:
        return self.deltas(t, rows) @ self.weight

    def deltas(self, t: int, rows: Tensor) -> Tensor:
        """phi' u."""
        slopes = self._slopes(t)
        return (slopes if rows.dim() == 2 else slopes[:, None]) * rows

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop."""
        slopes = self._slope(self.after[start:stop])[..., None]
        return torch.mul(slopes, self.weight, out=fresh((*slopes.shape[:-1], self.weight.shape[1]), slopes))

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i], in two operations a link."""
        delta, weight = torch.empty_like(totals[0]), self.weight
        hidden, rows = self.after[start : start + len(totals) - 1].unbind(0), totals.unbind(0)
        for i in range(len(rows) - 1, 0, -1):
            if self.activation == "tanh":
                torch.ops.aten.tanh_backward.grad_input(rows[i], hidden[i - 1], grad_input=delta)
            else:
                torch.ops.aten.threshold_backward.grad_input(rows[i], hidden[i - 1], 0, grad_input=delta)
            rows[i - 1].addmm_(delta, weight)


@dataclass(frozen=True, eq=False)
class PreActivationLinks(ClosedFormLinks):
    """x_t = W phi(x_{t-1}) + ... (Pascanu et al. 2013, Eq. 2): J_t = W diag(phi').

    Args:
        weight: W, `(n, n)`.
        before: phi(x_{t-1}), `(T, batch, n)`.
        slopes: phi'(x_{t-1}), `(T, batch, n)`.
    """

    slopes: Tensor

    def _push(self, t: int, rows: Tensor) -> Tensor:
        return (at_link(t, self.slopes, rows) * rows) @ self.weight.T

    def _pull(self, t: int, rows: Tensor) -> Tensor:
        return at_link(t, self.slopes, rows) * (rows @ self.weight)

    def deltas(self, t: int, rows: Tensor) -> Tensor:
        """U itself: the state is the pre-activation."""
        return rows

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop."""
        return self.weight * self.slopes[start:stop, :, None, :]

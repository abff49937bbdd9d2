"""Links of GRU layers: torch's, whose reset gate acts after the recurrent matrix, and the textbook's, before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gradstudy.chains.closed_form import ClosedFormLinks, at_link, blocks_dense, drive, in_blocks, stretches

GATES = ("reset", "update", "candidate")
"""The blocks of the weights in their order; the candidate is tanh, the others are sigmoid."""


@dataclass(frozen=True, eq=False)
class GRULinks(ClosedFormLinks):
    """torch's GRU: n = tanh(x_n + r a_n), a_n = W_n h_{t-1} + b_n; h_t = (1 - z) n + z h_{t-1}.

    J_t = diag(z) + sum over r, z, n of diag(factor) W_gate.

    Args:
        weight: W_hh, `(3H, H)`, blocks in the order of `GATES`.
        before: h_{t-1}, `(T, batch, H)`.
        gates: r, z, n after their sigmoid or tanh, `(T, batch, 3, H)`.
        candidate_drive: a_n, `(T, batch, H)`.
    """

    gates: Tensor
    candidate_drive: Tensor

    @property
    def keep(self) -> Tensor:
        """z_t, the factor with which the state is retained, `(T, batch, H)`."""
        return self.gates[:, :, 1]

    @cached_property
    def factors(self) -> Tensor:
        """d h_t / d a of r, z and n, a being the recurrent pre-activations, `(T, batch, 3, H)`."""
        found = torch.empty_like(self.gates)
        for links in stretches(0, self.length, self.before):
            self._factors(links, found[links])
        return found

    def _factors(self, links: slice, out: Tensor | None = None) -> Tensor:
        """The factors of some links alone."""
        reset, update, candidate = self.gates[links].unbind(2)
        out = torch.empty_like(self.gates[links]) if out is None else out
        slope = self._candidate_slope(links)
        torch.mul(slope, reset, out=out[:, :, 2])
        slope.mul_(self.candidate_drive[links])
        torch.ops.aten.sigmoid_backward.grad_input(slope, reset, grad_input=out[:, :, 0])
        torch.sub(self.before[links], candidate, out=slope)
        torch.ops.aten.sigmoid_backward.grad_input(slope, update, grad_input=out[:, :, 1])
        return out

    def _candidate_slope(self, links: slice) -> Tensor:
        """(1 - z) (1 - n^2)."""
        _, update, candidate = self.gates[links].unbind(2)
        return torch.ops.aten.tanh_backward(1 - update, candidate)

    def _push(self, t: int, rows: Tensor) -> Tensor:
        parts = at_link(t, self.factors, rows) * in_blocks(rows @ self.weight.T, 3)
        return parts.sum(-2).addcmul_(at_link(t, self.keep, rows), rows)

    def _pull(self, t: int, rows: Tensor) -> Tensor:
        return self.deltas(t, rows) @ self.weight + at_link(t, self.keep, rows) * rows

    def deltas(self, t: int, rows: Tensor) -> Tensor:
        """Gradients at W_hh h_{t-1}."""
        return (at_link(t, self.factors, rows) * rows.unsqueeze(-2)).flatten(-2)

    def input_deltas(self, t: int, rows: Tensor) -> Tensor:
        """Gradients at W_ih x_t; the candidate's does not pass the reset gate."""
        gates = self.factors[t - 1, :, :2] * rows.unsqueeze(-2)
        candidate = self._candidate_slope(slice(t - 1, t))[0] * rows
        return torch.cat([gates.flatten(-2), candidate], -1)

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop."""
        dense = blocks_dense(self.factors[start:stop], self.weight)
        dense.diagonal(dim1=-2, dim2=-1).add_(self.keep[start:stop])
        return dense

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i], in three operations a link."""
        batch, size = self.before.shape[1:]
        deltas = totals.new_empty(batch, 3, size)
        flat, weight = deltas.view(batch, 3 * size), self.weight
        rows, wide = totals.unbind(0), totals.unsqueeze(2).unbind(0)
        for links in reversed(stretches(start, start + len(totals) - 1, self.before)):
            factors, keep = self._factors(links).unbind(0), self.keep[links].unbind(0)
            first = links.start - start
            for i in range(len(keep) - 1, -1, -1):
                torch.mul(factors[i], wide[first + i + 1], out=deltas)
                rows[first + i].addmm_(flat, weight).addcmul_(keep[i], rows[first + i + 1])


@dataclass(frozen=True, eq=False)
class TextbookGRULinks(ClosedFormLinks):
    """Cho et al. 2014: h~ = tanh(W (r h_{t-1}) + ...), h_t = (1 - u) h_{t-1} + u h~.

    Args:
        weight: W_r, W_u, W, `(3H, H)`, blocks in the order of `GATES`.
        before: h_{t-1}, `(T, batch, H)`.
        gates: r, u, h~ after their sigmoid or tanh, `(T, batch, 3, H)`.
    """

    gates: Tensor

    @property
    def keep(self) -> Tensor:
        """1 - u_t, the factor with which the state is retained, `(T, batch, H)`."""
        return 1 - self.gates[:, :, 1]

    @cached_property
    def factors(self) -> Tensor:
        """d (r h_{t-1}) / d a_r with h held, and d h_t / d a of u and h~, `(T, batch, 3, H)`."""
        reset, update, candidate = self.gates.unbind(2)
        return torch.stack(
            [
                torch.ops.aten.sigmoid_backward(self.before, reset),
                torch.ops.aten.sigmoid_backward(candidate - self.before, update),
                torch.ops.aten.tanh_backward(update, candidate),
            ],
            dim=2,
        )

    def _matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        reset, update, candidate = self.weight.chunk(3)
        return reset, update, candidate

    def _push(self, t: int, rows: Tensor) -> Tensor:
        reset, update, candidate = at_link(t, self.factors, rows).unbind(-2)
        w_reset, w_update, w_candidate = self._matrices()
        gated = at_link(t, self.gates[:, :, 0], rows) * rows + reset * (rows @ w_reset.T)
        kept = at_link(t, self.keep, rows) * rows
        return kept + update * (rows @ w_update.T) + candidate * (gated @ w_candidate.T)

    def _at_gated(self, t: int, rows: Tensor) -> Tensor:
        """The gradient at r h_{t-1}."""
        return (at_link(t, self.factors, rows)[..., 2, :] * rows) @ self._matrices()[2]

    def _pull(self, t: int, rows: Tensor) -> Tensor:
        gates, _ = self.deltas(t, rows).split(2 * rows.shape[-1], -1)
        through_matrix = gates @ self.weight[: 2 * rows.shape[-1]]
        reset = at_link(t, self.gates[:, :, 0], rows)
        return through_matrix + reset * self._at_gated(t, rows) + at_link(t, self.keep, rows) * rows

    def deltas(self, t: int, rows: Tensor) -> Tensor:
        """Gradients at W_r h_{t-1}, W_u h_{t-1} and W (r h_{t-1})."""
        reset, update, candidate = at_link(t, self.factors, rows).unbind(-2)
        return torch.cat([reset * self._at_gated(t, rows), update * rows, candidate * rows], -1)

    def weight_gradient(self, t: int, u: Tensor) -> Tensor:
        """(d+ s_t / d W)^T u; the third block multiplies r h_{t-1}."""
        gates, candidate = self.deltas(t, u).split((2 * u.shape[-1], u.shape[-1]), -1)
        h, reset = self.before[t - 1], self.gates[t - 1, :, 0]
        return torch.cat([gates.mT @ h, candidate.mT @ (reset * h)])

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop."""
        links = self.abreast(start, stop)
        size = self.before.shape[-1]
        identity = torch.eye(size, dtype=self.weight.dtype, device=self.weight.device)
        dense = links.jvp(1, identity.expand(links.before.shape[1], size, size))
        return dense.unflatten(0, (stop - start, -1))


def gru_links(
    weights: tuple[Tensor, Tensor], biases: tuple[Tensor, Tensor] | None, inputs: Tensor, hidden: Tensor
) -> GRULinks:
    """The links of one direction of a GRU layer from what went in and what came out.

    Args:
        weights: W_ih `(3H, input)` and W_hh `(3H, H)`.
        biases: b_ih and b_hh, `(3H,)` each, or None. They are not added up: the reset gate multiplies b_hn alone.
        inputs: x_1 .. x_T, `(T, batch, input)`.
        hidden: h_0 .. h_T, `(T + 1, batch, H)`.
    """
    (weight_in, weight), (bias_in, bias) = weights, biases or (None, None)
    before = hidden[:-1]
    all_gates, candidate_drive = before.new_empty(*before.shape[:2], 3, before.shape[2]), torch.empty_like(before)
    for links in stretches(0, len(before), before):
        recurrent = in_blocks(drive(weight, before[links], bias), 3)
        gates = all_gates[links]
        drive(weight_in, inputs[links], bias_in, out=gates.flatten(2))
        gates[:, :, :2].add_(recurrent[:, :, :2]).sigmoid_()
        candidate_drive[links] = recurrent[:, :, 2]
        gates[:, :, 2].addcmul_(gates[:, :, 0], recurrent[:, :, 2]).tanh_()
    return GRULinks(weight, before, all_gates, candidate_drive)


def textbook_gru_links(
    weights: tuple[Tensor, Tensor], bias: Tensor, inputs: Tensor, before: Tensor
) -> TextbookGRULinks:
    """The links of a textbook GRU.

    Args:
        weights: W_ih `(3H, input)` and W_hh `(3H, H)`.
        bias: `(3H,)`.
        inputs: x_1 .. x_T, `(T, batch, input)`.
        before: h_0 .. h_{T-1}, `(T, batch, H)`.
    """
    weight_in, weight = weights
    size = before.shape[-1]
    gates = in_blocks(drive(weight_in, inputs, bias), 3)
    gates[:, :, :2].add_(in_blocks(before @ weight[: 2 * size].T, 2)).sigmoid_()
    gates[:, :, 2].add_((gates[:, :, 0] * before) @ weight[2 * size :].T).tanh_()
    return TextbookGRULinks(weight, before, gates)

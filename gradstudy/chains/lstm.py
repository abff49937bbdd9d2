"""Links of an LSTM layer, whose state is (h, c)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from gradstudy.chains.closed_form import ClosedFormLinks, at_link, blocks_dense, drive, fresh, in_blocks, stretches

GATES = ("input", "forget", "candidate", "output")
"""The blocks of torch's weights in their order; the candidate is tanh, the others are sigmoid."""


@dataclass(frozen=True, eq=False)
class LSTMLinks(ClosedFormLinks):
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t), the state s_t = (h_t, c_t) in this order, n = 2H.

    With a_t = W h_{t-1} + ... and the gates' slopes, dc_t = f dc_{t-1} + sum over i, f, g of factor * (W_gate dh_{t-1})
    and dh_t = o (1 - tanh(c_t)^2) dc_t + factor_o * (W_o dh_{t-1}).

    Args:
        weight: W_hh, `(4H, H)`, blocks in the order of `GATES`.
        before: h_{t-1}, `(T, batch, H)`.
        gates: i, f, g, o after their sigmoid or tanh, `(T, batch, 4, H)`.
        cells: c_t, `(T, batch, H)`.
        cells_before: c_{t-1}, `(T, batch, H)`.
    """

    gates: Tensor
    cells: Tensor
    cells_before: Tensor

    @property
    def forget(self) -> Tensor:
        """f_t, the cell path's factor a link, `(T, batch, H)`."""
        return self.gates[:, :, 1]

    @cached_property
    def reach(self) -> Tensor:
        """d h_t / d c_t with the output gate held: o (1 - tanh(c_t)^2), `(T, batch, H)`."""
        return self._reach(slice(None))

    def _reach(self, links: slice) -> Tensor:
        return torch.ops.aten.tanh_backward(self.gates[links, :, 3], torch.tanh(self.cells[links]))

    @cached_property
    def factors(self) -> Tensor:
        """d c_t / d a for i, f, g and d h_t / d a with c_t held for o, `(T, batch, 4, H)`."""
        found = torch.empty_like(self.gates)
        for links in stretches(0, self.length, self.cells):
            self._factors(links, found[links])
        return found

    def _factors(self, links: slice, out: Tensor | None = None) -> Tensor:
        """The factors of some links alone."""
        out = torch.empty_like(self.gates[links]) if out is None else out
        i, f, g, o = self.gates[links].unbind(2)
        torch.ops.aten.sigmoid_backward.grad_input(g, i, grad_input=out[:, :, 0])
        torch.ops.aten.sigmoid_backward.grad_input(self.cells_before[links], f, grad_input=out[:, :, 1])
        torch.ops.aten.tanh_backward.grad_input(i, g, grad_input=out[:, :, 2])
        torch.ops.aten.sigmoid_backward.grad_input(torch.tanh(self.cells[links]), o, grad_input=out[:, :, 3])
        return out

    def _push(self, t: int, rows: Tensor) -> Tensor:
        hidden, cell = rows.chunk(2, -1)
        parts = at_link(t, self.factors, rows) * in_blocks(hidden @ self.weight.T, 4)
        cell = parts[..., :3, :].sum(-2).addcmul_(at_link(t, self.forget, rows), cell)
        return torch.cat([parts[..., 3, :].addcmul_(at_link(t, self.reach, rows), cell), cell], -1)

    def _through(self, t: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient at h_t, and at c_t its path through h_t included."""
        hidden, cell = rows.chunk(2, -1)
        return hidden, torch.addcmul(cell, at_link(t, self.reach, rows), hidden)

    def _pull(self, t: int, rows: Tensor) -> Tensor:
        _, through = self._through(t, rows)
        return torch.cat([self.deltas(t, rows) @ self.weight, at_link(t, self.forget, rows) * through], -1)

    def deltas(self, t: int, rows: Tensor) -> Tensor:
        """Gradients at the pre-activations of i, f, g, o."""
        hidden, through = self._through(t, rows)
        factors = at_link(t, self.factors, rows)
        gates = factors[..., :3, :] * through.unsqueeze(-2)
        return torch.cat([gates, (factors[..., 3, :] * hidden).unsqueeze(-2)], -2).flatten(-2)

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop, [[hh, hc], [ch, cc]]."""
        of_hidden, of_cells = self._columns(start, stop)
        size = self.before.shape[-1]
        dense = of_hidden.new_zeros(*of_hidden.shape[:2], 2 * size, 2 * size)
        dense[..., :size] = of_hidden
        dense[..., :size, size:].diagonal(dim1=-2, dim2=-1).copy_(of_cells[:, :, 0])
        dense[..., size:, size:].diagonal(dim1=-2, dim2=-1).copy_(of_cells[:, :, 1])
        return dense

    def _columns(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """[hh; ch] of the links, `(links, batch, 2H, H)`, and the diagonals of hc and cc, `(links, batch, 2, H)`."""
        factors, reach = self.factors[start:stop], self.reach[start:stop]
        size = self.before.shape[-1]
        of_hidden = fresh((*reach.shape[:2], 2 * size, size), reach)
        hh, ch = of_hidden.split(size, -2)
        blocks_dense(factors[..., :3, :], self.weight[: 3 * size], out=ch)
        torch.mul(ch, reach[..., None], out=hh).addcmul_(factors[..., 3, :, None], self.weight[3 * size :])
        forget = self.forget[start:stop]
        return of_hidden, torch.stack([reach * forget, forget], 2)

    def maps(self, start: int, stop: int) -> list[Callable[[Tensor], Tensor]]:
        """The links as maps of blocks `(batch, 2H, k)`: half the work of a product with the dense Jacobian.

        Half of that, hc and cc, is diagonal.
        """
        return [
            partial(_product, of_hidden, of_cells)
            for of_hidden, of_cells in zip(*self._columns(start, stop), strict=True)
        ]

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i], in five operations a link."""
        batch, size = self.before.shape[1:]
        hidden, cell = (part.unbind(0) for part in totals.chunk(2, -1))
        through, deltas = totals.new_empty(batch, size), totals.new_empty(batch, 4, size)
        through_wide, gates, output, flat = through[:, None], deltas[:, :3], deltas[:, 3], deltas.view(batch, 4 * size)
        weight = self.weight
        for links in reversed(stretches(start, start + len(totals) - 1, self.cells)):
            reach, forget, factors = self._reach(links).unbind(0), self.forget[links].unbind(0), self._factors(links)
            factors_cell, factors_out = factors[:, :, :3].unbind(0), factors[:, :, 3].unbind(0)
            first = links.start - start
            for i in range(len(reach) - 1, -1, -1):
                after, before = first + i + 1, first + i
                torch.addcmul(cell[after], reach[i], hidden[after], out=through)
                torch.mul(factors_cell[i], through_wide, out=gates)
                torch.mul(factors_out[i], hidden[after], out=output)
                hidden[before].addmm_(flat, weight)
                cell[before].addcmul_(forget[i], through)


def _product(of_hidden: Tensor, of_cells: Tensor, block: Tensor) -> Tensor:
    """J_t X, laid out column by column as factorisations want it."""
    hidden, cells = block.mT.chunk(2, -1)
    own = (cells.unsqueeze(-2) * of_cells.unsqueeze(1)).flatten(-2)
    return own.baddbmm_(hidden, of_hidden.mT).mT


def lstm_links(
    weights: tuple[Tensor, Tensor, Tensor | None], inputs: Tensor, hidden: Tensor, first_cell: Tensor
) -> LSTMLinks:
    """The links of one direction of an LSTM layer from what went in and what came out.

    Args:
        weights: W_ih `(4H, input)`, W_hh `(4H, H)` and the sum of both biases `(4H,)` or None.
        inputs: x_1 .. x_T, `(T, batch, input)`.
        hidden: h_0 .. h_T, `(T + 1, batch, H)`.
        first_cell: c_0, `(batch, H)`.
    """
    weight_in, weight, bias = weights
    gates = drive(weight_in, inputs, bias)
    for links in stretches(0, len(gates), hidden):
        out = gates[links]
        out.flatten(0, 1).addmm_(hidden[links].flatten(0, 1), weight.T)
        i, f, g, o = in_blocks(out, 4).unbind(2)
        for gate in (i, f, o):
            gate.sigmoid_()
        g.tanh_()
    gates = in_blocks(gates, 4)
    cells = torch.cat([first_cell[None], gates[:, :, 0] * gates[:, :, 2]])
    rows = cells.unbind(0)
    for t, forget in enumerate(gates[:, :, 1].unbind(0), 1):
        rows[t].addcmul_(forget, rows[t - 1])
    return LSTMLinks(weight, hidden[:-1], gates, cells[1:], cells[:-1])

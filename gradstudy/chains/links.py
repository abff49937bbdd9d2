"""Links s_{t-1} -> s_t of a chain: Jacobian-vector products, vector-Jacobian products and dense Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gradstudy.chains.checks import check_shape, check_tensor, unsupported
from gradstudy.errors import WeightsChangedError

# Numbers of the dense Jacobians of a cell that are computed together; the cell's own intermediate values come on top.
_TOGETHER = 2**20


@runtime_checkable
class Links(Protocol):
    """The T links of a chain. Vectors are `(batch, n)`, blocks of k vectors `(batch, n, k)`; t runs from 1 to T."""

    @property
    def length(self) -> int:
        """Number of links T."""

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v for each row of the batch."""

    def vjp(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u for each row of the batch."""

    def vjp_double(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u with the product in float64."""

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop, `(stop - start, batch, n_out, n_in)`."""

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i] from the last i down to 1, in place; `(m, batch, n)`."""

    def double(self) -> Links:
        """The same links with products in float64."""


@dataclass(frozen=True)
class CellLinks:
    """Links of any callable cell `(input, state) -> state`, through `torch.func`.

    The cell is called with the whole batch; its rows must not depend on each other.

    Args:
        cell: the callable.
        inputs: time-major, `(T, batch, ...)`.
        states: `(T + 1, batch, n)`.
        dtype: dtype of what the products return.
    """

    cell: Callable[[Tensor, Tensor], Tensor]
    inputs: Tensor
    states: Tensor
    dtype: torch.dtype

    @property
    def length(self) -> int:
        """Number of links T."""
        return self.inputs.shape[0]

    def _step(self, t: int) -> Callable[[Tensor], Tensor]:
        return lambda state: self.cell(self.inputs[t - 1], state)

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v by one forward-mode pass a vector."""
        state, v = self.states[t - 1], v.to(self.states.dtype)

        def push(tangent: Tensor) -> tuple[Tensor, Tensor]:
            after, pushed, *_ = torch.func.jvp(self._step(t), (state,), (tangent,))
            return after, pushed

        block = torch.func.vmap(push, in_dims=2, out_dims=(None, 2))  # type: ignore[arg-type]
        after, out = push(v) if v.dim() == 2 else block(v)
        self._refuse_changed(t, after)
        return out.to(self.dtype)

    def vjp(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u by one reverse-mode pass a vector."""
        after, pull, *_ = torch.func.vjp(self._step(t), self.states[t - 1])
        self._refuse_changed(t, after)
        u = u.to(self.states.dtype)
        out = pull(u)[0] if u.dim() == 2 else torch.func.vmap(lambda row: pull(row)[0], in_dims=2, out_dims=2)(u)
        return out.to(self.dtype)

    def vjp_double(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u, rounded as the cell rounds it."""
        return self.vjp(t, u).double()

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i], one link after another."""
        for i in range(len(totals) - 1, 0, -1):
            totals[i - 1] += self.vjp(start + i, totals[i])

    def _refuse_changed(self, t: int, after: Tensor) -> None:
        if not self._same(t, after):
            raise WeightsChangedError(
                f"a callable cell that no longer maps state {t - 1} to state {t} of its chain",
                needed="the cell as it was when the chain was made",
                why="the states would belong to one cell and the Jacobians to another",
                remedy="call time_chain again after each update of its weights",
            )

    def _same(self, t: int, after: Tensor) -> bool:
        """Whether that is s_t, to rounding."""
        scale = torch.maximum(self.states[t - 1].abs().amax(-1), self.states[t].abs().amax(-1))
        tolerance = torch.finfo(self.states.dtype).eps ** 0.75
        return bool(((after - self.states[t]).abs().amax(-1) <= tolerance * scale).all())

    def abreast(self, start: int, stop: int) -> CellLinks:
        """The links start + 1 .. stop side by side, as one link of a batch of (stop - start) * batch rows."""
        inputs = self.inputs[start:stop]
        if inputs.shape[1] == 1:  # one input for every row
            inputs = inputs.expand(-1, self.states.shape[1], *inputs.shape[2:])
        ends = self.states[start:stop].flatten(0, 1), self.states[start + 1 : stop + 1].flatten(0, 1)
        return CellLinks(self.cell, inputs.flatten(0, 1)[None], torch.stack(ends), self.dtype)

    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop: n vector-Jacobian products for many links together."""
        batch, size = self.states.shape[1:]
        step = max(1, _TOGETHER // (batch * size * size))
        pieces = [self._together(first, min(first + step, stop)) for first in range(start, stop, step)]
        return torch.cat(pieces)

    def _together(self, start: int, stop: int) -> Tensor:
        """The links in one batch, or one after the other if the cell does not take a batch of another size."""
        link = self.abreast(start, stop) if stop - start > 1 and self.inputs.dim() > 1 else self
        if link is not self and link._repeats():
            return link._jacobian(1).unflatten(0, (stop - start, -1))
        return torch.stack([self._jacobian(t) for t in range(start + 1, stop + 1)])

    def _repeats(self) -> bool:
        """Whether the cell, called on s_0, gives s_1 again, to rounding."""
        try:
            again = self.cell(self.inputs[0], self.states[0])
        except Exception:  # whatever a cell raises that has closed over a batch of its own
            return False
        return again.shape == self.states[1].shape and self._same(1, again)

    def _jacobian(self, t: int) -> Tensor:
        batch, size = self.states.shape[1:]
        basis = torch.eye(size, dtype=self.states.dtype, device=self.states.device)
        block = basis.expand(batch, size, size)
        return self.vjp(t, block).transpose(1, 2)

    def double(self) -> CellLinks:
        """The same links; each product is rounded as the cell rounds it and returned in float64."""
        return CellLinks(self.cell, self.inputs, self.states, torch.float64)


def refuse_unfit_cell(cell: Callable[[Tensor, Tensor], Tensor], x: Tensor, state: Tensor) -> None:
    """Raise a named error for a cell whose links are not those of one map a row.

    Four calls of the cell at the first step: it must return a tensor of the state's shape and dtype, the same one twice
    (no dropout), leave its own buffers alone, and change row b only where row b of the state changes.
    """
    module = cell if isinstance(cell, nn.Module) else nn.Module()
    buffers = {name: value.clone() for name, value in module.named_buffers()}
    first = check_tensor("the cell's new state", cell(x, state), state.dtype)
    check_shape("the cell's new state", first, tuple(state.shape), "that of the state given")
    moved = [name for name, value in module.named_buffers() if not torch.equal(value, buffers[name])]
    for name in moved:
        module.get_buffer(name).copy_(buffers[name])
    if moved or not torch.equal(first, cell(x, state)):
        raise unsupported(
            f"a cell that changes its buffers ({', '.join(moved)})" if moved else "a cell that draws at random",
            "a cell that gives the same new state for the same input and state",
            "call cell.eval(), or take dropout and batch statistics out of the cell",
        )
    if len(state) > 1:
        generator = torch.Generator().manual_seed(0)
        nudge = torch.randn(state.shape[1], generator=generator, dtype=torch.float64).to(state)
        nudged = state.clone()
        nudged[0] += nudge
        if not torch.allclose(cell(x, nudged)[1:], first[1:], rtol=1e-5, atol=1e-6, equal_nan=True):
            raise unsupported(
                "a cell that mixes the rows of its batch",
                "a cell whose new state in row b depends on the state in row b alone",
                "give the rows one by one, or stack them into one state of batch 1",
            )

"""Links whose derivatives are written out: one recurrent matrix, and factors a unit that the forward pass has left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

# Numbers of one gate that are computed together: with those of the others they fit into a cache of 2 MB.
_CACHED = 2**17


@dataclass(frozen=True, eq=False)
class ClosedFormLinks(ABC):
    """Links of a recurrent layer. The Jacobian is never stored: products take one matrix product and elementwise work.

    In the abstract methods vectors are rows, `(batch, n)` or `(batch, k, n)`.

    Args:
        weight: the recurrent matrix W, `(blocks * H, H)`.
        before: h_{t-1}, what W multiplies, `(T, batch, H)`.
    """

    weight: Tensor
    before: Tensor

    @property
    def length(self) -> int:
        """Number of links T."""
        return self.before.shape[0]

    @abstractmethod
    def _push(self, t: int, rows: Tensor) -> Tensor:
        """J_t v for each row v."""

    @abstractmethod
    def _pull(self, t: int, rows: Tensor) -> Tensor:
        """J_t^T u for each row u."""

    @abstractmethod
    def jacobians(self, start: int, stop: int) -> Tensor:
        """Dense Jacobians of the links start + 1 .. stop, `(stop - start, batch, n, n)`."""

    @abstractmethod
    def deltas(self, t: int, rows: Tensor) -> Tensor:
        """(d+ s_t / d a)^T u with a = W h_{t-1}, the recurrent part of the pre-activations: `(batch, blocks * H)`."""

    def input_deltas(self, t: int, rows: Tensor) -> Tensor:
        """The same with a = W_ih x_t, the inputs' part of the pre-activations."""
        return self.deltas(t, rows)

    def jvp(self, t: int, v: Tensor) -> Tensor:
        """J_t v; one matrix product."""
        return self._push(t, v) if v.dim() == 2 else self._push(t, v.mT).mT

    def vjp(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u; one matrix product."""
        return self._pull(t, u) if u.dim() == 2 else self._pull(t, u.mT).mT

    def vjp_double(self, t: int, u: Tensor) -> Tensor:
        """J_t^T u with the product in float64."""
        return self.abreast(t - 1, t).double().vjp(1, u.double())

    def weight_gradient(self, t: int, u: Tensor) -> Tensor:
        """(d+ s_t / d W)^T u, summed over the batch: the immediate derivative, h_{t-1} held; of W's shape."""
        return self.deltas(t, u).mT @ self.before[t - 1]

    def accumulate(self, start: int, totals: Tensor) -> None:
        """totals[i - 1] += J_{start + i}^T totals[i] from the last i down to 1, in place."""
        for i in range(len(totals) - 1, 0, -1):
            totals[i - 1] += self.vjp(start + i, totals[i])

    def abreast(self, start: int, stop: int) -> Self:
        """The links start + 1 .. stop side by side, as one link of a batch of (stop - start) * batch rows."""

        def cut(factors: Tensor) -> Tensor:
            return factors[start:stop].flatten(0, 1)[None]

        links = self._with(cut)
        given = {field.name for field in fields(self)}
        # What has been derived from the factors already need not be so again.
        vars(links).update({name: cut(value) for name, value in vars(self).items() if name not in given})
        return links

    def derive(self) -> Self:
        """These links, with all that products take from the factors derived at once, for whoever takes many."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                getattr(self, name)
        return self

    def double(self) -> Self:
        """The same links in float64."""
        return replace(self._with(Tensor.double), weight=self.weight.double())

    def _with(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Change every tensor that has the links and the batch as its first axes."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "weight"}
        return replace(self, **{name: change(value) for name, value in own.items() if isinstance(value, Tensor)})


def at_link(t: int, factors: Tensor, rows: Tensor) -> Tensor:
    """The factors of link t, shaped to multiply the rows."""
    return factors[t - 1] if rows.dim() == 2 else factors[t - 1].unsqueeze(1)


def fresh(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Memory for many Jacobians, not yet written, of a tensor's dtype and device.

    On a CPU it is numpy's, which asks the system for huge pages where torch does not: touching new memory page by page
    takes several times as long as the product that is written there.
    """
    if like.device.type != "cpu":
        return like.new_empty(shape)
    return torch.from_numpy(np.empty(shape, dtype=np.float64 if like.dtype == torch.float64 else np.float32))


def blocks_dense(factors: Tensor, weight: Tensor, out: Tensor | None = None) -> Tensor:
    """sum over g of diag(factors_g) W_g, dense.

    Args:
        factors: `(..., g, H)`.
        weight: `(g * H, H)`.
        out: where to write it.

    Returns:
        `(..., H, H)`.
    """
    gates, size = factors.shape[-2:]
    first, *others = weight.view(gates, size, -1)
    dense = fresh((*factors.shape[:-2], size, size), factors) if out is None else out
    torch.mul(factors[..., 0, :, None], first, out=dense)
    for g, block in enumerate(others, 1):
        dense.addcmul_(factors[..., g, :, None], block)
    return dense


def in_blocks(drive: Tensor, gates: int) -> Tensor:
    """`(..., gates * H)` as `(..., gates, H)`."""
    return drive.unflatten(-1, (gates, -1))


def drive(weight: Tensor, inputs: Tensor, bias: Tensor | None, out: Tensor | None = None) -> Tensor:
    """weight inputs + bias for many links at once, in one matrix product; out: where to write it."""
    flat, into = inputs.reshape(-1, inputs.shape[-1]), None if out is None else out.flatten(0, -2)
    product = torch.mm(flat, weight.T, out=into) if bias is None else torch.addmm(bias, flat, weight.T, out=into)
    return product.unflatten(0, inputs.shape[:-1])


def stretches(start: int, stop: int, like: Tensor) -> list[slice]:
    """The links start + 1 .. stop in order, so many together that a few numbers a unit of each stay in the cache.

    Args:
        start, stop: of the links.
        like: one number a unit of each link, `(T, batch, H)`.
    """
    step = max(1, _CACHED // max(1, like[0].numel()))
    return [slice(first, min(first + step, stop)) for first in range(start, stop, step)]

"""Euclidean norms of gradients as logarithms: nothing underflows, overflows or is left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# A norm computed in float32 has its digits only while the squares are far from float32's ends, 1e-38 and 3e38.
_LEAST, _MOST = math.exp(-35), math.exp(35)


class Norm(NamedTuple):
    """A Euclidean norm.

    Args:
        log: natural logarithm; -inf for an exact zero, NaN or inf if an entry is.
        non_finite: entries that are NaN or infinite.
    """

    log: float
    non_finite: int = 0

    @property
    def value(self) -> float:
        """The norm itself; below 1e-308 it reads 0."""
        return exp(self.log)


def exp(log: float) -> float:
    """e to the log; inf beyond the double range."""
    return math.exp(log) if not log > 709.0 else math.inf


def log(value: float) -> float:
    """Natural logarithm; -inf of 0."""
    return math.log(value) if value != 0 else -math.inf


def dense(tensor: Tensor) -> Tensor:
    """The numbers of a tensor whose norm is asked for: those of a sparse one, real and imaginary parts."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def norms(tensors: Sequence[Tensor]) -> list[Norm]:
    """The norm of each tensor.

    Cost: one pass, and one wait for the device; a tensor whose norm is not finite or far from 1 is looked at again.
    """
    if not tensors:
        return []
    found = [dense(tensor) for tensor in tensors]
    return [_checked(tensor, value) for tensor, value in zip(found, _plain(found), strict=True)]


def _plain(tensors: Sequence[Tensor]) -> list[float]:
    """Norms in float32, or float64 for float64; brought to the host together."""
    wide = [tensor if tensor.dtype == torch.float64 else tensor.float() for tensor in tensors]
    on_device: dict[torch.device, list[int]] = {}
    for i, tensor in enumerate(wide):
        on_device.setdefault(tensor.device, []).append(i)
    values = [0.0] * len(wide)
    for indices in on_device.values():
        stacked = torch.stack([n.double() for n in torch._foreach_norm([wide[i] for i in indices])])
        for i, value in zip(indices, stacked.tolist(), strict=True):
            values[i] = value
    return values


def _checked(tensor: Tensor, value: float) -> Norm:
    return Norm(math.log(value)) if _LEAST < value < _MOST else scaled(tensor)


def scaled(tensor: Tensor) -> Norm:
    """The norm with the largest entry taken out first, and the number of entries that are not finite."""
    if tensor.numel() == 0:
        return Norm(-math.inf)
    return resolved(deferred(tensor).tolist())


def deferred(tensor: Tensor) -> Tensor:
    """What `resolved` makes a norm of, left on the device: largest entry, norm over it, count of non-finite entries."""
    wide = dense(tensor).double()
    peak = wide.abs().amax()
    unit = torch.linalg.vector_norm(wide / torch.where(peak > 0, peak, 1.0))
    return torch.stack([peak, unit, (~torch.isfinite(wide)).sum().double()])


def resolved(parts: Sequence[float]) -> Norm:
    """The norm of the numbers of `deferred`."""
    peak, unit, count = parts
    if count:  # NaN wherever there is one, else infinity: as the norm itself
        return Norm(peak, int(count))
    return Norm(log(peak) + log(unit) if peak else -math.inf)


def pooled(parts: Iterable[Norm]) -> Norm:
    """Norm of all parts' entries together, the root of the sum of squares."""
    found = list(parts)
    logs = [part.log for part in found]
    count = sum(part.non_finite for part in found)
    if not logs or any(math.isnan(value) for value in logs):
        return Norm(math.nan, count)
    peak = max(logs)
    if math.isinf(peak):
        return Norm(peak, count)
    return Norm(peak + math.log(math.fsum(exp(2 * (value - peak)) for value in logs)) / 2, count)

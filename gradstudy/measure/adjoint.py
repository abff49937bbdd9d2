"""The adjoint recursion along a chain, kept from underflow and overflow by a logarithmic scale a row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.links import Links

# Links between two rescalings; a stretch in which a row's largest entry leaves 1e-12 .. 1e12 is done again link by
# link, so that float32's squares (smallest 1e-38) never cost a norm its digits.
_STRETCH = 8
_SAFE = 1e12


@dataclass(frozen=True, eq=False)
class Adjoint:
    """Total gradients dL/ds_t as `scaled[t, b] * exp(log_scale[t, b])`.

    Args:
        scaled: `(T + 1, batch, n)`.
        log_scale: natural logarithm of each row's scale, `(T + 1, batch)`, float64.
    """

    scaled: Float[Tensor, "states batch n"]
    log_scale: Float[Tensor, "states batch"]

    @property
    def log_norm(self) -> Float[Tensor, "states batch"]:
        """Natural logarithm of the Euclidean norm of each row, float64; -inf for exact zeros."""
        # State by state: a second copy of the states would be the largest thing in memory.
        return torch.stack([scale + log_row_norm(row) for scale, row in zip(self.log_scale, self.scaled, strict=True)])


@dataclass(frozen=True, eq=False)
class _Carry:
    """What arrives from the later states: `row * exp(log_scale)`, the row's largest entry 1 or the row 0."""

    row: Tensor
    log_scale: Tensor


def log_row_norm(x: Tensor) -> Tensor:
    """log of the Euclidean norm over the last axis in float64, without under- or overflow of the squares."""
    peak = x.abs().amax(-1, keepdim=True)
    unit = x / torch.where(peak == 0, torch.ones_like(peak), peak)
    return (peak[..., 0].double().log() + unit.norm(dim=-1).double().log()).nan_to_num(
        nan=-torch.inf, neginf=-torch.inf
    )


def adjoint(links: Links, direct: Float[Tensor, "states batch n"]) -> Adjoint:
    """Solve a_T = g_T, a_{t-1} = g_{t-1} + J_t^T a_t in the log domain.

    Args:
        links: the chain's links.
        direct: g_t, the loss's direct partials; overwritten by the result, so that no copy is needed.

    Cost: T vector-Jacobian products.
    """
    result = Adjoint(direct, torch.empty(direct.shape[:2], dtype=torch.float64, device=direct.device))
    carry = _Carry(torch.zeros_like(direct[0]), torch.full_like(result.log_scale[0], -torch.inf))
    for stop in range(links.length + 1, 0, -_STRETCH):
        start = max(stop - _STRETCH, 0)
        partial = direct[start:stop].clone()
        after = _sweep(links, partial, carry, range(start, stop), result)
        if not _is_safe(result.scaled[start:stop]):
            after = carry
            for t in reversed(range(start, stop)):
                after = _sweep(links, partial[t - start : t - start + 1], after, range(t, t + 1), result)
        carry = after
    return result


def _sweep(links: Links, partial: Tensor, carry: _Carry, stretch: range, result: Adjoint) -> _Carry:
    """Fill the result over one stretch of states, on one scale a row; what the states before it receive."""
    window = slice(stretch.start, stretch.stop)
    peak = partial.abs().amax(-1)
    log_peak = peak.double().log()
    scale = torch.maximum(carry.log_scale, log_peak.amax(0))
    scale = torch.where(torch.isinf(scale), torch.zeros_like(scale), scale)
    unit = partial / torch.where(peak == 0, torch.ones_like(peak), peak)[..., None]
    torch.mul(unit, torch.exp(log_peak - scale).to(unit.dtype)[..., None], out=result.scaled[window])
    result.log_scale[window] = scale
    row = carry.row * torch.exp(carry.log_scale - scale).to(unit.dtype)[:, None]
    for t in reversed(stretch):
        total = result.scaled[t].add_(row)
        row = links.vjp(t, total) if t > 0 else row
    peak = row.abs().amax(-1)
    return _Carry(row / torch.where(peak == 0, torch.ones_like(peak), peak)[:, None], scale + peak.double().log())


def _is_safe(scaled: Tensor) -> bool:
    peak = scaled.abs().amax(-1)
    return bool(((peak > 1 / _SAFE) & (peak < _SAFE)).all())

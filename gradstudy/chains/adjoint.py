"""The adjoint recursion along a chain, kept from underflow and overflow by a logarithmic scale a row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.links import Links

# States between two rescalings, at most. A stretch in which a row's largest entry leaves e^-27 .. e^27 is made shorter
# and done again, so that float32's squares (smallest 1e-38) never cost a norm its digits.
_LONGEST = 64
_SAFE = 27.0


@dataclass(frozen=True, eq=False)
class Scaled:
    """One vector a state and row of the batch, `scaled[t, b] * exp(log_scale[t, b])`.

    Args:
        scaled: `(T + 1, batch, n)`.
        log_scale: natural logarithm of each row's scale, `(T + 1, batch)`, float64.
    """

    scaled: Float[Tensor, "states batch n"]
    log_scale: Float[Tensor, "states batch"]

    @classmethod
    def of(cls, vectors: Tensor) -> Scaled:
        """Vectors as they are, on the scale 1."""
        return cls(vectors, torch.zeros(vectors.shape[:2], dtype=torch.float64, device=vectors.device))

    @property
    def vectors(self) -> Tensor:
        """The vectors themselves in float64; what lies below 1e-308 reads 0."""
        return self.scaled.double() * self.log_scale.exp()[..., None]

    @property
    def log_norm(self) -> Float[Tensor, "states batch"]:
        """Natural logarithm of the Euclidean norm of each vector, float64; -inf for exact zeros."""
        # Piece by piece: a second copy of the states would be the largest thing in memory.
        return self.log_scale + torch.cat([_log_row_norm(piece) for piece in self.scaled.split(_LONGEST)])


@dataclass(frozen=True, eq=False)
class _Carry:
    """What arrives from the later states: `row * exp(log_scale)`, the row's largest entry 1 or the row 0."""

    row: Tensor
    log_scale: Tensor


def _log_row_norm(x: Tensor) -> Tensor:
    """log of the Euclidean norm over the last axis in float64, without under- or overflow of the squares."""
    peak = x.abs().amax(-1, keepdim=True)
    return peak[..., 0].double().log() + (x / _nonzero(peak)).norm(dim=-1).double().clamp(min=1e-300).log()


def _nonzero(peak: Tensor) -> Tensor:
    return torch.where(peak == 0, torch.ones_like(peak), peak)


def adjoint(links: Links, direct: Scaled) -> Scaled:
    """Solve a_T = g_T, a_{t-1} = g_{t-1} + J_t^T a_t in the log domain.

    Args:
        links: the chain's links.
        direct: g_t, the loss's direct partials; overwritten by the result, so that no copy is needed.

    Cost: T vector-Jacobian products.
    """
    carry = _Carry(torch.zeros_like(direct.scaled[0]), torch.full_like(direct.log_scale[0], -torch.inf))
    stop, stretch = links.length + 1, 8
    while stop > 0:
        start = max(stop - stretch, 0)
        partial = Scaled(direct.scaled[start:stop].clone(), direct.log_scale[start:stop].clone())
        after = _sweep(links, partial, carry, range(start, stop), direct)
        length, spread = stop - start, _spread(direct.scaled[start:stop])
        if length > 1 and spread > _SAFE:
            direct.scaled[start:stop], direct.log_scale[start:stop] = partial.scaled, partial.log_scale
            stretch = min(_steps_within(spread / length), length // 2)
        else:
            carry, stop, stretch = after, start, _steps_within(spread / length)
    return direct


def _sweep(links: Links, partial: Scaled, carry: _Carry, stretch: range, result: Scaled) -> _Carry:
    """Fill the result over one stretch of states, on one scale a row; what the states before it receive."""
    window = slice(stretch.start, stretch.stop)
    peak = partial.scaled.abs().amax(-1)
    log_peak = peak.double().log() + partial.log_scale
    scale = torch.maximum(carry.log_scale, log_peak.amax(0))
    scale = torch.where(torch.isinf(scale), torch.zeros_like(scale), scale)
    unit = partial.scaled / _nonzero(peak)[..., None]
    torch.mul(unit, torch.exp(log_peak - scale).to(unit.dtype)[..., None], out=result.scaled[window])
    result.log_scale[window] = scale
    row = carry.row * torch.exp(carry.log_scale - scale).to(unit.dtype)[:, None]
    totals = result.scaled[window].unbind(0)
    for t, total in zip(reversed(stretch), reversed(totals), strict=True):
        total += row
        row = links.vjp(t, total) if t > 0 else row
    peak = row.abs().amax(-1)
    return _Carry(row / _nonzero(peak)[:, None], scale + peak.double().log())


def _spread(scaled: Tensor) -> float:
    """The largest |log| of a row's largest entry; infinite for zeros and what is not a number."""
    return float(scaled.abs().amax(-1).log().abs().nan_to_num(nan=torch.inf).max())


def _steps_within(rate: float) -> int:
    """States over which a row that changes by `rate` nats a state uses two thirds of the safe range."""
    return max(1, min(_LONGEST, int(_SAFE / 1.5 / max(rate, 1e-3))))

"""The adjoint recursion along a chain, kept from underflow and overflow by a logarithmic scale a row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.links import Links

# States between two rescalings, at most. A stretch in which a row's norm leaves e^-35 .. e^35 is made shorter and done
# again, so that float32's squares (smallest 1e-38) never cost a norm its digits.
_LONGEST = 64
_LEAST, _MOST = math.exp(-35), math.exp(35)
# A row between these needs no scale of its own yet.
_PLAIN = 12.0
# From a norm above this a row becomes exactly 0 only where the link says so, not by underflow.
_SURE = math.exp(-18)


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

    def __add__(self, other: Scaled) -> Scaled:
        log_scale = torch.maximum(self.log_scale, other.log_scale)
        return Scaled(self._on(log_scale) + other._on(log_scale), log_scale)

    def _on(self, log_scale: Tensor) -> Tensor:
        return self.scaled * torch.exp(self.log_scale - log_scale).to(self.scaled.dtype)[..., None]

    @property
    def vectors(self) -> Tensor:
        """The vectors themselves in float64; what lies below 1e-308 reads 0."""
        return self.scaled.double() * self.log_scale.exp()[..., None]

    @property
    def log_norm(self) -> Float[Tensor, "states batch"]:
        """Natural logarithm of the Euclidean norm of each vector, float64; -inf for exact zeros."""
        # Piece by piece: a second copy of the states would be the largest thing in memory.
        return self.log_scale + torch.cat([_log_row_norm(piece) for piece in self.scaled.split(_LONGEST)])


def _log_row_norm(x: Tensor) -> Tensor:
    """log of the Euclidean norm over the last axis in float64, without under- or overflow of the squares."""
    norm = torch.linalg.vector_norm(x, dim=-1)
    if bool(((norm > _LEAST) & (norm < _MOST)).all()):
        return norm.double().log()
    peak = _peak(x)
    unit = x / _nonzero(peak)[..., None]
    return peak.double().log() + torch.linalg.vector_norm(unit, dim=-1).double().clamp(min=1e-300).log()


def _peak(x: Tensor) -> Tensor:
    return x.abs().amax(-1)


def _nonzero(peak: Tensor) -> Tensor:
    return torch.where(peak == 0, torch.ones_like(peak), peak)


@dataclass(frozen=True, eq=False)
class _Carry:
    """What arrives from the later states, `row * exp(log_scale)`; the largest entry is 1 where the scale is not 0."""

    row: Tensor
    log_scale: Tensor

    @classmethod
    def of(cls, row: Tensor, log_scale: Tensor) -> _Carry:
        """Keep the scale 1 while the row's entries are of a size that floating point likes."""
        log_peak = _peak(row).double().log()
        total = log_scale + log_peak
        plain = (total.abs() < _PLAIN) | torch.isneginf(log_peak)
        log_scale_new = torch.where(plain, torch.zeros_like(total), total)
        factor = torch.exp(torch.where(torch.isneginf(log_peak), log_peak.new_zeros(()), log_scale - log_scale_new))
        return cls(row * factor.to(row.dtype)[:, None], log_scale_new)


def adjoint(links: Links, direct: Scaled) -> Scaled:
    """Solve a_T = g_T, a_{t-1} = g_{t-1} + J_t^T a_t in the log domain.

    Args:
        links: the chain's links.
        direct: g_t, the loss's direct partials; overwritten by the result, so that no copy is needed.

    Cost: T vector-Jacobian products.
    """
    carry = _Carry(torch.zeros_like(direct.scaled[0]), torch.zeros_like(direct.log_scale[0]))
    stop, stretch = links.length + 1, _LONGEST // 4
    while stop > 0:
        start = max(stop - stretch, 0)
        window = slice(start, stop)
        partial = Scaled(direct.scaled[window].clone(), direct.log_scale[window].clone())
        _sweep(links, carry, start, direct, window)
        norms = torch.linalg.vector_norm(direct.scaled[window], dim=-1)
        if stop - start > 1 and not _sound(norms, carry):
            direct.scaled[window], direct.log_scale[window] = partial.scaled, partial.log_scale
            stretch = (stop - start + 3) // 4
            continue
        if start > 0:
            carry = _Carry.of(links.vjp(start, direct.scaled[start]), direct.log_scale[start])
        stop, stretch = start, _next_stretch(norms, stretch)
    return direct


def _sweep(links: Links, carry: _Carry, start: int, result: Scaled, window: slice) -> None:
    """Fill the result over one stretch of states, on one scale a row."""
    scaled, log_scale = result.scaled[window], result.log_scale[window]
    if bool((carry.log_scale != 0).any()) or bool((log_scale != 0).any()) or len(scaled) == 1:
        _rescale(scaled, log_scale, carry)
        scaled[-1] += carry.row * torch.exp(carry.log_scale - log_scale[-1]).to(scaled.dtype)[:, None]
    else:
        scaled[-1] += carry.row
    links.accumulate(start, scaled)


def _rescale(scaled: Tensor, log_scale: Tensor, carry: _Carry) -> None:
    """Put all vectors on the scale of each row's largest entry over the stretch; a row of zeros on the scale 1."""
    peak = _peak(scaled)
    largest = (peak.double().log() + log_scale).amax(0)
    scale = torch.maximum(_peak(carry.row).double().log() + carry.log_scale, largest)
    scale = torch.where(torch.isinf(scale), torch.zeros_like(scale), scale)
    if bool(peak.any()):  # in float64, where the factor of a float32 vector cannot overflow; zeros stay zeros
        scaled *= torch.where(peak == 0, 0.0, torch.exp(log_scale - scale))[..., None]
    log_scale.copy_(scale.expand_as(log_scale))


def _sound(norms: Tensor, carry: _Carry) -> bool:
    """Whether every norm has its digits, and is zero only where it is exactly so."""
    zero = norms == 0
    inside = (norms > _LEAST) & (norms < _MOST)
    if bool(inside.all()):
        return True
    # Zero before zero is zero; a norm of ordinary size does not underflow in one link.
    exact = torch.zeros_like(zero)
    exact[-1] = zero[-1] & ~carry.row.any(-1)
    exact[:-1] = zero[:-1] & (zero[1:] | (norms[1:] > _SURE))
    return bool((inside | exact).all())


def _next_stretch(norms: Tensor, stretch: int) -> int:
    """States over which a row that goes on at this rate stays in the safe range."""
    ends = norms[[0, -1]].double().log().nan_to_num(nan=0.0, neginf=0.0)
    rate = float((ends[0] - ends[1]).abs().max()) / max(len(norms) - 1, 1)
    return max(1, min(_LONGEST, 2 * stretch, int(30 / max(rate, 1e-3))))

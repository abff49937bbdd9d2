"""The adjoint recursion along a chain, kept from underflow and overflow by a logarithmic scale a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.links import Links

# States between two rescalings, at most. A stretch in which a row's norm leaves e^-35 .. e^35 is made shorter and done
# again, so that float32's squares (smallest 1e-38) never cost a norm its digits.
_LONGEST = 64
_LEAST, _MOST = math.exp(-35), math.exp(35)
# Entries below this may lose digits to float32's underflow, the row's smaller ones first.
_LITTLE = 1e-15
# A row between these needs no scale of its own yet.
_PLAIN = 12.0


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

    def __getitem__(self, states: slice) -> Scaled:
        return Scaled(self.scaled[states], self.log_scale[states])

    def __add__(self, other: Scaled) -> Scaled:
        log_scale = _zero_if_infinite(torch.maximum(self.log_peak, other.log_peak))
        return Scaled(self.on(log_scale).scaled + other.on(log_scale).scaled, log_scale)

    @property
    def log_peak(self) -> Tensor:
        """Natural logarithm of each vector's largest entry, -inf for exact zeros."""
        return self.log_scale + _peak(self.scaled).double().log()

    def on(self, log_scale: Tensor) -> Scaled:
        """The same vectors on other scales, none of them far below the vector's largest entry."""
        # In float64, where the factor of a float32 vector cannot overflow; an exact zero has any scale and stays 0.
        factor = torch.exp((self.log_scale - log_scale).clamp(max=709.0))
        return Scaled(self.scaled.clone().mul_(factor[..., None]), log_scale)

    @property
    def normalised(self) -> Scaled:
        """The same vectors, each on the scale of its largest entry; exact zeros on the scale 1."""
        return self.on(_zero_if_infinite(self.log_peak))

    @property
    def vectors(self) -> Tensor:
        """The vectors themselves in float64; what lies below 1e-308 reads 0."""
        return self.scaled.double() * self.log_scale.exp()[..., None]

    @property
    def log_norm(self) -> Float[Tensor, "states batch"]:
        """Natural logarithm of the Euclidean norm of each vector, float64; -inf for exact zeros."""
        # Piece by piece: a second copy of the states would be the largest thing in memory.
        return self.log_scale + torch.cat([log_row_norm(piece) for piece in self.scaled.split(_LONGEST)])


def log_row_norm(x: Tensor) -> Tensor:
    """log of the Euclidean norm over the last axis in float64, without under- or overflow of the squares."""
    norm = torch.linalg.vector_norm(x, dim=-1)
    if bool(((norm > _LEAST) & (norm < _MOST)).all()):
        return norm.double().log()
    peak = _peak(x)
    unit = x / torch.where(peak == 0, 1.0, peak)[..., None]
    return peak.double().log() + torch.linalg.vector_norm(unit, dim=-1).double().clamp(min=1e-300).log()


def _peak(x: Tensor) -> Tensor:
    return x.abs().amax(-1)


def _zero_if_infinite(log_scale: Tensor) -> Tensor:
    return torch.where(torch.isinf(log_scale), 0.0, log_scale)


def adjoint(links: Links, direct: Scaled) -> Scaled:
    """Solve a_T = g_T, a_{t-1} = g_{t-1} + J_t^T a_t in the log domain.

    Args:
        links: the chain's links.
        direct: g_t, the loss's direct partials; overwritten by the result, so that no copy is needed.

    Cost: T vector-Jacobian products.
    """
    _write(_at_ease(direct[-1:]), direct[-1:])
    stop, stretch = links.length, _LONGEST // 4
    while stop > 0:
        start = max(stop - stretch, 0)
        piece = direct[start : stop + 1]  # the last of these states has its total already
        if stop - start == 1:
            _write(_carried(links, stop, piece[1:]) + piece[:1], piece[:1])
            stop, stretch = start, 2
            continue
        before = Scaled(piece.scaled.clone(), piece.log_scale.clone())
        _on_one_scale(piece)
        links.accumulate(start, piece.scaled)
        norms = torch.linalg.vector_norm(piece.scaled, dim=-1)
        if _sound(norms, piece, before, links, start):
            _write(before[-1:], piece[-1:])
            stop, stretch = start, _next_stretch(norms, stretch)
        else:
            _write(before, piece)
            stretch = (stop - start + 3) // 4
    return direct


def adjoint_of_stages(links: Links, direct: Sequence[Scaled]) -> tuple[Scaled, ...]:
    """The same recursion for states of different sizes, one `(1, batch, n_t)` each, every row on a scale of its own."""
    totals = [direct[-1]]
    for t in range(links.length, 0, -1):
        totals.append(_carried(links, t, totals[-1]) + direct[t - 1])
    return tuple(reversed(totals))


def _carried(links: Links, t: int, total: Scaled) -> Scaled:
    """J_t^T a_t."""
    unit = total.normalised
    row = _at_ease(Scaled(_pull(links, t, unit.scaled[0])[None], unit.log_scale))
    return Scaled(row.scaled.to(total.scaled.dtype), row.log_scale)


def _at_ease(row: Scaled) -> Scaled:
    """A row on the scale 1 while its entries are of a size that floating point likes, else on its own."""
    return row.on(torch.where(_plain(row), 0.0, row.log_peak))


def _plain(row: Scaled) -> Tensor:
    peak = row.log_peak
    return (peak.abs() < _PLAIN) | torch.isneginf(peak)


def _pull(links: Links, t: int, unit: Tensor) -> Tensor:
    """J_t^T u for rows u whose largest entry is 1 or 0; in float64 if the link leaves little of a row."""
    pulled = links.vjp(t, unit)
    small = (_peak(pulled) < _LITTLE) & unit.any(-1)
    return links.vjp_double(t, unit) if bool(small.any()) else pulled


def _write(found: Scaled, place: Scaled) -> None:
    place.scaled.copy_(found.scaled), place.log_scale.copy_(found.log_scale)


def _on_one_scale(piece: Scaled) -> None:
    """Put a stretch of states on one scale a row: that of the row's largest entry, or 1 if it likes that as well."""
    if bool(_plain(piece[-1:]).all()) and not bool(piece.log_scale.any()):
        return
    log_peak = piece.log_peak
    scale = _zero_if_infinite(log_peak.amax(0)).expand_as(log_peak)
    # Mostly the loss looks at the last state alone.
    filled = slice(-1, None) if bool(torch.isneginf(log_peak[:-1]).all()) else slice(None)
    piece.scaled[filled] = piece[filled].on(scale[filled]).scaled
    piece.log_scale.copy_(scale)


def _sound(norms: Tensor, piece: Scaled, before: Scaled, links: Links, start: int) -> bool:
    """Whether every norm has its digits, and is zero only where it is exactly so."""
    inside = (norms > _LEAST) & (norms < _MOST)
    if bool(inside.all()):
        return True
    zero = norms == 0
    if not bool((inside | zero).all()):
        return False
    arrives = before.scaled.any(-1)
    for t in (zero[:-1] & ~zero[1:]).any(1).nonzero()[:, 0].tolist():  # the link itself must say that nothing comes
        unit = Scaled.of(piece.scaled[t + 1 : t + 2]).normalised.scaled[0]
        arrives[t] |= _pull(links, start + t + 1, unit).any(-1)
    return not bool((zero & arrives).any())


def _next_stretch(norms: Tensor, stretch: int) -> int:
    """States over which a row that goes on at this rate stays in the safe range."""
    ends = norms[[0, -1]].double().log().nan_to_num(nan=0.0, neginf=0.0)
    rate = float((ends[0] - ends[1]).abs().max()) / max(len(norms) - 1, 1)
    return max(1, min(_LONGEST, 2 * stretch, int(30 / max(rate, 1e-3))))

"""Growth of nested volumes along links: a flag carried forward, factorised as seldom as its conditioning allows.

The first i columns of a frame span the i-th space of a flag. A link maps the frame Z to J Z = Z' R with R upper
triangular: the flag moves to that of Z', and the volume of its i-th space grows by |R_11 ... R_ii| times the ratio of
the two frames' own volumes. Any such Z' will do on the way; only where growth is read off must it be orthonormal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradstudy.chains.checks import sums_to_finite
from gradstudy.errors import NonFiniteError
from gradstudy.measure.stream import Map

# What a stretch of links may do to a frame before it is factorised, in nats: spread its directions (rounding then costs
# the weakest about 1e-16 e^spread), and scale it (no entry comes near the ends of float64). Planned, and put up with.
_SPREAD, _SIZE = 15.0, 300.0
_TOLERATED = 1.2
_LONGEST = 64
# log |R_jj| this far below the first may be the rounding of an exact zero.
_SUSPECT = 25.0


class FlagPass:
    """A flag on its way along links, for each row of the batch.

    Between two factorisations the frame only meets the links. How many is planned from the last stretch; a stretch that
    spread the frame too far is done again as a shorter one, so that the growth is that of a QR at every link to about
    1e-9 nats per link in the least of the directions; to 1e-7 where single links spread the frame by nearly as much (an
    LSTM of 128 components), since then both round as far.

    Args:
        frame: `(batch, n, k)`, linearly independent columns.
        every: a QR after exactly that many links, instead of the plan.
    """

    def __init__(self, frame: Float[Tensor, "batch n k"], every: int | None = None) -> None:
        self.frame = torch.linalg.qr(frame)[0]
        self.suspect: Bool[Tensor, " batch"] = torch.zeros(len(frame), dtype=torch.bool, device=frame.device)
        """Rows in which a direction may have been annihilated since `suspect` was last cleared."""
        self._every = every
        self._stretch = every or 1

    def advance(self, links: Sequence[Map], start: int) -> Float[Tensor, "batch k"]:
        """Carry the flag through the links, from an orthonormal frame to an orthonormal frame.

        Args:
            links: maps of blocks, first applied first.
            start: the timestep of the state they start from, to name a link in an error.

        Returns:
            log of the growth of each direction: of the i-th volume over that of the one before; -inf for 0.

        Raises:
            NonFiniteError: a link makes the frame infinite or NaN.
        """
        growth = torch.zeros_like(self.frame[:, 0])
        done = 0
        while done < len(links):
            images = [self.frame]
            for link in links[done : done + self._stretch]:
                images.append(link(images[-1]))
            count, log_diagonal = self._factorise(images, start + done, done + len(images) - 1 == len(links))
            growth, done = growth + log_diagonal, done + count
        return growth

    def _factorise(self, images: list[Tensor], start: int, ends: bool) -> tuple[int, Tensor]:
        """Take the frame as many links on as it bears; that number, and the growth on the way."""
        count = len(images) - 1
        while True:
            finite = sums_to_finite(images[count]) or bool(torch.isfinite(images[count]).all())
            if not finite and count == 1:
                raise _not_finite(start + 1)
            whole = ends and count == len(images) - 1
            frame, factor = torch.linalg.qr(images[count]) if whole or self._every else _triangular(images[count])
            log_diagonal = factor.diagonal(dim1=-2, dim2=-1).abs().log_()
            spread, size = _ranges(log_diagonal) if finite else (math.inf, math.inf)
            strain = max(spread / _SPREAD, size / _SIZE)
            if count == 1 or (finite and (self._every or strain < _TOLERATED)):
                break
            count = max(1, min(count - 1, int(count / strain)))
        self.frame = frame
        if spread >= _SUSPECT:
            self.suspect |= _annihilated(factor.triu(), log_diagonal)
        self._stretch = self._every or max(1, min(2 * count, round(count / max(strain, 1e-3)), _LONGEST))
        return count, log_diagonal


def _triangular(image: Tensor) -> tuple[Tensor, Tensor]:
    """image = Z R with Z the permuted unit lower triangle of an LU decomposition: a third of the price of a QR.

    With partial pivoting no entry of Z is above 1, and Z is as well conditioned as the next stretch needs it.

    Returns:
        Z, and a square matrix whose upper triangle is R.
    """
    factors, pivots = torch.linalg.lu_factor_ex(image)[:2]
    permutation = torch.lu_unpack(factors, pivots, unpack_data=False)[0]
    numbers = torch.arange(image.shape[-2], dtype=image.dtype, device=image.device)
    rows = (permutation @ numbers).long()  # row i of Z is row rows[i] of the triangle
    lower = factors.tril(-1)
    lower.diagonal(dim1=-2, dim2=-1).fill_(1.0)
    k = image.shape[-1]
    frame = lower.mT.gather(-1, rows[:, None, :].expand(-1, k, -1)).mT
    return frame, factors[:, :k]


def _ranges(log_diagonal: Tensor) -> tuple[float, float]:
    """In the worst row, how far the diagonal reaches from its least to its largest entry, and how far from 0.

    Infinite where an entry is exactly zero.
    """
    least, largest = (ends.tolist() for ends in log_diagonal.aminmax(dim=-1))
    if not all(map(math.isfinite, least + largest)):
        return math.inf, math.inf
    spread = max(high - low for low, high in zip(least, largest, strict=True))
    return spread, max(map(abs, least + largest))


def _annihilated(factor: Tensor, log_diagonal: Tensor) -> Tensor:
    """Rows in which a diagonal entry of R is no more than rounding beside its own column."""
    columns = factor.abs().amax(-2).log()
    return ~((columns - log_diagonal).amax(-1) < _SUSPECT)


def _not_finite(t: int) -> NonFiniteError:
    return NonFiniteError(
        f"the Jacobian at timestep t={t} is not finite",
        needed="finite Jacobians whose products with unit vectors stay below 1e308",
        why="no direction has a growth from there on",
        remedy=f"measure the first {t - 1} steps, or move the state at t={t - 1} to where the link has a slope",
    )

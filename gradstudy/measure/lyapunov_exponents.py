"""Lyapunov exponents: mean growth rates of the directions of a flag along a chain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain, check_chain
from gradstudy.chains.checks import check_index, check_shape, check_tensor
from gradstudy.errors import OptionError
from gradstudy.measure.flag import FlagPass
from gradstudy.measure.graded import random_basis
from gradstudy.measure.precise import exact_rank
from gradstudy.measure.result import LN10, Result
from gradstudy.measure.stream import block_maps, chunks, dense_maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Batches of links for the standard error: isqrt(links) of them, and none at all below this many.
_FEWEST_BATCHES = 10


@dataclass(frozen=True, eq=False, repr=False)
class LyapunovExponents(Result):
    """Growth rates in nats per link, the largest first.

    Args:
        exponents: mean over the batch's rows, descending, `(k,)`, float64; -inf where a direction is annihilated.
        stderr: standard error of each by batch means over links, `(k,)`; NaN for fewer than 100 links, or -inf.
        by_row: the exponents of each row, in the same order, `(batch, k)`.
        size: n, the number of state components; there are n exponents in all.
        burn_in: links before the first that counts.
        links: links that count.
    """

    exponents: Float[Tensor, " k"]
    stderr: Float[Tensor, " k"]
    by_row: Float[Tensor, "batch k"]
    size: int
    burn_in: int
    links: int

    @property
    def dimension(self) -> float:
        """Kaplan-Yorke dimension j + (l_1 + ... + l_j) / |l_{j+1}|, j the last with a sum that is not negative.

        0 if l_1 < 0; n if no sum of all n is negative; NaN if none of the k < n is, since the rest would decide.
        """
        sums = self.exponents.cumsum(0)
        negative = (sums < 0).nonzero()[:, 0].tolist()
        if not negative:
            return float(self.size) if len(sums) == self.size else math.nan
        j = negative[0]
        return 0.0 if j == 0 else j + float(sums[j - 1] / self.exponents[j].abs())

    @property
    def entropy_rate(self) -> float:
        """Sum of the positive exponents, in nats per link; NaN if all of k < n are positive and more may be.

        Ruelle's inequality makes it an upper bound on the metric entropy of the map; Pesin's formula, for a smooth
        invariant measure, makes it equal.
        """
        if len(self.exponents) < self.size and bool(self.exponents[-1] > 0):
            return math.nan
        return float(self.exponents.clamp(min=0).sum())

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row an exponent: `index` (from 0), `exponent`, `stderr` in nats per link; `log10_...` in decades."""
        columns = {"exponent": self.exponents, "stderr": self.stderr}
        if log10:
            columns = {f"log10_{name}": values / LN10 for name, values in columns.items()}
        numbers = {name: values.cpu().numpy() for name, values in columns.items()}
        return pd.DataFrame({"index": range(len(self.exponents)), **numbers})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Exponents by index, with twice their standard error."""
        from gradstudy.plot.lyapunov_exponents import plot

        return plot(self.to_frame(), ax)

    def _summary(self) -> str:
        top, bottom = self.exponents[0].item(), self.exponents[-1].item()
        spread = f"{top:.4g} +- {self.stderr[0].item():.1g} down to {bottom:.4g}"
        return f"{len(self.exponents)} of {self.size} from {spread} nats per link, {self.links} links"


def lyapunov_exponents(
    chain: Chain,
    k: int | None = None,
    burn_in: int = 0,
    basis: Float[Tensor, "n k"] | None = None,
    every: int | None = None,
) -> LyapunovExponents:
    """Lyapunov exponents of a chain: (1/L) log of the growth of directions under J_T ... J_{b+1}, L = T - b links.

    An orthonormal basis goes forward, J_t Q_{t-1} = Q_t R_t with R_t upper triangular, and l_i is the mean of
    log |R_t[i, i]| over the links after the burn-in: the rate at which an i-dimensional volume grows beyond an
    (i-1)-dimensional one. As L grows these are the Lyapunov exponents of the trajectory; at finite L they depend on the
    start basis by O(1/L), and they are *not* the singular values of the product (`product_spectrum`).

    Args:
        chain: any chain of square links.
        k: the k largest only; all n by default (or as many as the basis has columns).
        burn_in: links b of the transient: the states and the basis advance, nothing is counted.
        basis: start basis at s_0, `(n, k)`, for every row; what counts is the flag of the spans of its first columns.
            A fixed random one by default.
        every: orthonormalise by QR after exactly so many links, instead of as often as the basis's condition asks.

    Returns:
        LyapunovExponents with `.exponents` and `.stderr` `(k,)` in nats per link, `.by_row` `(batch, k)`, `.dimension`
        and `.entropy_rate`; the standard error is NaN for fewer than 100 links after the burn-in. Each link is the
        float64 matrix it is. The plan agrees with a QR at every link to about 1e-9 nats per link, in the weakest
        directions of links that spread a basis by 10 nats and more (an LSTM's of 128 components) to 1e-7. Exact zeros
        are -inf: the number of finite exponents is at most the exact rank of the product. Directions that a single link
        squeezes by more than 1e16 against the others are below float64's resolution and read as about the rounding,
        unless the basis is aligned with them.

    Raises:
        LinkRangeError: k, burn_in or every outside the chain.
        InputShapeError, DTypeError, NonFiniteError, OptionError: of the basis, whose columns must be independent.
        NonFiniteError: a Jacobian is not finite; named by its first timestep.

    Cost: a product of n x n and n x k a link, and a factorisation (an LU decomposition, a third of the price of a QR)
    whenever the basis has spread by about 15 nats, at least every 64 links. Dense Jacobians in chunks of 64 MB if
    2k >= n, else Jacobian-vector products. Rows with links that may be singular take T products modulo a prime more.

    Source: Benettin, Galgani, Giorgilli and Strelcyn, Lyapunov characteristic exponents for smooth dynamical systems
    and for Hamiltonian systems, Meccanica 15, 1980; Kaplan and Yorke 1979 for the dimension; of recurrent networks,
    Engelken, Wolf and Abbott, Lyapunov spectra of chaotic recurrent neural networks, 2023.

    Example:
        >>> import torch, gradstudy as gs
        >>> logistic = lambda u, x: 4 * x * (1 - x)
        >>> chain = gs.time_chain(logistic, torch.zeros(5000, 1, 1), torch.tensor([[0.3]], dtype=torch.float64))
        >>> found = gs.lyapunov_exponents(chain, burn_in=100)
        >>> round(found.exponents.item(), 2), round(found.entropy_rate, 2)  # log 2
        (0.69, 0.69)
    """
    check_chain(chain)
    size = chain.square_size()
    meaning = f"the state has {size} components and the chain {chain.length} links"
    left = "nothing would be left to count after so long a transient"
    remedy = f"{meaning}; give fewer links to the burn-in, or a longer input"
    burn_in = check_index("burn_in", burn_in, 0, chain.length - 1, remedy, left)
    every = None if every is None else check_index("every", every, 1, chain.length, meaning)
    frame = _start(chain, k, basis)
    with torch.no_grad():
        growth, suspect = _growth(chain, frame, burn_in, every)
        by_row = growth.sum(0) / (chain.length - burn_in)
        for row in suspect.nonzero()[:, 0].tolist():
            _annihilate(by_row[row], exact_rank(_matrices(chain, burn_in, row)))
    exponents = by_row.mean(0)
    order = exponents.argsort(descending=True)
    stderr = _standard_error(growth, chain.length - burn_in)
    stderr = torch.where(torch.isfinite(exponents), stderr, torch.nan)
    how = f"QR every {every} links" if every else "LU and QR passes"
    return LyapunovExponents(
        f"{chain.method}, {how}",
        chain.dtype,
        exponents[order],
        stderr[order],
        by_row[:, order],
        size,
        burn_in,
        chain.length - burn_in,
    )


def _start(chain: Chain, k: int | None, basis: Tensor | None) -> Tensor:
    """The start basis of every row, `(batch, n, k)`, float64."""
    batch, size = chain.rows, chain.square_size()
    if basis is None:
        k = size if k is None else check_index("k", k, 1, size, f"the state has {size} components; leave k out for all")
        return random_basis(batch, size, size, chain.device)[..., :k]  # the same directions whatever k
    basis = check_tensor("basis", basis, getattr(basis, "dtype", torch.float64))
    check_shape("basis", basis, (size, None), "(n, k), one column a direction")
    most = min(size, basis.shape[1])
    k = check_index("k", most if k is None else k, 1, most, f"the basis has {basis.shape[1]} columns of {size}")
    basis = basis[:, :k].to(chain.device, torch.float64)
    rank = int(torch.linalg.matrix_rank(torch.nn.functional.normalize(basis, dim=0, eps=1e-300)))
    if rank < k:
        raise OptionError(
            f"a basis of {k} columns that span {rank} dimensions",
            needed="linearly independent columns",
            why="directions that are not there would be made up from rounding",
            remedy="give fewer columns, or leave basis out",
        )
    return basis.expand(batch, size, k)


def _growth(chain: Chain, frame: Tensor, burn_in: int, every: int | None) -> tuple[Tensor, Tensor]:
    """Log growth in each batch of links, `(batches, batch, k)`, and the rows that may have lost a direction."""
    flag = FlagPass(frame, every)
    links = chain.links.double()
    maps = dense_maps if 2 * frame.shape[2] >= frame.shape[1] else block_maps

    def advance(start: int, stop: int) -> Tensor:
        total = torch.zeros_like(flag.frame[:, 0])
        for first, last in chunks(chain, start, stop):
            total += flag.advance(maps(links, first, last), first)
        return total

    if burn_in:
        advance(0, burn_in)
    flag.suspect.zero_()
    edges = _edges(burn_in, chain.length)
    growth = torch.stack([advance(start, stop) for start, stop in pairwise(edges)])
    return growth, flag.suspect


def _edges(start: int, stop: int) -> list[int]:
    """Batches of links of equal length, to one link: about the square root of their number; one if they are few."""
    batches = math.isqrt(stop - start)
    batches = batches if batches >= _FEWEST_BATCHES else 1
    return [start + (stop - start) * i // batches for i in range(batches + 1)]


def _standard_error(growth: Tensor, links: int) -> Tensor:
    """Of the mean rate, from the scatter of the batches' growth; NaN for one batch."""
    batches = len(growth)
    if batches == 1:
        return torch.full_like(growth[0, 0], torch.nan)
    return growth.mean(1).std(0) * math.sqrt(batches) / links


def _annihilate(exponents: Tensor, rank: int) -> None:
    """Set all but the `rank` largest to -inf: they are rounding."""
    exponents[exponents.argsort(descending=True)[rank:]] = -torch.inf


def _matrices(chain: Chain, start: int, row: int) -> Iterator[Tensor]:
    """The links' float64 matrices of one row, one after the other."""
    links = chain.links.double()
    for first, last in chunks(chain, start, chain.length):
        yield from links.jacobians(first, last)[:, row].cpu()

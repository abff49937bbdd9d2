"""Gradient flow: how large d s_t / d s_k is for every pair of states, and how fast it falls with the lag."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain, check_chain
from gradstudy.chains.checks import check_finite, check_index
from gradstudy.errors import OptionError
from gradstudy.measure.log_norms import log_frobenius_norm, log_spectral_norm
from gradstudy.measure.result import LN10, Result
from gradstudy.measure.straight import (
    Window,
    least_squares_slopes,
    slopes_of_pieces,
    straight_window,
    student_half_width,
)
from gradstudy.measure.stream import chunks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Numbers of the products whose norms are taken together: 64 MB in float64.
_TOGETHER = 2**23
# Each log norm is right to so many nats; a slope smaller than that allows is not told from 0.
_ERROR = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow(Result):
    """log |d s_t / d s_k| for the states s_t and s_k of a grid of times.

    Args:
        log_norm: natural logarithms, `(K, K, batch)`, float64: `log_norm[i, j]` is that of d s_t / d s_k with
            t = times[i], k = times[j]. -inf where the derivative is exactly 0; so it is above the diagonal (t < k), as
            no state depends on a later one. On the diagonal stands the identity.
        times: the K times 0, every, 2 every, ... <= T.
        norm: "spectral" or "frobenius".
        length: T.
    """

    log_norm: Float[Tensor, "ends starts batch"]
    times: tuple[int, ...]
    norm: str
    length: int

    @property
    def mean(self) -> Float[Tensor, "ends starts"]:
        """Mean over the batch's rows; -inf if any row's derivative is 0."""
        return self.log_norm.mean(-1)

    @property
    def quartiles(self) -> Float[Tensor, "3 ends starts"]:
        """Lower quartile, median and upper quartile over the batch's rows, each the nearest row's value."""
        ordered, last = self.log_norm.sort(dim=-1).values, self.log_norm.shape[-1] - 1
        return torch.stack([ordered[..., round(share * last)] for share in (0.25, 0.5, 0.75)])

    @property
    def lags(self) -> tuple[int, ...]:
        """The lags t - k of the grid, 0, every, 2 every, ..."""
        return self.times

    @cached_property
    def log_norm_by_lag(self) -> Float[Tensor, "lags batch"]:
        """Mean of each row's log norms over all pairs of states that far apart."""
        lags = range(len(self.times))
        return torch.stack([self.log_norm.diagonal(offset=-lag).mean(-1) for lag in lags])

    @cached_property
    def window(self) -> tuple[int, int] | None:
        """First and last lag over which the mean log norm is straight in the lag; None if there is no such window.

        Of the lags up to T/2, each of which at least half of the starts reach, the longest run whose mean log norms
        (over rows and starts) all lie within 5 % of the line's change over the run, or within 0.05 nats, of their
        least-squares line. A run has at least three lags and ends before a mean of -inf.
        """
        found = self._window
        return None if found is None else (self.lags[found.start], self.lags[found.stop - 1])

    @cached_property
    def slope(self) -> float:
        """Slope of the mean log norm on the lag over the window, nats per link; NaN without one."""
        return float(self._slopes(rows=True).mean()) if self._window else math.nan

    @cached_property
    def slope_interval(self) -> tuple[float, float]:
        """95 % interval of the slope, (-inf, inf) if there is nothing to take it from.

        Lags share links, so they are no replicates. With several rows: Student's interval over the slopes of the rows.
        With one, as wide as that of the slopes, from the first start alone, in up to eight pieces of the window, which
        share no link. Widened by what an error of 1e-9 nats in each log norm can do to a slope.
        """
        if self.window is None:
            return -math.inf, math.inf
        half = student_half_width(self._slopes(rows=self.log_norm.shape[-1] > 1))
        half += 3 * _ERROR / (self.window[1] - self.window[0])
        return self.slope - half, self.slope + half

    @property
    def decay_length(self) -> float:
        """-1 / slope, in links; inf unless the slope's interval lies wholly below 0; NaN without a window."""
        if self._window is None:
            return math.nan
        return -1 / self.slope if self.slope_interval[1] < 0 else math.inf

    @property
    def half_life(self) -> float:
        """The lag at which the mean log norm first lies log 2 below that of lag 0, linear between lags.

        The chain's largest lag if it never does: then the half-life is longer (`half_life_censored`). If the mean
        leaves for -inf, the last lag before.
        """
        below = self._below_half()
        if below is None:
            return float(self.lags[-1])
        curve, half = self.log_norm_by_lag.mean(-1), self._half
        before = float(curve[below - 1])
        share = (before - half) / (before - float(curve[below]))
        return self.lags[below - 1] + share * (self.lags[below] - self.lags[below - 1])

    @property
    def half_life_censored(self) -> bool:
        """Whether the mean log norm has not fallen by log 2 within the chain."""
        return self._below_half() is None

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a pair of times and batch row, t >= k only: `t`, `k`, `row`, `log_norm` (or `log10_norm`)."""
        ends, starts = torch.tril_indices(len(self.times), len(self.times))
        times, rows = torch.tensor(self.times), self.log_norm.shape[-1]
        values = self.log_norm.cpu()[ends, starts].flatten().numpy()
        columns = {
            "t": times[ends].repeat_interleave(rows).numpy(),
            "k": times[starts].repeat_interleave(rows).numpy(),
            "row": torch.arange(rows).repeat(len(ends)).numpy(),
        }
        return pd.DataFrame({**columns, "log10_norm" if log10 else "log_norm": values / LN10 if log10 else values})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Heat map of the mean over rows of log10 |d s_t / d s_k|, k across and t up."""
        from gradstudy.plot.gradient_flow import plot

        return plot(self.to_frame(log10=True), ax)

    def _summary(self) -> str:
        _, starts, batch = self.log_norm.shape
        half = f"{'> ' if self.half_life_censored else ''}{self.half_life:.4g}"
        return (
            f"T={self.length}, {starts} starts, batch={batch}, decay length {self.decay_length:.4g}, half-life {half}"
        )

    @cached_property
    def _window(self) -> Window | None:
        reached = len(self.times) // 2 + 1
        return straight_window(self.log_norm_by_lag.mean(-1)[:reached])

    def _slopes(self, rows: bool) -> Tensor:
        """Slopes over the window in nats per link: one a row, or one a piece of the window from the first start."""
        assert self._window is not None
        inside, every = slice(self._window.start, self._window.stop), self.times[1]
        if rows:
            return least_squares_slopes(self.log_norm_by_lag[inside].T) / every
        return slopes_of_pieces(self.log_norm[inside, 0, 0]) / every

    @property
    def _half(self) -> float:
        return float(self.log_norm_by_lag[0].mean()) - math.log(2)

    def _below_half(self) -> int | None:
        below = (self.log_norm_by_lag.mean(-1) <= self._half).nonzero()
        return int(below[0]) if len(below) else None


def gradient_flow(chain: Chain, every: int = 1, norm: str = "spectral") -> GradientFlow:
    """Norms of d s_t / d s_k = J_t ... J_{k+1} for all pairs of times k <= t of a grid, in the log domain.

    All starts advance together as one block, P_{t,k} = J_t P_{t-1,k}, each on a logarithmic scale of its own, so that
    nothing under- or overflows. The spectral norm is the square root of the largest eigenvalue of P^T P.

    Args:
        chain: any chain of square links.
        every: step of the grid of times, 0, every, 2 every, ... <= T.
        norm: "spectral" (the largest singular value) or "frobenius" (the root of the sum of squares).

    Returns:
        GradientFlow with `.log_norm` `(K, K, batch)`, natural logarithms, float64, and what follows from it:
        `.mean`, `.quartiles`, `.decay_length`, `.half_life`. A log norm is right to 1e-9 nats unless links cancel each
        other: a product whose norm is e^-g of the product of its parts' norms keeps 36 - g nats. Exact zeros are -inf.
        `.decay_length` is -1 / slope of the mean log norm on the lag, where it is straight, in links; inf unless the
        slope's 95 % interval lies below 0, so too few lags or rows to tell read inf as well (see `.slope_interval`).
        `.half_life` is the first lag at which the mean is halved, its fast first links included: not log 2 times the
        decay length.

    Raises:
        LinkRangeError: every is not between 1 and T.
        OptionError: another norm.
        NonFiniteError: a Jacobian is not finite.

    Cost: K T n^3 / 2 operations a row, and for the spectral norm K^2 / 2 eigenvalue problems of size n, which are most
    of the time (n = 128: about 1 ms each); memory O(batch K n^2). `every` makes K = T / every smaller.

    Source: Pascanu, Mikolov and Bengio 2013, Eq. 5 (the factors ds_t/ds_k of their temporal components).

    Example:
        >>> import torch, gradstudy as gs
        >>> half = lambda u, s: 0.5 * s
        >>> chain = gs.time_chain(half, torch.zeros(20, 1, 1), torch.ones(1, 3, dtype=torch.float64))
        >>> flow = gs.gradient_flow(chain)
        >>> round(flow.log_norm[20, 5, 0].item(), 4), round(flow.decay_length, 4), round(flow.half_life, 4)
        (-10.3972, 1.4427, 1.0)
    """
    check_chain(chain)
    every = check_index("every", every, 1, chain.length, f"the chain has {chain.length} links")
    if norm not in _NORMS:
        raise OptionError(
            f"norm={norm!r}",
            needed="'spectral' or 'frobenius'",
            why="the size of a matrix depends on the norm",
            remedy="choose one of the two; leave norm out for the spectral norm",
        )
    with torch.no_grad():
        log_norm = _log_norms(chain, every, norm)
    times = tuple(range(0, chain.length + 1, every))
    return GradientFlow(f"{chain.method}, scaled products", chain.dtype, log_norm, times, norm, chain.length)


def _log_norms(chain: Chain, every: int, norm: str) -> Tensor:
    """Row i of the result is filled when the block has reached time i * every; then the next start joins it."""
    batch, size = chain.rows, chain.square_size()
    links, count = chain.links.double(), chain.length // every + 1
    together = max(1, _TOGETHER // (batch * size * size))
    result = torch.full((count, count, batch), -torch.inf, dtype=torch.float64, device=chain.device)
    identity = torch.eye(size, dtype=torch.float64, device=chain.device).expand(batch, size, size)
    block, log_scale = identity, torch.zeros_like(result[:1, 0])
    result[0, 0] = _NORMS[norm](identity)
    for first, last in chunks(chain, 0, every * (count - 1)):
        for t, jacobian in enumerate(links.jacobians(first, last), start=first + 1):
            check_finite(f"the Jacobian at timestep t={t}", jacobian)
            block, log_scale = _rescaled(jacobian @ block, log_scale)
            if t % every == 0:
                i = t // every
                products = block.unflatten(-1, (i, size)).permute(2, 0, 1, 3)
                result[i, :i] = log_scale + torch.cat([_NORMS[norm](some) for some in products.split(together)])
                result[i, i] = result[0, 0]
                block = torch.cat([block, identity], dim=-1)
                log_scale = torch.cat([log_scale, torch.zeros_like(log_scale[:1])])
    return result


def _rescaled(block: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Each product `(n, n)` of the block `(batch, n, starts n)` divided by its largest entry, its scale the greater."""
    products = block.unflatten(-1, (len(log_scale), -1))
    peak = torch.linalg.vector_norm(products, torch.inf, dim=(1, 3))
    divisor = torch.where(peak == 0, torch.ones_like(peak), peak)
    return products.div_(divisor[:, None, :, None]).flatten(2), log_scale + peak.log().T


_NORMS = {"spectral": log_spectral_norm, "frobenius": log_frobenius_norm}

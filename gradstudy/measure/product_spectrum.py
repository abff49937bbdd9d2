"""Singular values of long Jacobian products, as logarithms with an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain
from gradstudy.chains.links import Links
from gradstudy.errors import LinkRangeError
from gradstudy.measure.graded import GradedFactor, graded_pass, log_singular_values
from gradstudy.measure.precise import exact_rank, precise_factor
from gradstudy.measure.result import Result, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Map = Callable[[Tensor], Tensor]

# Two passes that agree to _AGREE nats are taken as they are; otherwise the row is done again with more bits. Thousands
# of nats are sums of as many rounded logarithms, so values that large may differ by a little more.
_AGREE = 1e-11
_AGREE_RELATIVE = 1e-14
_AGREE_MOST = 5e-11
# What is left once the passes agree: the rounding of the last factor's SVD, far below the 1e-9 promised.
_FLOOR = 1e-10
# A link whose pivots on the basis shrink below this may be singular: its exact rank is then asked for.
_SUSPECT = 1e-11
_OVERSAMPLE = 8
_MAX_SWEEPS = 40


@dataclass(frozen=True, eq=False, repr=False)
class ProductSpectrum(Result):
    """Log singular values of d s_stop / d s_start.

    Args:
        log_singular_values: natural logarithms, descending, `(batch, min(n) or k)`, float64; -inf where the exact
            value is 0.
        error: bound on each one's error in nats, `(batch, min(n) or k)`; 0 for -inf.
        start, stop: the states the product maps between.
    """

    log_singular_values: Float[Tensor, "batch k"]
    error: Float[Tensor, "batch k"]
    start: int
    stop: int

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a batch row and value: `row`, `index`, `log_singular_value`, `error` (nats, or decades)."""
        frame = tidy(self.log_singular_values, ("row", "index"), "log_singular_value", log10)
        error = tidy(self.error, ("row", "index"), "log_error", log10)
        return frame.assign(error=error.iloc[:, -1])

    def plot(self, ax: Axes | None = None) -> Axes:
        """log10 singular values by index, one line a batch row."""
        from gradstudy.plot.product_spectrum import plot

        return plot(self.to_frame(log10=True), ax)

    def _summary(self) -> str:
        top, bottom = self.log_singular_values[:, 0].max().item(), self.log_singular_values[:, -1].min().item()
        worst = self.error.max().item()
        return f"s_{self.start} -> s_{self.stop}, log sigma from {bottom:.4g} to {top:.4g} nats, error <= {worst:.1e}"


def product_spectrum(chain: Chain, start: int = 0, stop: int | None = None, k: int | None = None) -> ProductSpectrum:
    """Log singular values of the Jacobian product d s_stop / d s_start = J_stop ... J_{start+1}.

    Each link is read as the float64 matrix it is. A transposed QR pass gives a start basis, a forward and a backward
    pass keep the triangular product as diag(exp l) U with l as logarithms, and one-sided Jacobi rotations take the
    singular values of that graded factor. Rows on which the two passes disagree by more than 1e-11 nats are done again
    with as many bits as they need; singular links get their exact rank, so that exact zeros are -inf.

    Args:
        chain: any chain of square links (any links for `k` far below n).
        start, stop: states between which the product maps; the whole chain by default.
        k: the k largest only, matrix-free by block power sweeps where n is much larger (2 (k + 8) <= n).

    Returns:
        ProductSpectrum. `.error` is at least the true error against exact arithmetic on the same links, and at most
        100 times it + 1e-9 nats.

    Raises:
        LinkRangeError: start, stop or k outside the chain.

    Cost: three QR passes, O(T n^3) a row; with `k` O(T n^2 (k + 8)) a sweep, two to ten sweeps as a rule. In rows that
    need more bits O(T n^3) operations in software, slower by some hundred times.

    Source: the graded factor's SVD follows Demmel and Veselic, Jacobi's method is more accurate than QR, 1992.

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4).double(), torch.randn(2000, 2, 3).double())
        >>> spectrum = gs.product_spectrum(chain)
        >>> tuple(spectrum.log_singular_values.shape), bool(spectrum.error.max() < 1e-9)
        ((2, 4), True)
    """
    stop = chain.length if stop is None else stop
    size = chain.states.shape[-1]
    _check(chain, start, stop, size if k is None else k, size)
    links = chain.links.double()
    basis = _random_basis(chain.states.shape[1], size, size, chain.states.device)
    with torch.no_grad():
        if k is not None and 2 * (k + _OVERSAMPLE) <= size:
            values, error, how = _largest(links, start, stop, k, basis)
        else:
            jacobians = chain.links.jacobians(start, stop).double()
            values, error, how = _all(jacobians, basis)
            values, error = values[:, :k], error[:, :k]
    return ProductSpectrum(f"{chain.method}, {how}", chain.dtype, values, error, start, stop)


def _random_basis(batch: int, size: int, k: int, device: torch.device) -> Tensor:
    """The same random orthonormal start for every row and call; nothing is drawn from the global generator."""
    generator = torch.Generator().manual_seed(20130616)
    basis, _ = torch.linalg.qr(torch.randn(size, k, generator=generator, dtype=torch.float64))
    return basis.to(device).expand(batch, size, k)


def _maps(jacobians: Tensor) -> tuple[list[Map], list[Map]]:
    """The product's factors and, in the transposed product's order, their transposes."""
    forward: list[Map] = [lambda block, j=j: j @ block for j in jacobians]  # type: ignore[misc]
    backward: list[Map] = [lambda block, j=j: j.transpose(1, 2) @ block for j in jacobians.flip(0)]  # type: ignore[misc]
    return forward, backward


def _all(jacobians: Tensor, basis: Tensor) -> tuple[Tensor, Tensor, str]:
    """All singular values: three passes, then the rows that need a rank or more bits."""
    forward, backward = _maps(jacobians)
    passes = [graded_pass(backward, basis)]
    for maps in (forward, backward):
        passes.append(graded_pass(maps, passes[-1].basis))
    suspect = torch.stack([one.worst for one in passes]).amax(0) > 1 / _SUSPECT
    values = torch.full_like(passes[0].log_diagonal, torch.nan)
    error = torch.full_like(values, torch.inf)
    sound = ~suspect
    if sound.any():
        earlier, values[sound] = (_values(one, sound) for one in passes[1:])
        error[sound] = _FLOOR + 10 * _running_max((values[sound] - earlier).abs())
    agree = (_AGREE_RELATIVE * values.abs().amax(-1)).clamp(_AGREE, _AGREE_MOST)
    redo = ~(error.amax(-1) <= _FLOOR + 10 * agree)
    for row in redo.nonzero()[:, 0].tolist():
        values[row], error[row] = _careful(jacobians[:, row].cpu(), bool(suspect[row]))
    how = "graded QR passes" + (f", {int(redo.sum())} row(s) with extra bits" if redo.any() else "")
    return values, error, how


def _values(factor: GradedFactor, rows: Tensor | None = None) -> Tensor:
    keep = slice(None) if rows is None else rows
    return log_singular_values(factor.log_diagonal[keep], factor.unit[keep].transpose(1, 2))


def _running_max(gap: Tensor) -> Tensor:
    return torch.cummax(gap.nan_to_num(nan=torch.inf), dim=-1).values


def _careful(jacobians: Tensor, suspect: bool) -> tuple[Tensor, Tensor]:
    """One row: its exact rank if a link may be singular, then the remaining values with extra bits."""
    size = jacobians.shape[-1]
    rank = exact_rank(jacobians) if suspect else size
    values = torch.full((size,), -torch.inf, dtype=torch.float64)
    error = torch.zeros(size, dtype=torch.float64)
    if rank == 0:
        return values, error
    _, backward = _maps(jacobians[:, None])
    start = graded_pass(backward, _random_basis(1, size, rank, jacobians.device))
    found = precise_factor(jacobians, start.basis[0])
    if found is None:
        values[:rank], error[:rank] = torch.nan, torch.inf
        return values, error
    log_diagonal, unit = found
    values[:rank] = log_singular_values(log_diagonal[None], unit.T[None])[0]
    error[:rank] = _FLOOR
    return values, error


def _largest(links: Links, start: int, stop: int, k: int, basis: Tensor) -> tuple[Tensor, Tensor, str]:
    """The k largest by block power sweeps; the error extrapolates the sweeps' geometric convergence."""
    steps = range(start + 1, stop + 1)
    forward: list[Map] = [lambda block, t=t: links.jvp(t, block) for t in steps]  # type: ignore[misc]
    backward: list[Map] = [lambda block, t=t: links.vjp(t, block) for t in reversed(steps)]  # type: ignore[misc]
    block = basis[..., : k + _OVERSAMPLE]
    values, gap = None, None
    for sweep in range(_MAX_SWEEPS):
        factor = graded_pass(backward if sweep % 2 == 0 else forward, block)
        block = factor.basis
        new = _values(factor)[:, :k]
        if values is not None:
            last, gap = gap, _running_max((new - values).abs())
            if last is not None and bool((gap <= _AGREE).all()):
                break
        values = new
    assert values is not None
    assert gap is not None
    ratio = (gap / last.clamp(min=1e-300)).clamp(max=0.99) if last is not None else torch.full_like(gap, 0.99)
    return new, _FLOOR + 10 * gap / (1 - ratio), f"block power, {sweep + 1} sweeps"


def _check(chain: Chain, start: int, stop: int, k: int, size: int) -> None:
    if not 0 <= start < stop <= chain.length:
        raise LinkRangeError(
            f"start={start}, stop={stop}",
            needed=f"0 <= start < stop <= {chain.length}",
            why="the product d s_stop / d s_start runs over at least one link of the chain",
            remedy="count states from 0 to T",
        )
    if not 1 <= k <= size:
        raise LinkRangeError(
            f"k={k}",
            needed=f"1 <= k <= {size}",
            why=f"the state has {size} components",
            remedy="leave k out for all singular values",
        )

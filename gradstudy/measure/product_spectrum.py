"""Singular values of long Jacobian products, as logarithms with an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradstudy.chains.chain import Chain, check_chain
from gradstudy.chains.checks import check_index
from gradstudy.chains.stage_links import StageLinks, refuse_large_product
from gradstudy.measure.graded import (
    GradedFactor,
    double_double_pass,
    graded_pass,
    log_singular_values,
    random_basis,
)
from gradstudy.measure.matrix_free import LARGE, formed, is_large, largest_values, product_noise, product_operator
from gradstudy.measure.precise import exact_rank, precise_factor
from gradstudy.measure.result import Result, tidy
from gradstudy.measure.stream import Map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
# log(sigma_k / sigma_{k+8}) above which a sweep of block power shrinks the error at least tenfold.
_SEPARATION = 1.2
_MAX_SWEEPS = 12


@dataclass(frozen=True, eq=False, repr=False)
class ProductSpectrum(Result):
    """Log singular values of d s_stop / d s_start.

    Args:
        log_singular_values: natural logarithms, descending, `(batch, min(n) or k)`, float64; -inf where the exact
            value is 0.
        error: bound on each one's error in nats, `(batch, min(n) or k)`; 0 for an exact -inf; inf where one of the k
            largest of large stages lies below the rounding of their products.
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
    in double-double, and if that is not enough with as many bits as they need; singular links get their exact rank, so
    that exact zeros are -inf.

    Args:
        chain: any chain.
        start, stop: states between which the product maps; the whole chain by default.
        k: the k largest only; by block power sweeps, without dense matrices, where n is much larger (2 (k + 8) <= n)
            and sigma_k stands clear of sigma_{k+8}; else from the whole spectrum, or over depth from products with
            blocks of vectors alone (block Lanczos), as always where a state has more than 512 components.

    Returns:
        ProductSpectrum. `.error` is at least the true error against exact arithmetic on the same links, and at most
        100 times it + 1e-9 nats. Of the k largest of large stages it is an estimate of rounding in the chain's dtype,
        not a proof.

    Raises:
        LinkRangeError: start, stop or k outside the chain.
        TooLargeError: over depth, dense links that would not fit into memory.
        ConvergenceError: values of large stages that do not come to stand apart.
        UnsupportedModuleError: something that is no chain.

    Cost: three QR passes, O(T n^3) a row; with `k` O(T n^2 (k + 8)) a sweep, three to six sweeps as a rule. Rows in
    double-double, as those of most LSTMs with links of condition 1e3 to 1e6, take some five times as long. Rows of
    deficient rank take T products modulo each of two primes more, and the passes again with as many columns as the
    rank. What is uncertain even then, as with links of condition above some 1e13, takes O(T n^3) operations in
    software, slower by some hundred times.

    Source: the graded factor's SVD follows Demmel and Veselic, Jacobi's method is more accurate than QR, 1992.

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4).double(), torch.randn(2000, 2, 3).double())
        >>> spectrum = gs.product_spectrum(chain)
        >>> tuple(spectrum.log_singular_values.shape), bool(spectrum.error.max() < 1e-9)
        ((2, 4), True)
    """
    check_chain(chain)
    start, stop = _window(chain, start, stop)
    size = min(chain.sizes[start], chain.sizes[stop])
    if k is not None:
        check_index("k", k, 1, size, f"the product has {size} singular values; leave k out for all")
    with torch.no_grad():
        few = None if k is None else _few(chain, start, stop, k)
        values, error, how = few or _all(_factors(chain, start, stop))
    values = nn.functional.pad(values, (0, size - values.shape[1]), value=-torch.inf)[:, :k]
    error = nn.functional.pad(error, (0, size - error.shape[1]))[:, :k]
    return ProductSpectrum(f"{chain.method}, {how}", chain.dtype, values, error, start, stop)


def _few(chain: Chain, start: int, stop: int, k: int) -> tuple[Tensor, Tensor, str] | None:
    """The k largest without the dense links, where that is cheaper and certain; else None."""
    sizes = chain.sizes[start : stop + 1]
    over_depth, much_smaller = isinstance(chain.links, StageLinks), 2 * (k + _OVERSAMPLE) <= min(sizes)
    if over_depth and max(sizes) > LARGE:
        return _of_stages(chain, start, stop, k)
    few = _largest(chain, start, stop, k) if much_smaller else None
    return _of_stages(chain, start, stop, k) if few is None and over_depth and much_smaller else few


def _factors(chain: Chain, start: int, stop: int) -> list[Tensor]:
    """The dense links, read as the float64 matrices they are."""
    if not isinstance(chain.links, StageLinks):
        return list(chain.links.jacobians(start, stop).double())
    refuse_large_product(chain.links, start, stop)
    return [chain.links.jacobian(t).double() for t in range(start + 1, stop + 1)]


def _of_stages(chain: Chain, start: int, stop: int, k: int) -> tuple[Tensor, Tensor, str]:
    """The k largest of a product of large links: from products with blocks alone, or formed from its smaller side."""
    product = product_operator(chain, start, stop)
    operator = product.operator
    k = min(k, *chain.sizes[start : stop + 1])  # what is behind is exactly 0
    if is_large(operator.n_in, operator.n_out, k):
        sigma, relative = largest_values(operator, k)
        how = "block Lanczos on the product"
    else:
        dense = formed(operator)
        sigma, relative, how = torch.linalg.svdvals(dense)[:, :k], torch.zeros_like(dense[:, 0, 0]), "product formed"
    sigma = sigma.double()
    # Each product with a vector rounds: that is felt in units of the largest value, or of more that cancels on the way.
    rounding = 8 * torch.finfo(chain.dtype).eps * (stop - start) * sigma[:, :1] + product_noise(operator)[:, None]
    error = _FLOOR + relative[:, None] - torch.log1p(-(rounding / sigma).clamp(max=1.0))
    error = torch.where(error.isnan(), torch.inf, error)
    return sigma.log() + product.log_scale, torch.where(sigma[:, :1] == 0, 0.0, error), how


def _window(chain: Chain, start: int, stop: int | None) -> tuple[int, int]:
    meaning = "the product d s_stop / d s_start runs over at least one link; states are counted from 0 to T"
    start = check_index("start", start, 0, chain.length - 1, meaning)
    stop = chain.length if stop is None else stop
    return start, check_index("stop", stop, start + 1, chain.length, meaning)


def _all(factors: Sequence[Tensor]) -> tuple[Tensor, Tensor, str]:
    """All singular values that are not exactly 0 for the shapes alone, `(batch, the smallest size on the way)`.

    Rows of deficient rank are done with as many columns as their exact rank; the values behind are -inf.
    """
    batch, size = len(factors[0]), min(min(factor.shape[1:]) for factor in factors)
    values = torch.full((batch, size), -torch.inf, dtype=torch.float64, device=factors[0].device)
    error, tiers = torch.zeros_like(values), Counter[str]()
    first = _passes(factors, size)
    ranks = [
        exact_rank(factor[row].cpu() for factor in factors) if suspect else size
        for row, suspect in enumerate(_suspect(first).tolist())
    ]
    for rank in sorted(set(ranks) - {0}):
        rows = torch.tensor([one == rank for one in ranks], device=values.device)
        some = [factor[rows] for factor in factors]
        passes = _passes(some, rank) if rank < size else tuple(_of_rows(one, rows) for one in first)
        values[rows, :rank], error[rows, :rank] = _refined(some, passes, tiers)
    return values, error, ", ".join(["graded QR passes", *(f"{count} row(s) {name}" for name, count in tiers.items())])


Passes = tuple[GradedFactor, ...]


def _passes(factors: Sequence[Tensor], columns: int) -> Passes:
    """A transposed pass from a random basis, a forward pass from where it ends, and one back."""
    forward: list[Map] = [lambda block, j=j: j @ block for j in factors]  # type: ignore[misc]
    backward: list[Map] = [lambda block, j=j: j.mT @ block for j in reversed(factors)]  # type: ignore[misc]
    batch, end, _ = factors[-1].shape
    passes = [graded_pass(backward, random_basis(batch, end, columns, factors[-1].device))]
    for maps in (forward, backward):
        passes.append(graded_pass(maps, passes[-1].basis))
    return tuple(passes)


def _suspect(passes: Passes) -> Tensor:
    return torch.stack([one.worst for one in passes]).amax(0) > 1 / _SUSPECT


def _of_rows(factor: GradedFactor, rows: Tensor) -> GradedFactor:
    return GradedFactor(factor.log_diagonal[rows], factor.unit[rows], factor.basis[rows], factor.worst[rows])


def _refined(factors: Sequence[Tensor], passes: Passes, tiers: Counter[str]) -> tuple[Tensor, Tensor]:
    """Values and errors of rows of one rank; what float64 leaves uncertain in double-double, and then in FLINT."""
    values, error = _compared(passes[1], passes[2], ~_suspect(passes))
    again = _uncertain(values, error)
    if again.any() and len({factor.shape for factor in factors}) == 1:
        links = torch.stack([factor[again] for factor in factors])
        values[again], error[again] = _double_double(links, passes[-1].basis[again])
    left = _uncertain(values, error)
    for row in left.nonzero()[:, 0].tolist():
        values[row], error[row] = _precise([factor[row].cpu() for factor in factors], values.shape[1])
    for rows, name in ((again & ~left, "in double-double"), (left, "with extra bits")):
        if rows.any():
            tiers[name] += int(rows.sum())
    return values, error


def _compared(earlier: GradedFactor, later: GradedFactor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The later pass's values, and an error from how far the earlier pass's are; NaN and inf outside the rows."""
    values = torch.full_like(later.log_diagonal, torch.nan)
    error = torch.full_like(values, torch.inf)
    if rows.any():
        before, values[rows] = (_values(one, rows) for one in (earlier, later))
        error[rows] = _FLOOR + 10 * _running_max((values[rows] - before).abs())
    return values, error


def _uncertain(values: Tensor, error: Tensor) -> Tensor:
    agree = (_AGREE_RELATIVE * values.abs().amax(-1)).clamp(_AGREE, _AGREE_MOST)
    return ~(error.amax(-1) <= _FLOOR + 10 * agree)


def _double_double(jacobians: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Two passes in double-double, from the basis that the passes in float64 came to."""
    forward = double_double_pass(jacobians, basis)
    backward = double_double_pass(jacobians.transpose(2, 3).flip(0), forward.basis)
    return _compared(forward, backward, (forward.log_diagonal + backward.log_diagonal).isfinite().all(-1))


def _values(factor: GradedFactor, rows: Tensor | None = None) -> Tensor:
    keep = slice(None) if rows is None else rows
    return log_singular_values(factor.log_diagonal[keep], factor.unit[keep].transpose(1, 2))


def _running_max(gap: Tensor) -> Tensor:
    return torch.cummax(gap.nan_to_num(nan=torch.inf), dim=-1).values


def _precise(factors: Sequence[Tensor], rank: int) -> tuple[Tensor, Tensor]:
    """One row: the values that are not exactly 0, in as many bits as they need."""
    end = factors[-1].shape[0]
    found = precise_factor(factors, random_basis(1, end, rank, factors[-1].device)[0])
    if found is None:
        return torch.full((rank,), torch.nan), torch.full((rank,), torch.inf)
    log_diagonal, unit = found
    values = log_singular_values(log_diagonal[None], unit.T[None])[0]
    return values, torch.where(values.isfinite(), _FLOOR, torch.inf)


def _largest(chain: Chain, start: int, stop: int, k: int) -> tuple[Tensor, Tensor, str] | None:
    """The k largest by block power sweeps; None where they cannot be certain of all their digits.

    A sweep shrinks the error by the square of sigma_{k+8} / sigma_k; unless that is below a tenth, two sweeps that
    agree prove nothing. Pivots that vanish hint at exact zeros, which only the full spectrum can tell.
    """
    steps = range(start + 1, stop + 1)
    forward, backward = _sweeps(chain, steps)
    factor = graded_pass(backward, random_basis(chain.rows, chain.sizes[stop], k + _OVERSAMPLE, chain.device))
    values = _values(factor)
    for sweep in range(2, _MAX_SWEEPS + 1):
        factor = graded_pass(backward if sweep % 2 else forward, factor.basis)
        earlier, values = values, _values(factor)
        separation = values[:, k - 1] - values[:, -1]
        if bool((factor.worst > 1 / _SUSPECT).any()) or not bool((separation > _SEPARATION).all()):
            return None
        gap = _running_max((values - earlier).abs())[:, :k]
        if sweep > 2 and bool((gap <= _AGREE).all()):
            return values[:, :k], _FLOOR + 10 * gap, f"block power, {sweep} sweeps"
    return None


def _sweeps(chain: Chain, steps: range) -> tuple[list[Map], list[Map]]:
    """The factors as maps and, in the transposed product's order, their transposes, read as the matrices they are."""
    links = chain.links
    if isinstance(links, StageLinks):
        factors = _factors(chain, steps[0] - 1, steps[-1])
        return [lambda block, j=j: j @ block for j in factors], [lambda block, j=j: j.mT @ block for j in factors[::-1]]  # type: ignore[misc]
    if chain.dtype == torch.float64:
        return (
            [lambda block, t=t: links.jvp(t, block) for t in steps],  # type: ignore[misc]
            [lambda block, t=t: links.vjp(t, block) for t in reversed(steps)],  # type: ignore[misc]
        )

    def dense(t: int) -> Tensor:  # rounded as chain.jacobian(t) is; a float64 jvp would be of another matrix
        return chain.links.jacobians(t - 1, t)[0].double()

    return (
        [lambda block, t=t: dense(t) @ block for t in steps],  # type: ignore[misc]
        [lambda block, t=t: dense(t).transpose(1, 2) @ block for t in reversed(steps)],  # type: ignore[misc]
    )

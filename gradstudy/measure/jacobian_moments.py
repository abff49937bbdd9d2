"""Moments of the squared singular values of a Jacobian product, estimated from products with random vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain, check_chain
from gradstudy.chains.checks import check_finite, check_index
from gradstudy.errors import OptionError
from gradstudy.measure.result import LN10, Result, tidy
from gradstudy.models.randomness import generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Numbers of the blocks of probes that go through the chain together.
_TOGETHER = 2**24


@dataclass(frozen=True, eq=False, repr=False)
class JacobianMoments(Result):
    """Moments of the n squared singular values of J = d s_stop / d s_start, n the components of one row of s_start.

    Standard errors are those of the estimate for the one J at hand, over the probes; NaN where J reads as 0.

    Args:
        log_mean: natural log of m_1 = tr(J^T J) / n, `(batch,)`, float64; -inf for an exact zero.
        log_mean_stderr: its standard error in nats, `(batch,)`.
        log_second_moment: natural log of m_2 = tr((J^T J)^2) / n, `(batch,)`.
        log_second_moment_stderr: its standard error in nats.
        relative_variance: m_2 / m_1^2 - 1, the variance over the squared mean, `(batch,)`: 0 for an isometry up to a
            factor. The estimate may fall a little below 0.
        relative_variance_stderr: its standard error, by jackknife over the probes.
        start, stop: the states the product maps between.
        probes: number of random vectors a row.
    """

    log_mean: Float[Tensor, " batch"]
    log_mean_stderr: Float[Tensor, " batch"]
    log_second_moment: Float[Tensor, " batch"]
    log_second_moment_stderr: Float[Tensor, " batch"]
    relative_variance: Float[Tensor, " batch"]
    relative_variance_stderr: Float[Tensor, " batch"]
    start: int
    stop: int
    probes: int

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a batch row: `row`, the three quantities and their standard errors; logs become log10 on request."""
        frame = pd.DataFrame({"row": range(len(self.log_mean))})
        for name in ("log_mean", "log_second_moment", "relative_variance"):
            for part in (name, f"{name}_stderr"):
                column = tidy(getattr(self, part), ("row",), part, log10 and name.startswith("log_")).iloc[:, -1]
                frame[column.name] = column
        return frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Both moments of every row with their standard errors, log10."""
        from gradstudy.plot.jacobian_moments import plot

        return plot(self.to_frame(log10=True), ax)

    def _summary(self) -> str:
        mean, spread = self.log_mean.mean().item() / LN10, self.relative_variance.mean().item()
        rows = len(self.log_mean)
        return (
            f"s_{self.start} -> s_{self.stop}, batch={rows}, mean log10 m_1={mean:.4g}, "
            f"mean relative variance={spread:.4g}"
        )


def jacobian_moments(
    chain: Chain, start: int = 0, stop: int | None = None, *, probes: int = 32, seed: int
) -> JacobianMoments:
    """Moments of the squared singular values of the product J = d s_stop / d s_start, without forming it.

    For a vector z of independent random signs, |J z|^2 / n has mean m_1 = tr(J^T J) / n and |J^T J z|^2 / n has mean
    m_2 = tr((J^T J)^2) / n (Hutchinson). Each probe gives both; their averages over the probes are the estimates. All
    vectors keep a logarithmic scale of their own, so no length under- or overflows.

    m_2 / m_1^2 - 1 measures how far the product is from an isometry: 0 if all singular values are equal. Of a product
    of L square Gaussian matrices it is L in the limit of wide ones.

    Args:
        chain: any chain.
        start, stop: states between which the product maps; the whole chain by default.
        probes: random vectors a row, at least 2; more of them leave the first ones as they are.
        seed: of the probes.

    Returns:
        JacobianMoments, a number a row of the batch. The standard error falls as 1 / sqrt(probes).

    Raises:
        LinkRangeError: start or stop outside the chain.
        OptionError: fewer than 2 probes, or a seed that is no integer from 0.
        NonFiniteError: a product with a link is not finite.
        UnsupportedModuleError: something that is no chain.

    Cost: one product with each link and one with its transpose a probe, many probes at once.

    Source: Hutchinson 1990, A stochastic estimator of the trace; Pennington, Schoenholz and Ganguli 2017, Resurrecting
    the sigmoid (the variance of the squared singular values as the measure of isometry).

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4), torch.randn(10, 2, 3))
        >>> moments = gs.jacobian_moments(chain, probes=16, seed=0)
        >>> tuple(moments.log_mean.shape), bool((moments.log_mean < 0).all())
        ((2,), True)
    """
    check_chain(chain)
    meaning = "the product d s_stop / d s_start runs over at least one link; states are counted from 0 to T"
    start = check_index("start", start, 0, chain.length - 1, meaning)
    stop = check_index("stop", chain.length if stop is None else stop, start + 1, chain.length, meaning)
    _check_count("probes", probes, 2, "one vector has no standard error", "leave probes out for 32")
    _check_count("seed", seed, 0, "the same seed must give the same probes", "give a seed such as 0")
    steps = range(start + 1, stop + 1)
    with torch.no_grad():
        readings = [_readings(chain, steps, block) for block in _blocks(chain, steps, probes, seed)]
    first, second = (torch.cat(logs, 1) for logs in zip(*readings, strict=True))
    method = f"{chain.method}, Hutchinson with {probes} probes"
    found = (*_log_average(first), *_log_average(second), *_relative_variance(first, second))
    return JacobianMoments(method, chain.dtype, *found, start, stop, probes)


def _blocks(chain: Chain, steps: range, probes: int, seed: int) -> list[Tensor]:
    """Random signs, `(rows, n, k)` each, so many at once as memory allows."""
    rows, size = chain.rows, chain.sizes[steps[0] - 1]
    widest = max(chain.sizes[t] for t in (steps[0] - 1, *steps))
    step = max(1, _TOGETHER // (rows * widest))
    signs = (_signs(rows, size, seed, probe).to(chain.device, chain.dtype) for probe in range(probes))
    every = list(signs)
    return [torch.stack(every[i : i + step], -1) for i in range(0, probes, step)]


def _signs(rows: int, size: int, seed: int, probe: int) -> Tensor:
    stream = generator(seed, probe, "jacobian moments")
    return 2 * torch.randint(0, 2, (rows, size), generator=stream, dtype=torch.int8) - 1


def _readings(chain: Chain, steps: range, block: Tensor) -> tuple[Tensor, Tensor]:
    """log |J z|^2 / n and log |J^T J z|^2 / n of each row and probe, `(rows, k)` both."""
    log_size = math.log(block.shape[1])
    zero = torch.zeros(block.shape[0], block.shape[2], dtype=torch.float64, device=block.device)
    ahead, scale = _along(chain.links.jvp, steps, block, zero)
    back, total = _along(chain.links.vjp, steps[::-1], ahead, scale)
    return 2 * (scale + _log_norm(ahead)) - log_size, 2 * (total + _log_norm(back)) - log_size


def _along(
    product: Callable[[int, Tensor], Tensor], steps: range, block: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """The block after these links, each vector divided by its largest entry after each, and the log of the divisors."""
    for t in steps:
        block = product(t, block)
        check_finite(f"a product with link t={t}", block)
        peak = block.abs().amax(1)
        divisor = torch.where(peak == 0, torch.ones_like(peak), peak)
        block, scale = block / divisor[:, None], scale + divisor.double().log()
    return block, scale


def _log_norm(block: Tensor) -> Tensor:
    return torch.linalg.vector_norm(block.double(), dim=1).log()


def _log_average(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the mean of the exponentials over the last axis, and its standard error (of a log: relative)."""
    count = logs.shape[-1]
    average = torch.logsumexp(logs, -1) - math.log(count)
    return average, (logs - average[:, None]).exp().std(-1) / math.sqrt(count)


def _relative_variance(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """m_2 / m_1^2 - 1 without its bias of order 1 / probes, and its standard error: both by leaving probes out."""
    count = first.shape[-1]
    typical = _log_average(first)[0][:, None]
    one, two = (first - typical).exp(), (second - 2 * typical).exp()
    whole = two.mean(-1) / one.mean(-1) ** 2 - 1
    left_out = (two.sum(-1, keepdim=True) - two) * (count - 1) / (one.sum(-1, keepdim=True) - one) ** 2 - 1
    average = left_out.mean(-1)
    stderr = ((count - 1) * (left_out - average[:, None]).square().mean(-1)).sqrt()
    return count * whole - (count - 1) * average, stderr


def _check_count(name: str, value: object, least: int, why: str, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r}", needed=f"an integer of at least {least}", why=why, remedy=remedy)

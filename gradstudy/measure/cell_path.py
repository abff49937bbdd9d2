"""The path through an LSTM's cell, prod f_t, beside the full Jacobian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain, check_chain
from gradstudy.chains.lstm import LSTMLinks
from gradstudy.errors import UnsupportedModuleError
from gradstudy.measure.log_norms import log_spectral_norm
from gradstudy.measure.result import LN10, Result, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class CellPath(Result):
    """What the forget gates alone carry from c_t to c_T, and what the whole network carries from s_t to s_T.

    Args:
        log_factor: natural log of f_{t+1} ... f_T of each unit, `(T + 1, batch, H)`, float64; 0 at t = T.
        log_norm: the largest over the units: the log spectral norm of the cell path, `(T + 1, batch)`.
        log_norm_full: log spectral norm of d s_T / d s_t, s = (h, c), `(T + 1, batch)`.
    """

    log_factor: Float[Tensor, "states batch units"]
    log_norm: Float[Tensor, "states batch"]
    log_norm_full: Float[Tensor, "states batch"]

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a state and batch row: `t`, `row`, `log_norm`, `log_norm_full` (or their log10)."""
        frame = tidy(self.log_norm, ("t", "row"), "log_norm", log10)
        full = tidy(self.log_norm_full, ("t", "row"), "log_norm_full", log10).iloc[:, -1]
        return frame.assign(**{str(full.name): full})

    def plot(self, ax: Axes | None = None) -> Axes:
        """log10 of both norms over t, median over the batch."""
        from gradstudy.plot.cell_path import plot

        return plot(self.to_frame(log10=True), ax)

    def _summary(self) -> str:
        cell, full = self.log_norm[0].median().item() / LN10, self.log_norm_full[0].median().item() / LN10
        return f"T={len(self.log_norm) - 1}, log10 at t=0: cell path {cell:.2f}, full Jacobian {full:.2f}"


def cell_path(chain: Chain) -> CellPath:
    """The product of an LSTM's forget gates from each state to the last, beside the full Jacobian.

    d c_T / d c_t with h held at every step is diag(f_T ... f_{t+1}): the path that the LSTM exists for. With gate
    weights 0 and the forget gate's biases b = b_ih + b_hh it is sigma(b)^(T - t); in general the gates move.

    Args:
        chain: of nn.LSTM.

    Returns:
        CellPath with `.log_factor` `(T + 1, batch, H)`, `.log_norm` and `.log_norm_full` `(T + 1, batch)`: natural
        logarithms, float64.

    Raises:
        UnsupportedModuleError: another chain.

    Cost: one pass over the forget gates; T products of n x n matrices and as many symmetric eigenvalue problems.

    Source: Hochreiter and Schmidhuber 1997 (constant error carousel); Gers, Schmidhuber and Cummins 2000 (forget gate).

    Example:
        >>> import torch, gradstudy as gs
        >>> path = gs.cell_path(gs.time_chain(torch.nn.LSTM(3, 4), torch.randn(50, 2, 3)))
        >>> tuple(path.log_factor.shape), bool((path.log_norm[0] < 0).all())
        ((51, 2, 4), True)
    """
    check_chain(chain)
    if not isinstance(chain.links, LSTMLinks):
        raise UnsupportedModuleError(
            f"a chain of a {chain.method}",
            needed="a chain of nn.LSTM",
            why="only an LSTM has a cell whose state passes through a forget gate",
            remedy="use gs.gradient_flow for the whole state",
        )
    with torch.no_grad():
        links = chain.links.double()
        factors = links.forget.log().flip(0).cumsum(0).flip(0)
        log_factor = torch.cat([factors, torch.zeros_like(factors[:1])])
        full = _log_norms_to_the_end(links)
    return CellPath(chain.method, chain.dtype, log_factor, log_factor.amax(-1), full)


def _log_norms_to_the_end(links: LSTMLinks) -> Tensor:
    """Log spectral norm of J_T ... J_{t+1} for t = 0 .. T, `(T + 1, batch)`."""
    batch, size = links.before.shape[1], 2 * links.before.shape[2]
    identity = torch.eye(size, dtype=torch.float64, device=links.before.device)
    product, log_scale = identity.expand(batch, size, size), identity.new_zeros(batch)
    norms = [log_scale]
    for t in range(links.length, 0, -1):
        product = links.vjp(t, product)
        peak = product.abs().amax((1, 2))
        unit = torch.where(peak == 0, torch.ones_like(peak), peak)
        product, log_scale = product / unit[:, None, None], log_scale + peak.log()
        norms.append(log_scale + log_spectral_norm(product))
    return torch.stack(norms[::-1])

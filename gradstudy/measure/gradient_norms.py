"""Norms of the total gradient at every state of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.adjoint import adjoint
from gradstudy.chains.chain import Chain, Loss
from gradstudy.measure.result import LN10, Result, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class GradientNorms(Result):
    """log |dL/ds_t| for every state and row of the batch.

    Args:
        log_norm: natural log of the Euclidean norm of row b of dL/ds_t, `(T + 1, batch)`; -inf for an exact zero.
        log_norm_total: the same over batch and features together, `(T + 1,)`.
    """

    log_norm: Float[Tensor, "states batch"]
    log_norm_total: Float[Tensor, " states"]

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a state and batch row: `t`, `row`, `log_norm` (or `log10_norm`)."""
        return tidy(self.log_norm, ("t", "row"), "log_norm", log10)

    def plot(self, ax: Axes | None = None) -> Axes:
        """log10 |dL/ds_t| over t: median over the batch, and the range of its rows."""
        from gradstudy.plot.gradient_norms import plot

        return plot(self.to_frame(log10=True), ax)

    def _summary(self) -> str:
        first, last = self.log_norm_total[0].item() / LN10, self.log_norm_total[-1].item() / LN10
        states, batch = self.log_norm.shape
        return f"T={states - 1}, batch={batch}, log10|dL/ds_0|={first:.2f}, log10|dL/ds_T|={last:.2f}"


def gradient_norms(chain: Chain, loss: Loss) -> GradientNorms:
    """Norm of the total gradient dL/ds_t at every state, in the log domain.

    dL/ds_t is the state-cut total derivative: all paths from s_t to the loss, through later states and through the
    outputs, the loss's own factors (a mean's 1/batch) included. The norm is Euclidean over the n features of one row
    of the batch; it is never squared and never underflows.

    Args:
        chain: from `time_chain` or `chains`.
        loss: a scalar computed from `chain.output` (or from `chains(...).result`), or a callable of `chain.output`.

    Returns:
        GradientNorms with `.log_norm` `(T + 1, batch)` and `.log_norm_total` `(T + 1,)`, natural logarithms, float64.

    Raises:
        LossError: the loss is not a scalar or does not depend on the chain.

    Cost: autograd from the loss to the outputs, T vector-Jacobian products, three copies of the states beside the
    module's own output. The user's graph is kept; parameters and their `.grad` are not touched.

    Source: Pascanu, Mikolov and Bengio 2013, Eq. 3-5 (the sum of their temporal components' state factors).

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.RNN(3, 4), torch.randn(10, 2, 3))
        >>> norms = gs.gradient_norms(chain, chain.output[-1].sum())
        >>> tuple(norms.log_norm.shape), bool(norms.log_norm_total[0] < norms.log_norm_total[-1])
        ((11, 2), True)
    """
    with torch.no_grad():
        log_norm = adjoint(chain.links, chain.direct_partials(loss)).log_norm
        total = torch.logsumexp(2 * log_norm, dim=1) / 2
    return GradientNorms(chain.method, chain.dtype, log_norm, total)

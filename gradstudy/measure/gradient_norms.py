"""Norms of the total gradient at every state of a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.adjoint import Scaled, adjoint, adjoint_of_stages
from gradstudy.chains.chain import Chain, Loss, check_chain
from gradstudy.chains.lstm import LSTMLinks
from gradstudy.chains.stage_links import StageLinks
from gradstudy.measure.result import LN10, Result, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class GradientNorms(Result):
    """log |dL/ds_t| for every state and row of the batch.

    Args:
        log_norm: natural log of the Euclidean norm of row b of dL/ds_t, `(T + 1, batch)`; -inf for an exact zero.
        log_norm_total: the same over batch and features together, `(T + 1,)`.
        log_norm_hidden: LSTM: of dL/dh_t with c_t held, `(T + 1, batch)`; None for others.
        log_norm_cell: LSTM: of dL/dc_t with h_t held; at t = T it is -inf for a loss on h_T.
        log_norm_cell_total: LSTM: of dL/dc_t with c_t's path through h_t, which is what autograd's `c_t.grad` holds.
        names: of the states over depth; None over time.
    """

    log_norm: Float[Tensor, "states batch"]
    log_norm_total: Float[Tensor, " states"]
    log_norm_hidden: Float[Tensor, "states batch"] | None = None
    log_norm_cell: Float[Tensor, "states batch"] | None = None
    log_norm_cell_total: Float[Tensor, "states batch"] | None = None
    names: tuple[str, ...] | None = None

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a state and batch row: `t`, `row`, `log_norm` (or `log10_norm`), and an LSTM's three readings.

        Over depth also `state`, its name.
        """
        frame = tidy(self.log_norm, ("t", "row"), "log_norm", log10)
        if self.names is not None:
            frame["state"] = [self.names[t] for t in frame["t"]]
        for name in ("log_norm_hidden", "log_norm_cell", "log_norm_cell_total"):
            reading = getattr(self, name)
            if reading is not None:
                values = tidy(reading, ("t", "row"), name, log10).iloc[:, -1]
                frame[values.name] = values
        return frame

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
    of the batch; it is never squared and never underflows. The components of one row share a scale: one below 1e-38
    (float64: 1e-308) of its row's largest is lost, which shows if a link annihilates all the others.

    An LSTM's state is (h, c): `.log_norm` is that of both together, `.log_norm_hidden` and `.log_norm_cell` are those
    of its two blocks, each with the other held, and `.log_norm_cell_total` adds c_t's path through h_t.

    Args:
        chain: from `time_chain`, `chains` or `depth_chain`.
        loss: a scalar computed from `chain.output` (or from `chains(...).result`), or a callable of `chain.output`.

    Returns:
        GradientNorms with `.log_norm` `(T + 1, batch)` and `.log_norm_total` `(T + 1,)`, natural logarithms, float64.

    Raises:
        LossError: the loss is not a scalar, does not depend on the chain, or its graph is gone: measure before
            `loss.backward()` frees it.
        NonFiniteError: the loss is not finite, or its derivative is not; the first timestep is named.

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
    check_chain(chain)
    with torch.no_grad():
        if isinstance(chain.links, StageLinks):
            return _over_depth(chain, chain.links, loss)
        return norms_along(chain, chain.direct_partials(loss))


def norms_along(chain: Chain, direct: Scaled) -> GradientNorms:
    """The same over time from direct partials that a backward pass has already brought; they are overwritten."""
    gradients = adjoint(chain.links, direct)
    log_norm = gradients.log_norm
    total = torch.logsumexp(2 * log_norm, dim=1) / 2
    readings = _cell_readings(chain.links, gradients) if isinstance(chain.links, LSTMLinks) else ()
    return GradientNorms(chain.method, chain.dtype, log_norm, total, *readings)


def _over_depth(chain: Chain, links: StageLinks, loss: Loss) -> GradientNorms:
    gradients = adjoint_of_stages(links, chain.direct_partials_of_stages(loss))
    log_norm = torch.cat([_of_each_row(gradient, chain) for gradient in gradients])
    total = torch.logsumexp(2 * log_norm, dim=1) / 2
    return GradientNorms(chain.method, chain.dtype, log_norm, total, names=chain.names)


def _of_each_row(gradient: Scaled, chain: Chain) -> Tensor:
    """Log norms of the rows of one state's gradient, of a coupled batch too, `(1, batch)`."""
    batch = {len(state) if state.dim() else 1 for state in chain.states}
    rows = batch.pop() if len(batch) == 1 else 1
    return Scaled(gradient.scaled.reshape(1, rows, -1), gradient.log_scale.expand(1, rows)).log_norm


def _cell_readings(links: LSTMLinks, gradients: Scaled) -> tuple[Tensor, Tensor, Tensor]:
    """Log norms of the hidden block, of the cell block, and of the cell block with its path through h_t."""
    hidden, cell = gradients.scaled.chunk(2, -1)
    through = cell.clone()
    through[1:].addcmul_(links.reach, hidden[1:])  # h_0 is given, so c_0 has no path through it
    hidden_norm, cell_norm, total = (Scaled(part, gradients.log_scale).log_norm for part in (hidden, cell, through))
    return hidden_norm, cell_norm, total

"""The gradient of the recurrent weights, taken apart by how many links back each contribution reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.adjoint import Scaled, adjoint
from gradstudy.chains.chain import Chain, Loss, check_chain
from gradstudy.chains.closed_form import ClosedFormLinks
from gradstudy.errors import UnsupportedModuleError
from gradstudy.measure.result import LN10, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class TemporalComponents(Result):
    """dL/dW_hh = sum over l of G_l, G_l being what losses receive from states l links before them.

    Args:
        log_norm: natural log of the Frobenius norm of G_l, `(T,)` for l = 0 .. T - 1; -inf for an exact zero.
        share: <G_l, G> / |G|^2, signed; sums to 1; NaN if G is 0.
        absolute_share: |G_l| / sum over l of |G_l|; sums to 1; NaN if all are 0.
        cancellation: |G| / sum over l of |G_l|, from 0 (they cancel) to 1 (they agree).
        log_total: natural log of |G| = |dL/dW_hh|.
    """

    log_norm: Float[Tensor, " lags"]
    share: Float[Tensor, " lags"]
    absolute_share: Float[Tensor, " lags"]
    cancellation: float
    log_total: float

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a lag: `lag`, `log_norm` (or `log10_norm`), `share`, `absolute_share`."""
        norm = ("log10_norm", self.log_norm / LN10) if log10 else ("log_norm", self.log_norm)
        columns = {norm[0]: norm[1], "share": self.share, "absolute_share": self.absolute_share}
        values = {name: value.cpu().numpy() for name, value in columns.items()}
        return pd.DataFrame({"lag": range(len(self.log_norm)), **values})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share of the weight gradient by lag, signed and absolute."""
        from gradstudy.plot.temporal_components import plot

        return plot(self.to_frame(), ax)

    def _summary(self) -> str:
        half = float(self.absolute_share[len(self.absolute_share) // 2 :].sum())
        return (
            f"T={len(self.log_norm)}, log10|dL/dW|={self.log_total / LN10:.2f}, far half of the lags has "
            f"{half:.2g} of the absolute share, cancellation {self.cancellation:.2g}"
        )


def temporal_components(chain: Chain, loss: Loss) -> TemporalComponents:
    """Contributions to dL/dW_hh by lag, of each loss term from the state l links before it.

    With s_t the full state and g_t the direct partial of the loss with respect to it, all later states held,
    G_l = sum over t of [g_t ds_t/ds_{t-l}] d+s_{t-l}/dW_hh, where d+ holds s_{t-l-1}; summed over the batch, so that
    sum over l of G_l = dL/dW_hh exactly, with the user's own factors (a mean's 1/batch) included.

    Args:
        chain: of a recurrent module; a callable cell has no recurrent matrix that is known.
        loss: a scalar computed from `chain.output` (or from `chains(...).result`), or a callable of `chain.output`.

    Returns:
        TemporalComponents with `.log_norm`, `.share`, `.absolute_share` `(T,)` for lags 0 .. T - 1, and the numbers
        `.cancellation` and `.log_total`; natural logarithms, float64.

    Raises:
        LossError: the loss is not a scalar or does not depend on the chain.
        NonFiniteError: the loss, or its derivative at a state, is not finite.
        UnsupportedModuleError: the chain of a callable cell.

    Cost: T (T + 1) / 2 vector-Jacobian products a row of the batch, one matrix product a lag over all steps; memory of
    a float64 copy of the links. It grows with the square of T: for long chains give the last steps alone.

    Source: Pascanu, Mikolov and Bengio 2013, Eq. 3-5 (temporal components, summed here by lag).

    Example:
        >>> import torch, gradstudy as gs
        >>> chain = gs.time_chain(torch.nn.GRU(3, 4), torch.randn(20, 2, 3))
        >>> parts = gs.temporal_components(chain, lambda out: out[-1].pow(2).sum())
        >>> tuple(parts.share.shape), round(float(parts.share.sum()), 6)
        ((20,), 1.0)
    """
    with torch.no_grad():
        links = recurrent_links(chain).double()
        direct = chain.direct_partials(loss)
        direct = Scaled(direct.scaled.double(), direct.log_scale)
        sources = direct[1:].normalised
        total = adjoint(links, direct)
        whole = _weight_gradient(links, total[1:])
        log_total = float(whole.log_norm)
        log_norm, inner = _by_lag(links, sources, _unit(whole))
    sum_of_norms = torch.logsumexp(log_norm, 0)
    share = inner * torch.exp(log_norm - log_total)
    absolute = torch.exp(log_norm - sum_of_norms)
    cancellation = math.exp(log_total - float(sum_of_norms)) if math.isfinite(log_total) else math.nan
    return TemporalComponents(chain.method, chain.dtype, log_norm, share, absolute, cancellation, log_total)


def recurrent_links(chain: Chain) -> ClosedFormLinks:
    """The chain's links, if they have a recurrent matrix.

    Raises:
        UnsupportedModuleError: they are those of a callable cell.
    """
    check_chain(chain)
    if not isinstance(chain.links, ClosedFormLinks):
        raise UnsupportedModuleError(
            f"a chain of a {chain.method}",
            needed="a chain of nn.RNN, nn.LSTM, nn.GRU, PascanuRNN or TextbookGRU",
            why="which of a cell's numbers are its recurrent matrix is not known",
            remedy="build the network with one of these modules",
        )
    return chain.links


def _weight_gradient(links: ClosedFormLinks, rows: Scaled) -> Scaled:
    """sum over links 1 .. m and rows of (d+s/dW)^T row: one flat matrix."""
    log_scale = rows.log_peak.amax().nan_to_num(neginf=0.0).expand_as(rows.log_scale)
    scaled = rows.on(log_scale).scaled
    gradient = links.abreast(0, len(scaled)).weight_gradient(1, scaled.flatten(0, 1))
    return Scaled(gradient.reshape(1, 1, -1), log_scale[:1, :1])


def _unit(gradient: Scaled) -> Tensor:
    """The matrix divided by its norm; NaN for zeros."""
    flat = gradient.normalised.scaled.flatten()
    return flat / flat.norm()


def _by_lag(links: ClosedFormLinks, rows: Scaled, direction: Tensor) -> tuple[Tensor, Tensor]:
    """For every lag log |G_l| and the cosine between G_l and a unit direction; 0 for a G_l of 0."""
    log_norms, cosines = [], []
    links.derive()
    for _ in range(links.length):
        gradient = _weight_gradient(links, rows)
        log_norms.append(gradient.log_norm[0, 0])
        cosines.append((_unit(gradient).nan_to_num(nan=0.0) * direction).sum())
        rows = _one_link_back(links, rows)
    return torch.stack(log_norms), torch.stack(cosines)


def _one_link_back(links: ClosedFormLinks, rows: Scaled) -> Scaled:
    """Rows at the states 1 .. m taken to the states 1 .. m - 1, each on the scale of its largest entry."""
    count, batch = rows.log_scale.shape
    if count == 1:
        return rows
    pulled = links.abreast(1, count).vjp(1, rows.scaled[1:].flatten(0, 1)).unflatten(0, (count - 1, batch))
    return Scaled(pulled, rows.log_scale[1:]).normalised

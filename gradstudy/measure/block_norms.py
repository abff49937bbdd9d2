"""Norms of the four blocks of an LSTM's one-step Jacobians."""

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
from gradstudy.measure.result import Result, tidy
from gradstudy.measure.stream import chunks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLOCKS = ("hh", "hc", "ch", "cc")


@dataclass(frozen=True, eq=False, repr=False)
class BlockNorms(Result):
    """Spectral norms of the blocks of J_t = [[dh_t/dh_{t-1}, dh_t/dc_{t-1}], [dc_t/dh_{t-1}, dc_t/dc_{t-1}]].

    Args:
        hh, hc, ch, cc: of dh/dh, dh/dc, dc/dh and dc/dc, each with the other half of s_{t-1} held, `(T, batch)`.
    """

    hh: Float[Tensor, "links batch"]
    hc: Float[Tensor, "links batch"]
    ch: Float[Tensor, "links batch"]
    cc: Float[Tensor, "links batch"]

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a link, batch row and block: `t` (from 1), `row`, `block`, `norm` (or `log10_norm`)."""
        stacked = torch.stack([getattr(self, block) for block in BLOCKS], -1)
        values = stacked.log10() if log10 else stacked
        frame = tidy(values, ("t", "row", "block"), "log10_norm" if log10 else "norm")
        return frame.assign(t=frame["t"] + 1, block=[BLOCKS[i] for i in frame["block"]])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Norm of each block over t, median over the batch."""
        from gradstudy.plot.block_norms import plot

        return plot(self.to_frame(), ax)

    def _summary(self) -> str:
        words = [f"|{block}| {getattr(self, block).median().item():.3g}" for block in BLOCKS]
        return f"T={len(self.hh)}, medians: {', '.join(words)}"


def block_norms(chain: Chain) -> BlockNorms:
    """Spectral norms of the blocks hh, hc, ch and cc of an LSTM's one-step Jacobians.

    cc = diag(f_t) is the cell path; dh_t/dh_{t-1} alone (hh) is what is left when the cell is forgotten.

    Args:
        chain: of nn.LSTM.

    Returns:
        BlockNorms with `.hh`, `.hc`, `.ch`, `.cc` `(T, batch)`, in the chain's dtype, not logarithms.

    Raises:
        UnsupportedModuleError: another chain.

    Cost: dense blocks in chunks of at most 64 MB, one dense SVD each for hh and ch; hc and cc are diagonal.

    Source: the LSTM's state (h, c) as in Hochreiter and Schmidhuber 1997.

    Example:
        >>> import torch, gradstudy as gs
        >>> norms = gs.block_norms(gs.time_chain(torch.nn.LSTM(3, 4), torch.randn(10, 2, 3)))
        >>> tuple(norms.cc.shape), bool((norms.cc < 1).all())
        ((10, 2), True)
    """
    check_chain(chain)
    if not isinstance(chain.links, LSTMLinks):
        raise UnsupportedModuleError(
            f"a chain of a {chain.method}",
            needed="a chain of nn.LSTM",
            why="only an LSTM's state has the two halves h and c",
            remedy="use gs.jacobian_spectra for the whole link",
        )
    size = chain.sizes[0] // 2
    found: list[list[Tensor]] = []
    with torch.no_grad():
        for start, stop in chunks(chain, 0, chain.length):
            dense = chain.links.jacobians(start, stop)
            h, c = dense.split(size, dim=-2)
            (hh, hc), (ch, cc) = h.split(size, dim=-1), c.split(size, dim=-1)
            found.append([_spectral(hh), _diagonal(hc), _spectral(ch), _diagonal(cc)])
    return BlockNorms(
        f"{chain.method}, dense SVD", chain.dtype, *(torch.cat(parts) for parts in zip(*found, strict=True))
    )


def _spectral(blocks: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(blocks, ord=2)


def _diagonal(blocks: Tensor) -> Tensor:
    return blocks.diagonal(dim1=-2, dim2=-1).abs().amax(-1)

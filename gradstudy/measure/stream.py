"""The links of a chain as float64 maps of blocks of vectors, in pieces small enough to hold."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from gradstudy.chains.chain import Chain
from gradstudy.chains.links import Links
from gradstudy.chains.lstm import LSTMLinks

Map = Callable[[Tensor], Tensor]

# Numbers of the dense Jacobians held at once: 64 MB in float64.
_CHUNK = 2**23


def chunks(chain: Chain, start: int, stop: int, numbers: int = _CHUNK) -> list[tuple[int, int]]:
    """(start, stop) of consecutive pieces whose dense Jacobians hold at most `numbers` numbers, or one link."""
    step = max(1, numbers // (chain.rows * max(chain.sizes) ** 2))
    return [(first, min(first + step, stop)) for first in range(start, stop, step)]


def dense_maps(links: Links, start: int, stop: int) -> list[Map]:
    """The links start + 1 .. stop as products with their dense Jacobians, or with the parts of them that are dense."""
    if isinstance(links, LSTMLinks):
        return links.maps(start, stop)
    # (X^T J^T)^T is J X laid out column by column, as the factorisations that follow want it: no copy.
    return [lambda block, j=j: (block.mT @ j.mT).mT for j in links.jacobians(start, stop)]  # type: ignore[misc]


def block_maps(links: Links, start: int, stop: int) -> list[Map]:
    """The links start + 1 .. stop as Jacobian-vector products of blocks; no Jacobian is formed."""
    return [lambda block, t=t: links.jvp(t, block) for t in range(start + 1, stop + 1)]  # type: ignore[misc]

"""Norms of the blocks of an LSTM's links over a chain."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Norm of each block over t, median over the batch.

    Args:
        frame: columns `t`, `row`, `block`, `norm`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    medians = frame.groupby(["block", "t"], sort=False)["norm"].median()
    for block, style in zip(("hh", "hc", "ch", "cc"), ("-", "--", ":", "-."), strict=True):
        ax.plot(medians[block].index, medians[block], style, label=block)
    ax.set_xlabel("link $t$")
    ax.set_ylabel("spectral norm of the block")
    ax.legend()
    return ax

"""Gradient norms over the states of a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Median over the batch as a line, the range of its rows as a band; exact zeros as crosses on the lower edge.

    Args:
        frame: columns `t`, `row`, `log10_norm`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    finite = frame[np.isfinite(frame["log10_norm"])]
    by_state = finite.groupby("t")["log10_norm"]
    ax.fill_between(by_state.min().index, by_state.min(), by_state.max(), alpha=0.25, linewidth=0)
    ax.plot(by_state.median().index, by_state.median(), label="median over the batch")
    zeros = frame.loc[np.isneginf(frame["log10_norm"]), "t"].unique()
    if len(zeros):
        ax.plot(zeros, np.full(len(zeros), 0.02), "x", transform=ax.get_xaxis_transform(), label="exactly 0")
    ax.set_xlabel("state $t$")
    ax.set_ylabel(r"$\log_{10}\,\|\mathrm{d}L/\mathrm{d}s_t\|$")
    ax.legend()
    return ax

"""Gradient norms over the states of a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes
from gradstudy.plot.labels import name_ticks


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Median over the batch as a line, the range of its nonzero rows as a band, exact zeros as crosses at the bottom.

    Args:
        frame: columns `t`, `row`, `log10_norm`, and over depth `state`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    seen = frame[np.isfinite(frame["log10_norm"])].groupby("t")["log10_norm"]
    ax.fill_between(seen.min().index, seen.min(), seen.max(), alpha=0.25, linewidth=0, label="range of the rows")
    # Of all rows: that of the rows that are not zero would show a gradient where most have none.
    median = frame.groupby("t")["log10_norm"].median()
    ax.plot(median.index, median.where(np.isfinite(median)), label="median over the batch")
    zeros = frame.loc[np.isneginf(frame["log10_norm"]), "t"].unique()
    if len(zeros):
        ax.plot(zeros, np.full(len(zeros), 0.02), "x", transform=ax.get_xaxis_transform(), label="exactly 0")
    ax.set_xlabel("state $t$")
    if "state" in frame:
        name_ticks(ax.xaxis, list(frame.groupby("t")["state"].first()))
        ax.tick_params(axis="x", rotation=90, labelsize="x-small")
        ax.set_xlabel("state, by the stage it comes out of")
    ax.set_ylabel(r"$\log_{10}\,\|\mathrm{d}L/\mathrm{d}s_t\|$")
    ax.legend()
    return ax

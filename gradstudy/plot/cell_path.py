"""The cell path of an LSTM beside its full Jacobian."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """log10 of both norms over t, median over the batch.

    Args:
        frame: columns `t`, `row`, `log10_norm`, `log10_norm_full`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    medians = frame.groupby("t")[["log10_norm", "log10_norm_full"]].median()
    ax.plot(medians.index, medians["log10_norm"], "-", label="cell path, largest $\\prod f$")
    ax.plot(medians.index, medians["log10_norm_full"], "--", label=r"full Jacobian, $\|\mathrm{d}s_T/\mathrm{d}s_t\|$")
    ax.set_xlabel("state $t$")
    ax.set_ylabel(r"$\log_{10}$ of the norm from $t$ to $T$")
    ax.legend()
    return ax

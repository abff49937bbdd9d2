"""The gradient flow matrix of a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Heat map over (k, t) of the mean over rows of log10 |d s_t / d s_k|; exact zeros are grey, t < k is left white.

    Args:
        frame: columns `t`, `k`, `row`, `log10_norm`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    table = frame.groupby(["t", "k"])["log10_norm"].mean().unstack("k")
    values = table.to_numpy()
    times = table.index.to_numpy()
    step = times[1] - times[0]
    edges = np.append(times, times[-1] + step) - step / 2
    zeros = np.isneginf(values)
    if zeros.any():
        ax.pcolormesh(edges, edges, np.where(zeros, 0.6, np.nan), cmap="gray", vmin=0, vmax=1, rasterized=True)
        ax.set_title("grey: exactly 0", fontsize="small")
    finite = np.ma.masked_invalid(values)
    mesh = ax.pcolormesh(edges, edges, finite, cmap="viridis", rasterized=True)
    ax.set_aspect("equal")
    ax.set_xlabel("from state $k$")
    ax.set_ylabel("to state $t$")
    ax.figure.colorbar(mesh, ax=ax, label=r"$\log_{10}\,\|\partial s_t/\partial s_k\|$")
    return ax

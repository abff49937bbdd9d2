"""Lyapunov exponents of a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Exponents by index with bars of two standard errors; exponents of -inf are named, since no axis can show them.

    Args:
        frame: columns `index`, `exponent`, `stderr`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    kept = frame[np.isfinite(frame["exponent"])]
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.errorbar(kept["index"] + 1, kept["exponent"], 2 * kept["stderr"].fillna(0), fmt="o", markersize=3, elinewidth=1)
    if len(kept) < len(frame):
        ax.set_title(f"{len(frame) - len(kept)} exponent(s) of -inf not shown", fontsize="small")
    ax.set_xlabel("index $i$")
    ax.set_ylabel(r"Lyapunov exponent $\lambda_i$ (nats per link)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax

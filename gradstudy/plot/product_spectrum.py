"""Singular values of a Jacobian product."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """log10 singular values by index, one line a batch row; exact zeros are named, since no axis can show them.

    Args:
        frame: columns `row`, `index`, `log10_singular_value`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    for _, row in frame.groupby("row"):
        kept = row[np.isfinite(row["log10_singular_value"])]
        ax.plot(kept["index"] + 1, kept["log10_singular_value"], "o-", markersize=3, alpha=0.7)
    zeros = int(np.isneginf(frame["log10_singular_value"]).sum())
    if zeros:
        ax.set_title(f"{zeros} value(s) exactly 0 not shown", fontsize="small")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("index of the singular value, one line a row of the batch")
    ax.set_ylabel(r"$\log_{10} \sigma_i$ of the product")
    return ax

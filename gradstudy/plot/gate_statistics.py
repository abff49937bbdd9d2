"""Means of gates over the links of a chain."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Mean of each gate over t.

    Args:
        frame: columns `t`, `gate`, `mean`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    for (gate, rows), style in zip(frame.groupby("gate", sort=False), ("-", "--", ":", "-."), strict=False):
        ax.plot(rows["t"], rows["mean"], style, label=gate)
    ax.set_xlabel("link $t$")
    ax.set_ylabel("mean activation")
    ax.legend()
    return ax

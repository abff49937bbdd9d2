"""Shares of the weight gradient by lag."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Signed share and absolute share of dL/dW over the lag.

    Args:
        frame: columns `lag`, `share`, `absolute_share`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    ax.axhline(0, color="0.5", linewidth=0.6)
    ax.plot(frame["lag"], frame["share"], "-", label="signed share")
    ax.plot(frame["lag"], frame["absolute_share"], "--", label="absolute share")
    ax.set_xlabel("lag $l$ (links)")
    ax.set_ylabel(r"share of $\mathrm{d}L/\mathrm{d}W_{hh}$")
    ax.legend()
    return ax

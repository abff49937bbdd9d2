"""Correlation of gradients between pairs of inputs against their distance."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes
from gradstudy.plot.style import GREY

# With more pairs than that bars would hide the points, which are drawn as pixels then.
_MANY = 500


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Correlation of each pair, with one standard error where pairs are few enough to see it; a line at 0.

    Args:
        frame: columns `distance`, `correlation`, `stderr`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    ax.axhline(0, color=GREY, linewidth=0.8)
    if len(frame) > _MANY:
        ax.plot(frame["distance"], frame["correlation"], ".", markersize=2, rasterized=True)
    else:
        errors = frame["stderr"].where(frame["stderr"].notna(), 0.0)
        ax.errorbar(frame["distance"], frame["correlation"], errors, fmt="o", markersize=3, elinewidth=0.8)
    ax.set_xlabel(r"distance of the inputs $\|x_i - x_j\|$")
    ax.set_ylabel(r"correlation of $\partial F/\partial x$")
    return ax

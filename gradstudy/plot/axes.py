"""Axes for a plot: the caller's, or those of a new figure."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

# Names that stay legible below one axis of column width.
_MOST_NAMES = 30


def axes(ax: Axes | None) -> Axes:
    """The axes given, or new ones (in a notebook the figure then shows itself)."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots()[1]


def name_ticks(ax: Axes, names: pd.Series) -> None:
    """Write the names of states or stages, by index, below the axis: all of them, or as many as are legible."""
    step = -(-len(names) // _MOST_NAMES)
    shown = names.iloc[::step]
    ax.set_xticks(shown.index, shown, rotation=90, fontsize="x-small")
    ax.set_xlabel("")

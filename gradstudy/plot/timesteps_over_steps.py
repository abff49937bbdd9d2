"""Gradient norms at the states of a recurrent layer over training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gradstudy.plot.axes import axes
from gradstudy.plot.heat import over_steps
from gradstudy.plot.labels import shorten


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Heat map, timesteps from the first at the bottom to the last, training steps from left to right.

    Args:
        frame: columns `step`, `name` (one layer), `index` (the timestep), `log10_value`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    table = frame.drop_duplicates(["index", "step"], keep="last").pivot(
        index="index", columns="step", values="log10_value"
    )
    over_steps(ax, table.sort_index(), r"$\log_{10}\,\|\mathrm{d}L/\mathrm{d}h_t\|$")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(f"timestep $t$ of {shorten(frame['name'].iloc[0])}")
    return ax

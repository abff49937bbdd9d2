"""Heat maps of logarithms over training steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator


def over_steps(ax: Axes, table: pd.DataFrame, label: str) -> None:
    """A mesh of a table of log10 values, one row a place from the top or bottom, one column a step.

    Exact zeros are grey, what is not finite is vermillion; both are named above the map.

    Args:
        ax: to draw on.
        table: index the places, columns the steps; NaN where nothing was measured is drawn as not finite, so a missing
            step must have no column.
        label: of the colour bar.
    """
    values = table.to_numpy(dtype=float)
    rows = np.arange(len(values) + 1) - 0.5
    columns = _edges(table.columns.to_numpy(dtype=float))
    words = []
    for mask, colour, word in (
        (np.isneginf(values), "Greys", "grey: exactly 0"),
        (np.isnan(values) | np.isposinf(values), "Oranges", "orange: not finite"),
    ):
        if mask.any():
            shade = np.where(mask, 0.6, np.nan)
            ax.pcolormesh(columns, rows, shade, cmap=colour, vmin=0, vmax=1, rasterized=True)
            words.append(word)
    if words:
        ax.set_title("; ".join(words), fontsize="small")
    finite = np.ma.masked_invalid(values)
    if finite.count():
        mesh = ax.pcolormesh(columns, rows, finite, cmap="viridis", rasterized=True)
        ax.figure.colorbar(mesh, ax=ax, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("training step")


def _edges(steps: np.ndarray) -> np.ndarray:
    """Borders half-way between measured steps."""
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middles = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middles[0]], middles, [2 * steps[-1] - middles[-1]]])

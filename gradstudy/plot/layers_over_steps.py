"""Gradient norms of layers over training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes
from gradstudy.plot.heat import over_steps
from gradstudy.plot.labels import name_ticks


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Heat map, layers from the first at the top to the last, training steps from left to right.

    Args:
        frame: columns `step`, `quantity` (one of `layer_gradient`, `activation_gradient`), `name`, `log10_value`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    names = list(dict.fromkeys(frame["name"]))
    table = frame.drop_duplicates(["name", "step"], keep="last").pivot(
        index="name", columns="step", values="log10_value"
    )
    what = "W" if (frame["quantity"] == "layer_gradient").all() else "y"
    over_steps(ax, table.reindex(names), rf"$\log_{{10}}\,\|\mathrm{{d}}L/\mathrm{{d}}{what}\|$")
    name_ticks(ax.yaxis, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    return ax

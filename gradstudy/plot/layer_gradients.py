"""Gradient norms by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes
from gradstudy.plot.labels import name_ticks


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Gradient flow by layer, the first at the top: median over the steps, quartiles, and the range of all steps.

    Args:
        frame: columns `step`, `name`, `log10_value`, the names in the model's order.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    names = list(dict.fromkeys(frame["name"]))
    values = frame.assign(log10_value=frame["log10_value"].where(np.isfinite(frame["log10_value"])))
    by_layer = values.groupby("name")["log10_value"]
    low, quarter, median, three, high = (by_layer.quantile(q).reindex(names) for q in (0, 0.25, 0.5, 0.75, 1))
    places = np.arange(len(names))
    if frame["step"].nunique() > 1:
        ax.hlines(places, low, high, linewidth=0.8, color="0.6", label="range over steps")
        ax.hlines(places, quarter, three, linewidth=3, color="#56B4E9", label="middle half of the steps")
    ax.plot(median, places, "o-", markersize=3, linewidth=0.8, color="#0072B2", label="median")
    _mark(ax, frame, names)
    name_ticks(ax.yaxis, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(r"$\log_{10}\,\|\mathrm{d}L/\mathrm{d}W\|$ of the layer")
    ax.legend(loc="best", fontsize="small")
    return ax


def _mark(ax: Axes, frame: pd.DataFrame, names: list[str]) -> None:
    """Exact zeros at the left edge, non-finite gradients at the right: no logarithmic axis shows them."""
    zero = np.isneginf(frame["log10_value"])
    wrong = ~np.isfinite(frame["log10_value"]) & ~zero
    for rows, place, marker, label in ((zero, 0.02, "x", "exactly 0"), (wrong, 0.98, "*", "not finite")):
        seen = [i for i, name in enumerate(names) if name in set(frame.loc[rows, "name"])]
        if seen:
            edge = ax.get_yaxis_transform()
            ax.plot(np.full(len(seen), place), seen, marker, label=label, color="#D55E00", transform=edge)

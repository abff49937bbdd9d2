"""Gradient norms by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes
from gradstudy.plot.labels import name_ticks
from gradstudy.plot.style import BLUE, GREY, ORANGE, SKY, VERMILLION


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Gradient flow by layer, the first at the top: median over the steps, quartiles, and the range of all steps.

    Layers with weight matrices are joined by a line; those with vectors only (normalisations) are drawn between them,
    for a norm over fewer and other numbers is no part of the same curve.

    Args:
        frame: columns `step`, `quantity` (`layer_gradient` or `affine_gradient`), `name`, `log10_value`, the names in
            the model's order.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    places = _places(frame)
    names = [name for name, place in places.items() if place == int(place)]
    values = frame.assign(log10_value=frame["log10_value"].where(np.isfinite(frame["log10_value"])))
    by_layer = values.groupby("name")["log10_value"]
    low, quarter, median, three, high = (by_layer.quantile(q) for q in (0, 0.25, 0.5, 0.75, 1))
    if frame["step"].nunique() > 1:
        ax.hlines(
            list(places.values()), low[list(places)], high[list(places)], linewidth=0.8, color=GREY, label="range"
        )
        ax.hlines([places[n] for n in names], quarter[names], three[names], linewidth=4, color=SKY, label="middle half")
    ax.plot(median[names], [places[n] for n in names], "o-", markersize=3, linewidth=1, color=BLUE, label="median")
    others = [name for name in places if name not in names]
    if others:
        height = [places[n] for n in others]
        ax.plot(median[others], height, "d", markersize=3, color=ORANGE, label="median, vectors only")
    _mark(ax, frame, places)
    name_ticks(ax.yaxis, names)
    ax.set_ylim(max(places.values()) + 0.5, min(places.values()) - 0.5)
    ax.set_xlabel(r"$\log_{10}\,\|\mathrm{d}L/\mathrm{d}W\|$ of the layer")
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)
    return ax


def _places(frame: pd.DataFrame) -> dict[str, float]:
    """0, 1, 2, ... for layers with matrices; layers without lie evenly between them."""
    found: dict[str, float] = {}
    matrices, waiting = 0, list[str]()
    for name, quantity in frame.drop_duplicates("name")[["name", "quantity"]].itertuples(index=False):
        if quantity == "layer_gradient":
            found.update(_spread(waiting, matrices - 1))
            found[name] = float(matrices)
            matrices, waiting = matrices + 1, []
        else:
            waiting.append(name)
    found.update(_spread(waiting, matrices - 1))
    return found


def _spread(names: list[str], before: int) -> dict[str, float]:
    return {name: before + (i + 1) / (len(names) + 1) for i, name in enumerate(names)}


def _mark(ax: Axes, frame: pd.DataFrame, places: dict[str, float]) -> None:
    """Exact zeros at the left edge, non-finite gradients at the right: no logarithmic axis shows them."""
    zero = np.isneginf(frame["log10_value"])
    wrong = ~np.isfinite(frame["log10_value"]) & ~zero
    for rows, edge, marker, label in ((zero, 0.02, "x", "exactly 0"), (wrong, 0.98, "*", "not finite")):
        seen = [places[name] for name in dict.fromkeys(frame.loc[rows, "name"])]
        if seen:
            across = ax.get_yaxis_transform()
            ax.plot(np.full(len(seen), edge), seen, marker, label=label, color=VERMILLION, transform=across)

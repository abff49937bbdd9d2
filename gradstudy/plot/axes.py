"""Axes for a plot: the caller's, or those of a new figure."""

from __future__ import annotations

from matplotlib.axes import Axes


def axes(ax: Axes | None) -> Axes:
    """The axes given, or new ones with room for long names (in a notebook the figure then shows itself)."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]

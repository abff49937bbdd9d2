"""Singular values of a convolution by rank."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes

# Lines of more points are drawn as pixels in a vector picture.
_MANY = 5000


def plot(frame: pd.DataFrame, ax: Axes | None = None, approximate: bool = False) -> Axes:
    """Singular values by rank, the largest first; markers where they are few.

    Args:
        frame: columns `index`, `singular_value`.
        ax: axes to draw on; a new figure otherwise.
        approximate: draw them dashed, named as what they are.
    """
    ax = axes(ax)
    rank, values = frame["index"] + 1, frame["singular_value"]
    marker = "." if len(frame) <= 100 else ""
    label = "circular padding (approximation)" if approximate else None
    ax.plot(rank, values, "--" if approximate else "-", marker=marker, label=label, rasterized=len(frame) > _MANY)
    if (values > 0).all() and values.max() > 100 * values.min():
        ax.set_yscale("log")
    ax.set_xlabel("rank of the singular value")
    ax.set_ylabel("singular value (output per input)")
    if label:
        ax.legend()
    return ax

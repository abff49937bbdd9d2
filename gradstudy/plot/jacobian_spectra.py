"""Singular values of one-step Jacobians over a chain."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes
from gradstudy.plot.labels import name_ticks


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Largest, median and smallest singular value of each link, over all rows of the batch.

    Args:
        frame: columns `t`, `row`, `index`, `singular_value`, and over depth `stage`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    by_link = frame.groupby("t")["singular_value"]
    marker = "o" if by_link.ngroups == 1 else None  # no line leads through a single link
    for name, style, values in (
        ("largest", "-", by_link.max()),
        ("median", "--", by_link.median()),
        ("smallest", ":", by_link.min()),
    ):
        ax.plot(values.index, values, style, label=name, marker=marker)
    if (frame["singular_value"] > 0).all():  # a logarithmic axis would drop exact zeros without a word
        ax.set_yscale("log")
    ax.set_xlabel("link $t$")
    if "stage" in frame:
        name_ticks(ax.xaxis, list(frame.groupby("t")["stage"].first()), start=1)
        ax.tick_params(axis="x", rotation=90, labelsize="x-small")
        ax.set_xlabel("stage")
    ax.set_ylabel(r"singular values of $J_t$")
    ax.legend()
    return ax

"""Singular values of weight matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Histograms of log10 of the singular values, all matrices together, at the first and the last measured step.

    Args:
        frame: columns `step`, `name`, `log10_value`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    finite = frame[np.isfinite(frame["log10_value"])]
    steps = sorted(finite["step"].unique())
    bins = list(np.histogram_bin_edges(finite["log10_value"], bins=30))
    for step, style in ((steps[0], {"histtype": "stepfilled", "alpha": 0.4}), (steps[-1], {"histtype": "step"})):
        values = finite.loc[finite["step"] == step, "log10_value"]
        ax.hist(values, bins=bins, label=f"step {step}", linewidth=1.2, **style)
        if steps[0] == steps[-1]:
            break
    zeros = int(np.isneginf(frame["log10_value"]).sum())
    if zeros:
        ax.set_title(f"{zeros} value(s) exactly 0 not shown", fontsize="small")
    ax.set_xlabel(r"$\log_{10}\sigma$ of " + (frame["name"].iloc[0] if frame["name"].nunique() == 1 else "all weights"))
    ax.set_ylabel("singular values")
    ax.legend()
    return ax

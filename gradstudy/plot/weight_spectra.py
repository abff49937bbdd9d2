"""Singular values of weight matrices and of one-step Jacobians."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gradstudy.plot.axes import axes
from gradstudy.plot.labels import shorten


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Histograms of log10 of the singular values, all matrices together, at the first and the last measured step.

    Args:
        frame: columns `step`, `quantity` (`singular_value` or `jacobian_singular_value`), `name`,
            `log10_value`.
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
    of_links = (frame["quantity"] == "jacobian_singular_value").all()
    alone, all_of_them = shorten(frame["name"].iloc[0], 36), "all recurrent layers" if of_links else "all weights"
    what = r"$\partial s_T/\partial s_{T-1}$ of " if of_links else ""
    ax.set_xlabel(rf"$\log_{{10}}\sigma$ of {what}{alone if frame['name'].nunique() == 1 else all_of_them}")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("number of singular values")
    ax.legend()
    return ax

"""Moments of the squared singular values of a Jacobian product, row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gradstudy.plot.axes import axes


def plot(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """First and second moment of each row, log10, with one standard error; exact zeros as crosses at the bottom.

    Args:
        frame: columns `row`, `log10_mean`, `log10_second_moment` and their `_stderr`.
        ax: axes to draw on; a new figure otherwise.
    """
    ax = axes(ax)
    seen = frame[np.isfinite(frame["log10_mean"]) & np.isfinite(frame["log10_second_moment"])]
    for name, marker, label, shift in (
        ("log10_mean", "o", r"$m_1 = \mathrm{tr}(J^T J)/n$", -0.08),
        ("log10_second_moment", "s", r"$m_2 = \mathrm{tr}((J^T J)^2)/n$", 0.08),
    ):
        ax.errorbar(seen["row"] + shift, seen[name], seen[f"{name}_stderr"], fmt=marker, capsize=2, label=label)
    zeros = frame.loc[np.isneginf(frame["log10_mean"]), "row"]
    if len(zeros):
        ax.plot(zeros, np.full(len(zeros), 0.02), "kx", transform=ax.get_xaxis_transform(), label="exactly 0")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("row of the batch")
    ax.set_ylabel(r"$\log_{10}$ moment $\pm$ std. error")
    ax.legend()
    return ax

"""Figures: one function each, tables in, drawing out. Its parameters are the names of the tables."""

from __future__ import annotations

import math

import pandas as pd

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing


def decay(norms: pd.DataFrame) -> Drawing:
    """The gradient on its way back."""
    own = norms[norms["control"] == ""]
    figure, ax = style.subplots()
    for bias, rows in own.groupby("forget_bias"):
        mean = rows.groupby("steps_back")["log_norm"].mean() / math.log(10)
        ax.plot(mean.index, mean, label=f"forget bias {bias:g}")
    ax.set_xlabel("steps back from the end")
    ax.set_ylabel("log$_{10}$ |dL/ds|")
    ax.legend()
    networks = own["network"].nunique()
    return Drawing(
        figure,
        f"Norm of the gradient at the state so many steps before the end, mean of its log over {networks} networks.",
        "Lines that fall from left to right, the less the larger the forget bias.",
    )

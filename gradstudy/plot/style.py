"""How every figure looks: sizes, type, colours; one context around drawing and saving."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import matplotlib.style
from cycler import cycler
from matplotlib.figure import Figure

COLUMN = 3.5
"""Width of one column of a paper, in inches."""

FULL = 7.16
"""Width of both columns, in inches."""

GOLDEN = 0.66
"""Height of a panel over its width."""

# Okabe and Ito's colours, told apart by readers with any common colour blindness; their yellow is too faint on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#767676"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)

_INK = "#222222"
_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure is the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 9,
    "mathtext.fontset": "dejavusans",
    "axes.prop_cycle": cycler(color=PALETTE),
    "image.cmap": "viridis",
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.4,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.fonttype": "path",  # letters as shapes: readable without the font, in the page and in the PDF
    "svg.hashsalt": "gradstudy",  # ids that are the same in every build
}


def context() -> AbstractContextManager[None]:
    """The style, over matplotlib's defaults rather than the user's own settings."""
    return matplotlib.style.context(["default", _RC])


def subplots(
    rows: int = 1, columns: int = 1, *, width: float = COLUMN, height: float | None = None, **options: Any
) -> tuple[Figure, Any]:
    """A figure in constrained layout and its axes, without pyplot and its list of open figures.

    Args:
        rows: panels from top to bottom.
        columns: panels from left to right.
        width: in inches, `COLUMN` or `FULL`.
        height: in inches; by default each panel is `GOLDEN` times as high as wide.
        options: handed to `Figure.subplots` (`sharex`, `width_ratios`, ...).

    Returns:
        The figure, and one `Axes` or an array of them as `Figure.subplots` gives.
    """
    height = height if height is not None else GOLDEN * width * rows / columns
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)

"""What a study's figure function returns: the picture and the words that belong to it."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure with its caption and its text for those who cannot see it.

    Args:
        figure: the matplotlib figure, drawn at column width.
        caption: CommonMark built from the data (n, intervals); the first sentence says what is shown.
        alt: what a reader sees, in plain words.
    """

    figure: Figure
    caption: str
    alt: str

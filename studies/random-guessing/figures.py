"""Figures of the study: tables in, figures out."""

import matplotlib.ticker as mticker
import numpy as np
import pandas as pd

from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing

COLORS = (style.BLUE, style.VERMILLION, style.GREEN)
ASIDE = 0.26


def presentations_until_solved(searches_made: pd.DataFrame, blind: pd.DataFrame) -> Drawing:
    """How many sequences it takes until guessed weights solve a task."""
    by = ["task", "length", "hidden"]
    rows = list(searches_made.groupby(by, sort=False))[::-1]
    reaches = sorted(searches_made["reach"].unique())
    errors = blind.groupby(by)["trivial_error"].first()
    with style.context():
        figure, ax = style.subplots(width=style.FULL, height=0.8 + 0.33 * len(rows))
        for place, (_, found) in enumerate(rows):
            for number, reach in enumerate(reaches):
                own = found[found["reach"] == reach]
                height = place + ASIDE * (1 - number)
                for solved, marker in ((True, "o"), (False, "|")):
                    shown = own.loc[own["solved"] == solved, "presentations"]
                    ax.plot(
                        shown,
                        np.full(len(shown), height),
                        marker,
                        color=COLORS[number],
                        markersize=4,
                        alpha=0.7,
                        linestyle="none",
                    )
        for number, reach in enumerate(reaches):
            ax.plot(
                [], [], "s", color=COLORS[number], markersize=4, linestyle="none", label=f"weights within ±{reach:g}"
            )
        for marker, label in (("o", "solved"), ("|", "given up")):
            ax.plot([], [], marker, color=style.BLACK, markersize=4, linestyle="none", label=label)
        ax.set_xscale("log")
        ax.set_yticks(range(len(rows)), [_name(*key, errors[key]) for key, _ in rows])
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xlabel("presentations of a sequence")
        ax.xaxis.set_minor_formatter(mticker.NullFormatter())
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    most = searches_made.groupby(by, sort=False)["most"].first()
    few, many = int(most.min()), int(most.max())
    budget = f"{many:,}" if few == many else f"{few:,} to {many:,}"
    solved = searches_made.groupby(by, sort=False)["solved"].any()
    names = ", ".join(dict.fromkeys(key[0] for key, any_ in solved.items() if any_)) or "none"
    searches = searches_made.groupby([*by, "reach"]).size()
    n = f"{searches.min()}" if searches.min() == searches.max() else f"{searches.min()} to {searches.max()}"
    return Drawing(
        figure,
        "Sequences presented until networks of guessed weights had solved a task (dots), or until a search was given "
        f"up after {budget} guesses (bars: censored), n = {n} searches for each range of weights. "
        f"Solved by some search: {names}. In brackets units, and the share that a blind answer gets wrong.",
        "A row a task, with a dot or a bar for every search on a logarithmic axis of presentations.",
    )


def _name(task: str, length: int, hidden: int, error: float) -> str:
    return f"{task}, T = {length} ({hidden}; {error:.0%})"

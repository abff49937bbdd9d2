"""The figure of the study of random guessing.

Oracle: tables made by hand.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gradstudy.report.figure_functions import functions

(FIGURE,) = functions(Path(__file__).parents[2] / "studies" / "random-guessing")


def searches() -> pd.DataFrame:
    rows = [
        {
            "task": task,
            "length": 20,
            "hidden": hidden,
            "most": 500,
            "reach": reach,
            "solved": solved,
            "presentations": n,
        }
        for task, hidden, solved in (("latch", 1, True), ("adding", 50, False))
        for reach in (1.0, 100.0)
        for n in (100, 200, 400)
    ]
    return pd.DataFrame(rows)


def blind() -> pd.DataFrame:
    return pd.DataFrame(
        {"task": ["latch", "adding"], "length": 20, "hidden": [1, 50], "trivial_error": [0.5, 0.36]},
    )


def test_solved_and_censored_searches_are_told_apart() -> None:
    drawing = FIGURE({"searches_made": searches(), "blind": blind()})
    assert "Solved by some search: latch." in drawing.caption
    assert "after 500 guesses" in drawing.caption
    assert "n = 3 searches" in drawing.caption
    (ax,) = drawing.figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "adding, T = 20 (50; 36%)",
        "latch, T = 20 (1; 50%)",
    ]
    drawn = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert sorted((line.get_marker(), round(float(line.get_ydata()[0]))) for line in drawn) == [
        ("o", 1), ("o", 1), ("|", 0), ("|", 0),
    ]  # fmt: skip


def test_that_nothing_was_solved_is_told() -> None:
    table = searches().assign(solved=False)
    assert "Solved by some search: none." in FIGURE({"searches_made": table, "blind": blind()}).caption

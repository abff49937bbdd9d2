"""The figure of the study of what running costs.

Oracle: a table made by hand.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gradstudy.report.figure_functions import functions

(FIGURE,) = functions(Path(__file__).parents[2] / "studies" / "cost-of-running")


def costs(seconds: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "quantity": ["two-at-a-time", "reports"],
            "runs": [6, 1000],
            "value": [1.9, seconds],
            "low": [1.85, seconds],
            "high": [1.95, seconds],
            "n": [3, 11],
            "unit": ["times faster", "s"],
        }
    )


def test_reports_are_counted_and_not_runs() -> None:
    figure = FIGURE({"costs": costs(40.0)}).figure
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [
        "two runs at a time (6)\n1.9 of at least 1.8 times faster",
        "making all reports again (11)\n40 of at most 60 s",
    ]


def test_what_is_missed_is_named() -> None:
    assert FIGURE({"costs": costs(40.0)}).caption.endswith("All are met.")
    assert FIGURE({"costs": costs(70.0)}).caption.endswith("Missed: making all reports again.")

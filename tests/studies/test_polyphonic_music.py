"""The figures of the study of polyphonic music.

Oracle: scipy's interval of a mean; tables made by hand.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from gradstudy.report.figure_functions import functions

ROOT = Path(__file__).parents[2]
FIGURES = {f.name: f for f in functions(ROOT / "studies" / "polyphonic-music")}
ARMS = ("SGD", "SGD-C", "SGD-CR")
# Of five pairs.
GAINS = (0.1, 0.2, 0.4, 0.3, 0.2)


def likelihoods(lost: bool = False) -> pd.DataFrame:
    rows = [
        {"split": split, "arm": arm, "member": i, "nats": 5 + (arm == "SGD") * gain}
        for split in ("train", "test")
        for arm in ARMS
        for i, gain in enumerate(GAINS)
    ]
    table = pd.DataFrame(rows).assign(control="", omega="code", music="nottingham", first_rate=1.0)
    if lost:
        table.loc[(table["arm"] == "SGD") & (table["member"] == 0), "nats"] = math.nan
    return table


def published() -> pd.DataFrame:
    return pd.DataFrame(columns=["control", "omega", "music", "arm", "split", "nats", "source"])


def halves(drawing: object) -> list[float]:
    axes = drawing.figure.axes[0]  # type: ignore[attr-defined]
    ends = [container[2][0].get_segments()[0] for container in axes.containers]
    return [float(right[0] - left[0]) / 2 for left, right in filter(len, ends)]


def test_intervals_are_students_whatever_the_number_of_networks() -> None:
    tables = {"likelihoods": likelihoods(), "published": published()}
    expected = stats.t.ppf(0.975, len(GAINS) - 1) * stats.sem(GAINS)
    assert halves(FIGURES["gains"](tables))[:2] == pytest.approx([expected, expected])


def test_a_network_that_diverged_is_told_and_leaves_no_mean() -> None:
    drawing = FIGURES["gains"]({"likelihoods": likelihoods(lost=True), "published": published()})
    assert drawing.caption.endswith("Trainings that diverged, so that nothing is a mean with them: 1 of MSGD.")
    assert not any(half > 0 for half in halves(drawing))


def test_the_rate_that_is_pointed_at_is_the_one_that_is_chosen() -> None:
    """A rate at which a network diverged is not chosen; one at the edge of the grid is said to be there."""
    rows = [
        {"arm": arm, "first_rate": rate, "member": i, "nats": nats}
        for arm, by_rate in (("SGD", (5.0, 4.0, 4.5)), ("SGD-C", (5.0, 4.0, 4.5)), ("SGD-CR", (5.0, 4.0, 4.5)))
        for rate, nats in zip((0.5, 1.0, 2.0), by_rate, strict=True)
        for i in range(2)
    ]
    trials = pd.DataFrame(rows).assign(control="", omega="code", music="nottingham")
    trials.loc[(trials["arm"] == "SGD") & (trials["first_rate"] == 1.0) & (trials["member"] == 0), "nats"] = math.nan
    caption = FIGURES["learning_rates"]({"trials": trials}).caption
    assert "at the edge of those tried, so that a better one may lie beyond, is that of MSGD on Nottingham." in caption

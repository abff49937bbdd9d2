"""Figures of the study of latches, from tables as a report gives them back: parameters that are lists are text there.

Oracle: the fields that went in.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from gradstudy.report.figure_functions import functions
from gradstudy.report.tables import read_back

FIGURES = {f.name: f for f in functions(Path(__file__).parents[2] / "studies" / "latching")}


def density(lengths: list[int]) -> pd.DataFrame:
    fields = pd.DataFrame({"s": [0.0, 0.0, 0.2, 0.2], "first_weight": [0.5, 1.25] * 2, "share": 0.25, "n": 32})
    key = {"run": f"run{lengths[0]}", "group": "density", "control": ""}
    parameters = {"lengths": lengths, "rates": [0.1], "updates": 1000}
    recorded = fields.assign(**key, **{name: str(value) for name, value in parameters.items()})
    return read_back(recorded, [{**key, "parameters": parameters}])


def test_the_map_has_a_panel_a_length_and_says_its_learning_rate() -> None:
    table = pd.concat([density([10]), density([50])], ignore_index=True)
    drawing = FIGURES["map_of_convergence"]({"density": table})
    titles = [ax.get_title() for ax in drawing.figure.axes]
    assert titles[:2] == ["T = 10", "T = 50"]
    assert "learning rate 0.1, 1000 updates" in drawing.caption
    assert drawing.figure.axes[0].collections[0].get_array().ravel().tolist() == pytest.approx([0.25] * 4)


def test_latches_whose_sign_alternates_are_told_of() -> None:
    base = {"control": "", "reach": 0.5, "noise": 0.2, "start_weight": 1.25, "updates": 2000}
    shares = pd.DataFrame(
        {**base, "length": length, "rate": rate, "share": 0.5, "low": 0.4, "high": 0.6, "n": 8}
        for length in (5, 100)
        for rate in (1.0, float("nan"))
    )
    weights = {"length": [5, 100, 100, 100, 100, 100], "weight": [-2.0, -2.0, -0.5, 2.0, 3.0, -9.0]}
    runs = pd.DataFrame({**weights, "solved": [True] * 5 + [False]}).assign(control="")
    drawing = FIGURES["convergence_by_length"]({"shares": shares, "convergence": runs})
    assert "at that length 25% of those that converge" in drawing.caption

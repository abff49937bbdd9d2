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

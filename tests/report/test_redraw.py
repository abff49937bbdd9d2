"""Oracle: the pixels of the figure that the report was built with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradstudy.errors import UnknownFigureError
from gradstudy.report.redraw import draw_again, redraw


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("name", ["growth", "spectrum"])
def test_a_figure_is_redrawn_from_its_stored_tables(synthetic, report: Path, tmp_path: Path, name: str):
    study = synthetic.write_study(tmp_path / "made-up")
    again = draw_again(report, study.folder, name).file("png")
    kept = (report / "figures" / f"{name}.png").read_bytes()
    np.testing.assert_array_equal(pixels(again), pixels(kept))
    assert again == kept


def test_redraw_finds_the_study_in_the_workspace(synthetic, workspace: Path, report: Path):
    import yaml

    (workspace / "studies" / "made-up" / "study.yaml").write_text(yaml.safe_dump(synthetic.SPEC))
    assert redraw(report, "growth") == (report / "figures" / "growth.png").read_bytes()
    with pytest.raises(UnknownFigureError, match="growth, spectrum, absent"):
        redraw(report, "shrinkage")


def test_a_changed_table_changes_the_figures_id(synthetic, tmp_path: Path):
    first = synthetic.build_report(tmp_path / "a")
    second = synthetic.build_report(tmp_path / "b", synthetic.Recipe(controls=False))
    ids = [json.loads((folder / "report.json").read_text())["figures"][0]["id"] for folder in (first, second)]
    assert ids[0] != ids[1]
    assert ids[0].partition("@")[0] == ids[1].partition("@")[0]

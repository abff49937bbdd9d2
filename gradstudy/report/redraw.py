"""Drawing a report's figure again, from the tables in its folder alone."""

from __future__ import annotations

import json
from pathlib import Path

from gradstudy.report import pictures, prose, tables
from gradstudy.report.figure_functions import find


def redraw(report_folder: Path, figure_name: str) -> bytes:
    """PNG of a figure, drawn again by the study's `figures.py` from the stored tables.

    Args:
        report_folder: `<workspace>/reports/<profile>/<study>`.
        figure_name: name of the function in `figures.py`.

    Raises:
        UnknownFigureError: the study draws no such figure.
        ReportError: a table is gone, or not the one that the report was made from.
        UnknownStudyError: the study is neither in the workspace nor in the package.
    """
    from gradstudy.study.catalog import find_study

    report = json.loads((report_folder / "report.json").read_text(encoding="utf-8"))
    workspace = report_folder.resolve().parents[2]
    return draw_again(report_folder, find_study(report["study"], workspace).folder, figure_name)


def draw_again(report_folder: Path, study_folder: Path, figure_name: str) -> bytes:
    """As `redraw`, with the folder that holds `figures.py`."""
    report = json.loads((report_folder / "report.json").read_text(encoding="utf-8"))
    function = find(study_folder, figure_name)
    drawing = function(tables.of_report(report_folder))
    kept = next(figure for figure in report["figures"] if figure["name"] == figure_name)
    words = prose.plain(kept["caption"])
    identity = pictures.Identity(kept["id"], kept["title"], words, report["version"], report["date"])
    return pictures.png(drawing.figure, identity)

"""Drawing a report's figure again, from the tables in its folder alone."""

from __future__ import annotations

from pathlib import Path

from gradstudy.report import form, gallery, stored
from gradstudy.report.figure_functions import find
from gradstudy.report.gallery import Picture


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

    workspace = report_folder.resolve().parents[2]
    study = find_study(form.load(report_folder / "report.json")["study"], workspace)
    return draw_again(report_folder, study.folder, figure_name).file("png")


def draw_again(report_folder: Path, study_folder: Path, figure_name: str) -> Picture:
    """As `redraw`, with the folder that holds `figures.py`; a figure that can be saved in any format."""
    return gallery.draw(find(study_folder, figure_name), stored.read(report_folder).shelf)

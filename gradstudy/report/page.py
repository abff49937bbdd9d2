"""The HTML pages: one a study and one index, read offline in their folder, where the pictures lie beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gradstudy.errors import ReportError
from gradstudy.report import bibtex, profiles, report_id
from gradstudy.report.identity import Identity


def study_page(report: Mapping[str, Any], folder: Path) -> bytes:
    """The page of one study, which shows the figures of the report's folder."""
    shown = [{**figure, "src": _source(folder, figure), "bibtex": _bibtex(figure, report)} for figure in _all(report)]
    return _rendered("study.html.j2", report=report, figures=shown, report_id=report_id.identity(folder).id)


def index_page(reports: Sequence[tuple[Mapping[str, Any], Path]], profile: str) -> bytes:
    """The index of a profile's studies.

    Args:
        reports: content and folder of each study's report.
        profile: name of the profile.
    """
    studies = [{"report": report, "lead": _lead(report, folder)} for report, folder in reports]
    return _rendered("index.html.j2", studies=studies, profile=profile, note=profiles.note(profile))


def _lead(report: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    drawn = next((figure for figure in _all(report) if figure["png"]), None)
    return drawn and {**drawn, "src": f"{report['study']}/{_source(folder, drawn)}"}


def _all(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(report["figures"])


def _bibtex(figure: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    if figure["missing"]:
        return ""
    return bibtex.entry(Identity(figure["id"], figure["title"], "", report["version"], report["date"]))


def _source(folder: Path, figure: Mapping[str, Any]) -> str:
    # The PNG, at 200 dots an inch a third of the SVG's size; that is a click away and in the PDF.
    if not figure["png"]:
        return ""
    if not (folder / figure["png"]).is_file():
        raise ReportError(
            f"{figure['png']} of the report {folder.name} is not there",
            needed="all files that report.json names",
            why="the page shows the picture",
            remedy="build the report again: remove its folder, then `gradstudy report`",
        )
    return str(figure["png"])


def _rendered(template: str, **context: Any) -> bytes:
    return _environment().get_template(template).render(**context).encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("gradstudy.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

"""The HTML pages: one a study and one index, read offline in their folder, where the pictures lie beside them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gradstudy.errors import ReportError
from gradstudy.report import bibtex, papers, profiles, report_id
from gradstudy.report.identity import Identity

_SCRIPT = Path(__file__).parent / "templates" / "page.js"
_SIZE = slice(16, 24)
"""Where a PNG says its width and height, four bytes each."""


def study_page(report: Mapping[str, Any], folder: Path) -> bytes:
    """The page of one study, which shows the figures of the report's folder."""
    figures = [{**_told(figure, report), "src": _source(folder, figure)} for figure in report["figures"]]
    whole = report_id.identity(folder)
    return _rendered("study.html.j2", report=report, figures=figures, whole=whole.id, bibtex=bibtex.entry(whole))


def index_page(reports: Sequence[tuple[Mapping[str, Any], Path]], profile: str) -> bytes:
    """The index of a profile's studies, and the ledger of their claims.

    Args:
        reports: content and folder of each study's report.
        profile: name of the profile.
    """
    studies = [{"report": report, "lead": _lead(report, folder)} for report, folder in reports]
    ledger = papers.ledger([report for report, _ in reports])
    note = profiles.note(profile)
    return _rendered("index.html.j2", studies=studies, ledger=ledger, profile=profile, note=note)


def _lead(report: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """The first figure, of those not taller than wide if there is one: between others it has to be seen at a glance."""
    drawn = [(figure, _source(folder, figure)) for figure in report["figures"] if figure["png"]]
    low = [(figure, source) for figure, source in drawn if not _is_tall(folder / source)]
    for figure, source in (low or drawn)[:1]:
        return {**_told(figure, report), "src": f"{report['study']}/{source}"}
    return None


def _is_tall(png: Path) -> bool:
    with png.open("rb") as file:
        size = file.read(_SIZE.stop)[_SIZE]
    return size[4:] > size[:4]  # numbers with the highest byte first, in order as bytes are


def _told(figure: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """A figure with what stands for it: words for those who cannot see it, its citation."""
    own = Identity(figure["id"], figure["title"], "", report["version"], report["date"]).by(report)
    return {**figure, "alt": figure["alt"] or figure["title"], "bibtex": "" if figure["missing"] else bibtex.entry(own)}


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
    made = Environment(
        loader=PackageLoader("gradstudy.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A browser executes the script of this digest and nothing else, whatever stands in a report.
    script = _SCRIPT.read_bytes()
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    made.globals |= {"script": Markup(script.decode()), "script_digest": f"sha256-{digest}"}
    return made

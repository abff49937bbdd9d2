"""The PDF: a fixed Typst template that reads report.json and the figures; no text is pasted into its source."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Literal

from gradstudy.errors import ReportError
from gradstudy.report import edition, report_id
from gradstudy.report.identity import Identity
from gradstudy.report.metadata import EDITION
from gradstudy.study.catalog import is_shipped

TEMPLATE = Path(__file__).with_name("templates") / "report.typ"


def render(folder: Path) -> bytes:
    """The report in `folder` (its report.json and figures) as PDF, in the compiler's own fonts.

    Raises:
        ReportError: Typst refuses the report.
    """
    import typst

    try:
        try:
            # PDF/UA: tagged, with a text for every figure.
            return _compiled(folder, "ua-1")
        except typst.TypstError:
            # It refuses a sign that the fonts lack, and any run's error may hold one: an empty box costs no report.
            return _compiled(folder)
    except typst.TypstError as error:
        raise ReportError(
            f"the PDF could not be set: {error}",
            needed="a report.json that fits templates/report.typ",
            why="a report without its PDF is not whole",
            remedy="report this as a bug of gradstudy; the former report is untouched",
        ) from error


def _compiled(folder: Path, standard: Literal["ua-1"] | None = None) -> bytes:
    import typst

    identity = report_id.identity(folder)
    noon = datetime.combine(date.fromisoformat(identity.date), time(12), UTC)
    compiler = typst.Compiler(
        TEMPLATE.read_bytes(), root=str(folder), ignore_system_fonts=True, sys_inputs=_inputs(identity)
    )
    content = compiler.compile(format="pdf", timestamp=noon, pdf_standards=standard)
    assert isinstance(content, bytes)  # as pages are only split in pictures
    return content


def _inputs(identity: Identity) -> dict[str, str]:
    """What the template cannot read in report.json: the report's own digest, and whose study it is."""
    author = edition.AUTHOR if is_shipped(identity.study) else ""
    return {"id": identity.id, "about": identity.caption, "edition": f"{EDITION}{identity.version}", "author": author}

"""The PDF: a fixed Typst template that reads report.json and the figures; no text is pasted into its source."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Literal

from gradstudy.errors import ReportError
from gradstudy.report import edition, object_streams

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

    noon = datetime.combine(edition.day(), time(12), UTC)
    compiler = typst.Compiler(TEMPLATE.read_bytes(), root=str(folder), ignore_system_fonts=True)
    content = compiler.compile(format="pdf", timestamp=noon, pdf_standards=standard)
    assert isinstance(content, bytes)  # as pages are only split in pictures
    return object_streams.compressed(content)

"""The PDF: a fixed Typst template that reads report.json and the figures; no text is pasted into its source."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

from gradstudy.errors import ReportError
from gradstudy.report import edition

TEMPLATE = Path(__file__).with_name("templates") / "report.typ"


def render(folder: Path) -> bytes:
    """The report in `folder` (its report.json and figures) as PDF, in the compiler's own fonts.

    Raises:
        ReportError: Typst refuses the report.
    """
    import typst

    noon = datetime.combine(edition.day(), time(12), UTC)
    compiler = typst.Compiler(TEMPLATE.read_bytes(), root=str(folder), ignore_system_fonts=True)
    try:
        # PDF/UA: tagged, with a text for every figure; one bytes object, as pages are only split in pictures.
        content = compiler.compile(format="pdf", timestamp=noon, pdf_standards="ua-1")
    except typst.TypstError as error:
        raise ReportError(
            f"the PDF of {folder.parent.name} could not be set: {error}",
            needed="a report.json that fits templates/report.typ",
            why="a report without its PDF is not whole",
            remedy="report this as a bug of gradstudy; the former report is untouched",
        ) from error
    assert isinstance(content, bytes)
    return content

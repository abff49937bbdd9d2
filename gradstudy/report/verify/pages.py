"""What people read of a report, its page and its PDF, against its report.json."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gradstudy.errors import ReportError, UnknownFigureError
from gradstudy.report import edition, identity, ledger, page, pdf, report_id
from gradstudy.report.metadata import UnreadableError
from gradstudy.report.stored import Stored
from gradstudy.report.verify import pixels
from gradstudy.report.verify.finding import Finding, Outcome, worst

_PAGE_INCHES = (8.27, 11.69)
_PAGE_DOTS = 144
_COUNT = re.compile(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d{1,5})")


def compared(stored: Stored) -> Finding:
    """index.html and report.pdf."""
    outcomes = []
    for name, compare in (("index.html", _of_page), ("report.pdf", of_pdf)):
        try:
            outcomes.append(compare((stored.folder / name).read_bytes(), stored))
        except (OSError, ReportError) as error:
            why = error.came if isinstance(error, ReportError) else error.strerror
            outcomes.append((Outcome.DIFFERS, f"{name}: {why}"))
    places = tuple(place for _, place in outcomes if place)
    return Finding("pages", worst(outcome for outcome, _ in outcomes), "index.html and report.pdf", places)


def of_index(profile: Path) -> Finding | None:
    """The index.html over all reports of a profile, set again; None if it has none."""
    file = profile / "index.html"
    if not file.is_file():
        return None
    try:
        same = file.read_bytes() == page.index_page(ledger.load_all(profile), profile.name)
        place = "" if same else "index.html is not that of the reports beside it"
    except ReportError as error:
        place = error.came
    return Finding("pages", Outcome.DIFFERS if place else Outcome.IDENTICAL, "index.html", (place,) if place else ())


def _of_page(content: bytes, stored: Stored) -> tuple[Outcome, str]:
    if content == page.study_page(stored.report, stored.folder):
        return Outcome.IDENTICAL, ""
    return Outcome.DIFFERS, "index.html is not that of report.json"


def of_pdf(content: bytes, stored: Stored) -> tuple[Outcome, str]:
    """A report.pdf, set again from report.json: by its bytes, else what it says it is and each page's pixels."""
    if (schema := stored.report["schema"]) != edition.SCHEMA:
        return Outcome.DIFFERS, f"report.json is of schema {schema}, whose PDF only its own edition can set again"
    again = pdf.render(stored.folder)
    if content == again:
        return Outcome.IDENTICAL, ""
    try:
        said, own = identity.identity_of(content, "report.pdf"), report_id.identity(stored.folder)
        if said.id != own.id:
            return Outcome.DIFFERS, f"report.pdf is of {said.id}, not of {own.id}"
        return _by_pages(content, again)
    except (UnknownFigureError, UnreadableError) as error:
        return Outcome.DIFFERS, getattr(error, "came", None) or f"report.pdf {error}"


def _by_pages(content: bytes, again: bytes) -> tuple[Outcome, str]:
    """Both are shown by one program with the fonts they bring along, so that one unlike pixel is a difference."""
    count, own = _pages(content), _pages(again)
    if count != own:
        return Outcome.DIFFERS, f"report.pdf has {count} pages instead of {own}"
    for number in range(1, own + 1):
        left, right = (
            pixels.shown(file, "pdf", _PAGE_INCHES, page=number, dots=_PAGE_DOTS) for file in (content, again)
        )
        if not np.array_equal(left, right):
            return Outcome.DIFFERS, f"page {number} of report.pdf is not that of report.json"
    return Outcome.IDENTICAL, ""


def _pages(content: bytes) -> int:
    return max((int(count) for count in _COUNT.findall(content)), default=0)

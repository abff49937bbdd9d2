"""What a picture or a PDF of ours says of itself, read wherever the file has got to.

Whoever sends a file can have written anything into it: what is read here is text of known form or is refused, and
nothing of it is executed, pasted into a path or fetched.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gradstudy.errors import UnknownFigureError
from gradstudy.report import pdf_info, svg_info
from gradstudy.report.metadata import MOST_PIXELS, UnreadableError, washed

Kind = Literal["png", "svg", "pdf"]
KINDS: dict[str, Kind] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
"""The kinds of files by the ending of their names."""

# Text keys of our PNG files beside the standard Title.
PNG_ID, PNG_CAPTION, PNG_VERSION, PNG_DATE = (
    "gradstudy-figure", "gradstudy-caption", "gradstudy-version", "gradstudy-date",
)  # fmt: skip
_PNG_END = b"IEND\xaeB`\x82"
_MOST_BYTES = 20_000_000
_FORMS = {
    "id": re.compile(r"[a-z][a-z0-9-]*(/[^\W\d]\w*)?@[0-9a-f]{12}"),
    "version": re.compile(r"\d[0-9A-Za-z.+!-]{0,40}"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
}


@dataclass(frozen=True)
class Identity:
    """What a file says of itself.

    Args:
        id: `<study>/<function>@<digest of its tables>` of a figure, `<study>@<digest of its report.json>` of a report.
        title: one line.
        caption: a figure's caption without markup; of a report its profile and runs.
        version: edition of gradstudy that made it.
        date: date of the report, ISO 8601; empty in an SVG of an edition that did not write it there.
        authors: of the study, where its report says so; a file that has left its report does not know them.
        year: of the study, likewise.
    """

    id: str
    title: str
    caption: str
    version: str
    date: str
    authors: tuple[str, ...] = ()
    year: int | None = None

    def by(self, report: Mapping[str, Any]) -> Identity:
        """The same with the authors and the year that a report.json says."""
        return replace(self, authors=tuple(report.get("authors", ())), year=report.get("year"))

    @property
    def name(self) -> str:
        """The id without its digest."""
        return self.id.partition("@")[0]

    @property
    def study(self) -> str:
        """The study's name."""
        return self.name.partition("/")[0]

    @property
    def of_report(self) -> bool:
        """Whether it is a whole report's."""
        return "/" not in self.name


def is_file_name(target: str) -> bool:
    """Whether a text names a picture or a PDF rather than an id."""
    return Path(target).suffix.lower() in KINDS


def read(path: Path) -> Identity:
    """Identity in the metadata of a PNG, SVG or PDF.

    Raises:
        UnknownFigureError: there is no such file, it is cut off, holds what no picture of ours does (scripts, entities,
            links to elsewhere), or is not one of ours.
    """
    return identity_of(content_of(path), path.name)


def content_of(path: Path) -> bytes:
    """Bytes of a file, within reason.

    Raises:
        UnknownFigureError: there is none, or it is larger than any figure.
    """
    try:
        size = path.stat().st_size
        if path.is_file() and size <= _MOST_BYTES:
            return path.read_bytes()
        came = f"{washed(str(path))} of {size} bytes" if path.is_file() else f"no file {washed(str(path))}"
    except (OSError, ValueError):  # ValueError: a NUL in the name
        came = f"no file {washed(str(path))}"
    raise UnknownFigureError(
        came,
        needed="a PNG, SVG or PDF that gradstudy made, or an id such as study/figure",
        why="there is nothing to cite or to verify",
        remedy="correct the path",
    )


def identity_of(content: bytes, name: str) -> Identity:
    """As `read`, of bytes; `name` is told when they are refused."""
    try:
        keys = {"png": _png_keys, "svg": svg_info.keys, "pdf": pdf_info.keys}[kind_of(content)](content)
        parts = (washed(keys.get(part, "")) for part in ("id", "title", "caption", "version", "date"))
        own_id, title, caption, version, date = parts
        found = Identity(own_id, title, caption, version, date)
        _check(found)
    except UnreadableError as problem:
        raise UnknownFigureError(
            f"{washed(name)} {problem}",
            needed="a PNG, SVG or PDF as gradstudy wrote it, its metadata still in it",
            why="the picture alone does not say which figure of which study it is",
            remedy="cite or verify by id (STUDY/FIGURE), or take the original file from the report",
        ) from problem
    return found


def kind_of(content: bytes) -> Kind:
    """Format of a file by how it begins, whatever its name says.

    Raises:
        UnreadableError: none that gradstudy writes.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"%PDF-"):
        return "pdf"
    if content.lstrip().startswith((b"<?xml", b"<svg", b"<!DOCTYPE svg")):
        return "svg"
    raise UnreadableError("is no PNG, SVG or PDF")


def _check(found: Identity) -> None:
    if not found.id:
        raise UnreadableError("without gradstudy's metadata")
    for part, form in _FORMS.items():
        value = getattr(found, part)
        if value and not form.fullmatch(value):
            raise UnreadableError(f"whose {part} is {value[:80]!r}, which gradstudy writes in no file")


def _png_keys(content: bytes) -> dict[str, str]:
    from PIL import Image

    if not content.endswith(_PNG_END):
        raise UnreadableError("is cut off or corrupt")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UnreadableError(f"of {picture.width} x {picture.height} pixels is larger than any figure")
            picture.load()  # text may stand behind the pixels
            text = dict(getattr(picture, "text", {}))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableError("is cut off or corrupt") from error
    places = {"id": PNG_ID, "title": "Title", "caption": PNG_CAPTION, "version": PNG_VERSION, "date": PNG_DATE}
    return {part: text.get(key, "") for part, key in places.items()}

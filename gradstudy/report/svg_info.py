"""The metadata of an SVG of ours; one that could do or load anything is refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from gradstudy.report.metadata import EDITION, MOST_PIXELS, UnreadableError

_PLACES = {
    ("identifier",): "id",
    ("title",): "title",
    ("description",): "caption",
    ("publisher", "Agent", "title"): "version",
    ("date",): "date",
}
_WORK = ("svg", "metadata", "RDF", "Work")
# What matplotlib draws with; there are no scripts, no foreign content, no filters and no animations among these.
_DRAWN = (
    "circle clipPath defs ellipse g image line linearGradient path pattern polygon polyline rect stop style svg text "
    "tspan use"
)
_SAID = "Agent RDF Work creator date description format identifier metadata publisher title type"
_ELEMENTS = frozenset(f"{_DRAWN} {_SAID}".split())
_HERE = re.compile(r"#|data:image/png;base64,")
_ELSEWHERE = re.compile(r"url\(\s*['\"]?(?!#)|@import", re.IGNORECASE)


def keys(content: bytes) -> dict[str, str]:
    """Text of each part of the identity that is there.

    Raises:
        UnreadableError: it is no well-formed XML, or holds entities, scripts or links to elsewhere.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler, parser.EntityDeclHandler = reader.doctype, reader.entity
    parser.ProcessingInstructionHandler = reader.instruction
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two of an encoding nobody knows
        raise UnreadableError("is cut off or corrupt") from error
    return reader.found | {"version": reader.found.get("version", "").removeprefix(EDITION)}


class _Reader:
    """What the parser tells, kept or refused."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local not in _ELEMENTS:
            raise _holds(f"<{local}>")
        for attribute, value in attributes.items():
            self._check(attribute.rpartition(" ")[2], value)
        self._path.append(local)
        self._text = []

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        text, self._text = "".join(self._text), []
        if self._path[-1] == "style" and _ELSEWHERE.search(text):
            raise _holds("a style that loads")
        part = _PLACES.get(tuple(self._path[len(_WORK) :])) if tuple(self._path[: len(_WORK)]) == _WORK else None
        if part:
            self.found.setdefault(part, text)
        self._path.pop()

    def doctype(self, name: str, system: str | None, public: str | None, has_subset: int) -> None:
        if has_subset:
            raise _holds("declarations of its own")

    def entity(self, *declaration: Any) -> None:
        raise _holds("an entity")

    def instruction(self, target: str, data: str) -> None:
        raise _holds("a processing instruction")

    def _check(self, attribute: str, value: str) -> None:
        if attribute.lower().startswith("on"):
            raise _holds(f"the script {attribute}")
        if attribute == "href":
            _check_link(value)
        if _ELSEWHERE.search(value):
            raise _holds("a style that loads")


def _check_link(link: str) -> None:
    """Links lead to a part of the picture, or are a PNG of reasonable size themselves."""
    if not _HERE.match(link):
        raise _holds("a link to elsewhere")
    if not link.startswith("#"):
        head = base64.b64decode("".join(link.partition(",")[2][:60].split())[:40])
        if int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big") > MOST_PIXELS:
            raise _holds("a picture larger than any figure")


def _holds(what: str) -> UnreadableError:
    return UnreadableError(f"holds {what[:60]!r}, which no picture of gradstudy does")

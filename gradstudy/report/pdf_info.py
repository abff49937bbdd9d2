"""The document information of a PDF of ours; one that could do anything when it is opened is refused.

Both writers, matplotlib and Typst, leave it as a plain dictionary that the trailer points to. A PDF that another tool
has packed anew is not read: its bytes are no longer those that were written.
"""

from __future__ import annotations

import re

from gradstudy.report.metadata import EDITION, MOST_PIXELS, UnreadableError

# Scripts, actions, attachments; packed or encrypted objects, in which they could hide.
_ACTIVE = re.compile(
    rb"/(?:JavaScript|JS|Launch|OpenAction|AA|SubmitForm|ImportData|EmbeddedFiles?|RichMedia|XFA|ObjStm|Encrypt)\b"
)
_SIDE = re.compile(rb"/(?:Width|Height)\s+(\d{1,18})")
_INFO = re.compile(rb"/Info\s+(\d{1,9})\s+0\s+R")
_ENTRY = re.compile(rb"\s*/([A-Za-z]+)\s*(?=[(<])")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b""}
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")


def keys(content: bytes) -> dict[str, str]:
    """Text of each part of the identity that is there.

    Raises:
        UnreadableError: it is cut off, or holds scripts, actions, attachments or packed objects.
    """
    if not content.rstrip().endswith(b"%%EOF"):
        raise UnreadableError("is cut off or corrupt")
    bare = _without_streams(content)
    if active := _ACTIVE.search(bare):
        raise UnreadableError(f"holds {active[0].decode()}, which no PDF of gradstudy does")
    if any(int(side) ** 2 > MOST_PIXELS for side in _SIDE.findall(bare)):
        raise UnreadableError("holds a picture larger than any figure")
    info = _information(bare)
    identity, *rest = info.get("Keywords", "").split(", ")
    version = next((word for word in rest if word.startswith(EDITION)), "").removeprefix(EDITION)
    date = _DATE.match(info.get("CreationDate", ""))
    found = {"id": identity, "title": info.get("Title", ""), "caption": info.get("Subject", ""), "version": version}
    return found | {"date": "-".join(date.groups()) if date else ""}


def _without_streams(content: bytes) -> bytes:
    """The document's own structure; what is drawn is packed in streams, whose bytes may look like anything."""
    kept, place = [], 0
    while (begin := content.find(b"stream", place)) >= 0:
        kept.append(content[place:begin])
        place = content.find(b"endstream", begin) + len(b"endstream")
        if place < begin:
            raise UnreadableError("is cut off or corrupt")
    return b"".join([*kept, content[place:]])


def _information(bare: bytes) -> dict[str, str]:
    """The document information's texts by their key; empty where there is none."""
    pointers = _INFO.findall(bare)
    if not pointers:
        return {}
    objects = list(re.finditer(rb"(?<!\d)%s 0 obj\s*<<" % pointers[-1], bare))
    place, found = (objects[-1].end() if objects else len(bare)), {}
    while entry := _ENTRY.match(bare, place):
        text, place = _string(bare, entry.end())
        found[entry[1].decode()] = text
    return found


def _string(bare: bytes, place: int) -> tuple[str, int]:
    """The string that begins at a place, and where it has ended."""
    if bare[place : place + 1] == b"<":
        end = bare.find(b">", place)
        try:
            return _decoded(bytes.fromhex(bare[place + 1 : end].decode())), end + 1
        except ValueError as error:
            raise UnreadableError("is cut off or corrupt") from error
    return _literal(bare, place)


def _literal(bare: bytes, place: int) -> tuple[str, int]:
    text, depth, at = bytearray(), 0, place
    while at < len(bare):
        sign = bare[at : at + 1]
        at += 1
        if sign == b"\\":
            raw, at = _escape(bare, at)
            text += raw
            continue
        depth += (sign == b"(") - (sign == b")")
        if depth == 0:
            return _decoded(bytes(text[1:])), at
        text += sign
    raise UnreadableError("is cut off or corrupt")


def _escape(bare: bytes, at: int) -> tuple[bytes, int]:
    if octal := re.compile(rb"[0-7]{1,3}").match(bare, at):
        return bytes([int(octal[0], 8) & 255]), octal.end()
    sign = bare[at : at + 1]
    return _ESCAPES.get(sign, sign), at + 1


def _decoded(text: bytes) -> str:
    if text.startswith(b"\xfe\xff"):
        return text[2:].decode("utf-16-be", errors="replace")
    return text.decode("utf-8" if text.startswith(b"\xef\xbb\xbf") else "latin-1", errors="replace").lstrip("\ufeff")

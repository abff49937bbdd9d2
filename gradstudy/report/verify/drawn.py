"""A figure's file against the figure drawn again: what it says of itself, and its pixels."""

from __future__ import annotations

from gradstudy.report.gallery import Picture
from gradstudy.report.identity import Identity, Kind, identity_of
from gradstudy.report.metadata import washed
from gradstudy.report.verify import pixels
from gradstudy.report.verify.finding import Outcome


def compared(content: bytes, kind: Kind, picture: Picture) -> tuple[Outcome, str]:
    """Outcome, and what differs or which tolerance was needed; empty where every byte or every pixel is the same.

    Raises:
        UnknownFigureError: the file is not one of ours.
        UnreadableError: it cannot be shown.
    """
    again = picture.file(kind)
    if content == again:
        return Outcome.IDENTICAL, ""
    unlike = _words(identity_of(content, picture.identity.name), picture.identity)
    if unlike:
        return Outcome.DIFFERS, unlike
    inches = picture.inches
    return pixels.compared(pixels.shown(content, kind, inches), pixels.shown(again, kind, inches))


def _words(said: Identity, own: Identity) -> str:
    for part in ("id", "title", "caption"):
        if getattr(said, part) != washed(getattr(own, part)):
            return f"its {part} is {getattr(said, part)!r} instead of {washed(getattr(own, part))!r}"
    return ""

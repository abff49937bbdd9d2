"""Pictures on disk: PNG, SVG and PDF whose bytes are a function of the figure, and that say what they are."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gradstudy.report import edition
from gradstudy.report.identity import PNG_CAPTION, PNG_DATE, PNG_ID, PNG_VERSION, Identity, Kind
from gradstudy.report.metadata import EDITION
from gradstudy.study.catalog import is_shipped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "figures"

# What holds places in an SVG (a scale is none), and numbers in it with more digits than can be seen.
_PLACES = re.compile(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*|(?<=translate\()[^)]*')
_LONG = re.compile(r"-?\d+\.\d{3,}")


def saved(figure: Figure, kind: Kind, identity: Identity) -> bytes:
    """The figure as a file of that kind, its identity in the metadata that the format knows.

    A PNG has 200 dots an inch and 256 colours of its own. PDFs are made on demand; a report holds the other two.
    """
    return {"png": _png, "svg": _svg, "pdf": _pdf}[kind](figure, identity)


def _png(figure: Figure, identity: Identity) -> bytes:
    keys = {
        "Title": identity.title,
        **_author(identity),
        PNG_ID: identity.id,
        PNG_CAPTION: identity.caption,
        PNG_VERSION: identity.version,
        PNG_DATE: identity.date,
    }
    return _few_colours(_written(figure, "png", {"Software": None}), keys)


def _few_colours(content: bytes, keys: Mapping[str, str]) -> bytes:
    """The same PNG with a palette, a third of the size, and with text keys."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, text in keys.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        dots = picture.info["dpi"]
        flat = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    flat.save(buffer, "PNG", optimize=True, dpi=dots, pnginfo=info)
    return buffer.getvalue()


def _svg(figure: Figure, identity: Identity) -> bytes:
    keys = {
        "Title": identity.title,
        "Identifier": identity.id,
        "Description": identity.caption,
        "Publisher": f"{EDITION}{identity.version}",
        "Date": identity.date,
        "Creator": None,
    }
    return _terse(_written(figure, "svg", keys))


def _terse(svg: bytes) -> bytes:
    """The same picture without indentation, its places to a hundredth of a point, 1/7200 of an inch."""
    text = re.sub(r"\n +<", "\n<", svg.decode())
    return _PLACES.sub(lambda found: _LONG.sub(lambda number: f"{float(number[0]):.2f}", found[0]), text).encode()


def _pdf(figure: Figure, identity: Identity) -> bytes:
    keys = {
        "Title": identity.title,
        **_author(identity),
        "Subject": identity.caption,
        "Keywords": f"{identity.id}, {EDITION}{identity.version}",
        "CreationDate": datetime.fromisoformat(identity.date).replace(tzinfo=UTC),
        "Creator": None,
        "Producer": None,
    }
    return _written(figure, "pdf", keys)


def _author(identity: Identity) -> dict[str, str]:
    """Ours only of a study that came with gradstudy."""
    return {"Author": edition.AUTHOR} if is_shipped(identity.study) else {}


def _written(figure: Figure, kind: Kind, keys: Mapping[str, Any]) -> bytes:
    from gradstudy.plot import style

    buffer = io.BytesIO()
    with style.context():
        figure.savefig(buffer, format=kind, metadata=dict(keys))
    return buffer.getvalue()

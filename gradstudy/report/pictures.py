"""Pictures on disk: PNG and SVG whose bytes are a function of the figure, and that say what they are."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gradstudy.errors import UnknownFigureError
from gradstudy.report import edition
from gradstudy.study.catalog import is_shipped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "figures"

# What holds places in an SVG (a scale is none), and numbers in it with more digits than can be seen.
_PLACES = re.compile(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*|(?<=translate\()[^)]*')
_LONG = re.compile(r"-?\d+\.\d{3,}")

# Text keys of our PNG files beside the standard Title and Author.
_ID, _CAPTION, _VERSION, _DATE = "gradstudy-figure", "gradstudy-caption", "gradstudy-version", "gradstudy-date"


@dataclass(frozen=True)
class Identity:
    """What a picture says of itself.

    Args:
        id: `<study>/<function>@<digest of its tables>`.
        title: one line.
        caption: the caption's words, without markup.
        version: edition of gradstudy that drew it.
        date: date of the report, ISO 8601.
    """

    id: str
    title: str
    caption: str
    version: str
    date: str


def png(figure: Figure, identity: Identity) -> bytes:
    """The figure as PNG at 200 dots an inch in 256 colours of its own, with its identity in text keys."""
    keys = {
        "Title": identity.title,
        **({"Author": edition.AUTHOR} if is_shipped(identity.id.partition("/")[0]) else {}),
        _ID: identity.id,
        _CAPTION: identity.caption,
        _VERSION: identity.version,
        _DATE: identity.date,
    }
    return _few_colours(_saved(figure, "png", {"Software": None}), keys)


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


def svg(figure: Figure, identity: Identity) -> bytes:
    """The figure as SVG, with its identity in the metadata that the format knows."""
    keys: dict[str, str | None] = {
        "Title": identity.title,
        "Identifier": identity.id,
        "Description": identity.caption,
        "Publisher": f"gradstudy {identity.version}",
        "Date": None,
        "Creator": None,
    }
    return _terse(_saved(figure, "svg", keys))


def _terse(svg: bytes) -> bytes:
    """The same picture without indentation, its places to a hundredth of a point, 1/7200 of an inch."""
    text = re.sub(r"\n +<", "\n<", svg.decode())
    return _PLACES.sub(lambda found: _LONG.sub(lambda number: f"{float(number[0]):.2f}", found[0]), text).encode()


def identity_of(path: Path) -> Identity:
    """What a PNG of ours says of itself, wherever it has got to.

    Raises:
        UnknownFigureError: the file is no PNG, or not one of ours.
    """
    keys = _text_keys(path)
    if _ID not in keys:
        raise UnknownFigureError(
            f"{path.name} without gradstudy's metadata",
            needed="a PNG that gradstudy drew, with its text keys still in it",
            why="the picture alone does not say which figure of which study it is",
            remedy="cite by id (`gradstudy cite STUDY/FIGURE`), or take the original file from the report",
        )
    return Identity(*(keys.get(key, "") for key in (_ID, "Title", _CAPTION, _VERSION, _DATE)))


def _text_keys(path: Path) -> dict[str, str]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            picture.load()  # text may stand behind the pixels
            return dict(getattr(picture, "text", {}))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return {}


def _saved(figure: Figure, kind: str, keys: Mapping[str, str | None]) -> bytes:
    from gradstudy.plot import style

    buffer = io.BytesIO()
    with style.context():
        figure.savefig(buffer, format=kind, metadata=keys)
    return buffer.getvalue()

"""Pictures compared by their pixels. Typst, which runs no scripts and fetches nothing, shows SVG and PDF."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gradstudy.report.identity import Kind
from gradstudy.report.metadata import UnreadableError
from gradstudy.report.verify.finding import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.int16]

DOTS = 200
"""Dots an inch at which figures are compared, as their PNG have them."""
TOLERANCE = 64
"""Of 255: how far a colour may be from the nearest like it within one pixel. Other builds of the library that shapes
letters shade edges differently by less; a symbol moved by two pixels leaves the background in its place."""


def of_png(content: bytes) -> Pixels:
    """The pixels (height, width, 3) of a PNG.

    Raises:
        UnreadableError: it is cut off or corrupt.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.int16)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableError("is cut off or corrupt") from error


def shown(content: bytes, kind: Kind, inches: tuple[float, float], *, page: int = 1, dots: int = DOTS) -> Pixels:
    """The pixels of a picture, stretched to a page of that width and height, whatever its own size claims.

    Raises:
        UnreadableError: it cannot be shown.
    """
    if kind == "png":
        return of_png(content)
    import typst

    width, height = inches
    which = f"page: {page}, " if kind == "pdf" else ""
    source = (
        f"#set page(width: {width}in, height: {height}in, margin: 0pt)\n"
        f'#image("/picture.{kind}", {which}width: 100%, height: 100%, fit: "stretch")'
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"picture.{kind}").write_bytes(content)
        try:
            compiler = typst.Compiler(source.encode(), root=folder, ignore_system_fonts=True)
            png: Any = compiler.compile(format="png", ppi=dots)
        except typst.TypstError as error:
            raise UnreadableError("cannot be shown") from error
    return of_png(png)


def compared(kept: Pixels, again: Pixels) -> tuple[Outcome, str]:
    """Whether two pictures show the same, and where they do not."""
    if kept.shape != again.shape:
        return Outcome.DIFFERS, f"{_size(kept)} pixels instead of {_size(again)}"
    if np.array_equal(kept, again):
        return Outcome.IDENTICAL, ""
    far = np.maximum(_nearest(kept, again), _nearest(again, kept))
    if far.max() <= TOLERANCE:
        return Outcome.TOLERATED, f"every pixel has its like within one pixel and {far.max()} of 255"
    rows, columns = np.nonzero(far > TOLERANCE)
    place = f"x {columns.min()}-{columns.max()}, y {rows.min()}-{rows.max()} of {_size(kept)}"
    return Outcome.DIFFERS, f"{len(rows)} pixels differ, at {place}"


def _nearest(kept: Pixels, again: Pixels) -> NDArray[np.int16]:
    """For each pixel, how far its colour is from the nearest one within a pixel in the other picture."""
    return np.minimum.reduce([np.abs(kept - moved).max(axis=2) for moved in _moved(again)])


def _moved(picture: Pixels) -> Iterator[Pixels]:
    height, width, _ = picture.shape
    wide = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    for down in range(3):
        for right in range(3):
            yield wide[down : down + height, right : right + width]


def _size(picture: Pixels) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"

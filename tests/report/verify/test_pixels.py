"""Oracles: pictures whose difference was put there by hand; matplotlib's own rasteriser for what Typst shows."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from gradstudy.report.metadata import UnreadableError
from gradstudy.report.verify import pixels
from gradstudy.report.verify.finding import Outcome


def picture() -> np.ndarray:
    """White, with a black line, a grey area and a blue dot of 4 x 4 pixels."""
    drawn = np.full((60, 80, 3), 255, dtype=np.int16)
    drawn[30, 10:70] = 0
    drawn[40:50, 10:70] = 200
    drawn[5:9, 5:9] = (0, 114, 178)
    return drawn


def test_the_same_pixels_are_identical():
    assert pixels.compared(picture(), picture()) == (Outcome.IDENTICAL, "")


def test_edges_shaded_otherwise_are_within_tolerance():
    other = picture()
    other[29, 10:70] = 230
    other[30, 10:70] = 60
    outcome, place = pixels.compared(picture(), other)
    assert outcome is Outcome.TOLERATED
    assert "60 of 255" in place


@pytest.mark.parametrize(("down", "right"), [(0, 3), (3, 0), (10, 20)])
def test_a_dot_that_moved_is_found_where_it_was_and_where_it_is(down: int, right: int):
    other = picture()
    other[5:9, 5:9] = 255
    other[5 + down : 9 + down, 5 + right : 9 + right] = (0, 114, 178)
    outcome, place = pixels.compared(picture(), other)
    assert outcome is Outcome.DIFFERS
    x, y = (place.partition("x ")[2].partition(",")[0], place.partition("y ")[2].partition(" ")[0])
    assert int(x.split("-")[0]) <= 8 + 1
    assert int(x.split("-")[1]) == 8 + right
    assert int(y.split("-")[1]) <= 8 + down


@pytest.mark.parametrize("change", ["gone", "new", "colour", "pale"])
def test_one_symbol_more_less_or_of_another_colour_is_found(change: str):
    other = picture()
    if change == "gone":
        other[5:9, 5:9] = 255
    if change == "new":
        other[52:56, 60:64] = (213, 94, 0)
    if change == "colour":
        other[5:9, 5:9] = (213, 94, 0)
    if change == "pale":
        other[40:50, 10:70] = 120
    assert pixels.compared(picture(), other)[0] is Outcome.DIFFERS
    assert pixels.compared(other, picture())[0] is Outcome.DIFFERS


def test_another_size_differs():
    outcome, place = pixels.compared(picture(), picture()[:50])
    assert (outcome, place) == (Outcome.DIFFERS, "80 x 60 pixels instead of 80 x 50")


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_typst_shows_what_matplotlib_draws(kind: str):
    figure = Figure(figsize=(2, 1))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.fill([0, 0.5, 0.5, 0], [0, 0, 1, 1], color="#0072B2")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    file, png = io.BytesIO(), io.BytesIO()
    figure.savefig(file, format=kind)
    figure.savefig(png, format="png", dpi=pixels.DOTS)
    shown = pixels.shown(file.getvalue(), kind, (2, 1))
    own = pixels.of_png(png.getvalue())
    assert shown.shape == own.shape == (200, 400, 3)
    assert np.abs(shown - own)[:, [50, 150, 250, 350]].max() <= 2
    assert tuple(shown[100, 50]) == (0, 0x72, 0xB2)
    assert tuple(shown[100, 350]) == (255, 255, 255)


def test_a_size_that_a_file_claims_is_not_believed():
    huge = b'<svg xmlns="http://www.w3.org/2000/svg" width="1e9" height="1e9"><path d="M0 0H1V1z"/></svg>'
    assert pixels.shown(huge, "svg", (1, 1)).shape == (200, 200, 3)


@pytest.mark.parametrize(("content", "kind"), [(b"<svg", "svg"), (b"%PDF-1.4\n%%EOF", "pdf"), (b"\x89PNG", "png")])
def test_what_cannot_be_shown_is_told(content: bytes, kind):
    with pytest.raises(UnreadableError):
        pixels.shown(content, kind, (1, 1))

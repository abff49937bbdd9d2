"""Pictures on disk.

Oracle: matplotlib's own SVG, read as XML.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure

from gradstudy.plot import style
from gradstudy.report import pictures
from gradstudy.report.identity import Identity

IDENTITY = Identity("made-up/spiral@000000000000", "A spiral", 'Of 3.14159265 turns, d="1.23456"', "0.1", "2026-01-01")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def spiral() -> Figure:
    with style.context():
        figure, ax = style.subplots()
        angle = np.linspace(0, 20, 300)
        ax.plot(angle * np.cos(angle), angle * np.sin(angle))
        ax.scatter(angle, np.sin(angle))
        ax.imshow(np.eye(3), extent=(5, 9, 5, 9))
        ax.set_title("rotated", rotation=10)
    return figure


def test_an_svg_has_its_places_to_a_hundredth_of_a_point() -> None:
    whole = pictures._written(spiral(), "svg", {"Date": None})
    written = pictures._terse(whole)
    assert len(written) < 0.9 * len(whole)
    drawn = [list(ElementTree.fromstring(svg).iter()) for svg in (written, whole)]
    assert [node.tag for node in drawn[0]] == [node.tag for node in drawn[1]]
    numbers = 0
    for short, long in zip(*drawn, strict=True):
        assert short.keys() == long.keys()
        for key in short.keys():  # noqa: SIM118 (an element is no dictionary)
            a, b = short.get(key, ""), long.get(key, "")
            if a != b:
                assert NUMBER.split(a) == NUMBER.split(b)
                gaps = np.abs(np.array(NUMBER.findall(a), float) - np.array(NUMBER.findall(b), float))
                assert gaps.max() <= 0.005 + 1e-9
                numbers += len(gaps)
    assert numbers > 500
    scales = [re.findall(r"scale\([^)]*\)", text.decode()) for text in (written, whole)]
    assert scales[0] == scales[1]
    assert "scale(0.015625)" in scales[0]


def test_the_words_of_an_svg_stay_as_they_are() -> None:
    assert b"Of 3.14159265 turns" in pictures.saved(spiral(), "svg", IDENTITY)

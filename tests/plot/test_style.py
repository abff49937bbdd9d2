"""Oracles: matplotlib's own settings before and after; contrast and colour-blindness by published formulas."""

from __future__ import annotations

import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gradstudy.plot import style

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = np.cbrt(TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_context_leaves_no_trace():
    before = dict(matplotlib.rcParams)
    with style.context():
        assert matplotlib.rcParams["savefig.dpi"] == 200
    assert dict(matplotlib.rcParams) == before


def test_the_readers_own_settings_do_not_show():
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}), style.context():
        assert matplotlib.rcParams["font.size"] == 8
        assert matplotlib.rcParams["axes.facecolor"] == "white"


def test_letters_are_at_least_seven_points():
    with style.context():
        figure, axes = style.subplots()
        axes.plot([1, 2], [3, 4], label="a")
        axes.set(xlabel="x", ylabel="y", title="t")
        axes.legend()
        figure.draw_without_rendering()
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7


@pytest.mark.parametrize(("width", "columns"), [(style.COLUMN, 1), (style.FULL, 3)])
def test_sizes_are_those_of_a_paper(width: float, columns: int):
    figure, _ = style.subplots(1, columns, width=width)
    assert figure.get_figwidth() == width
    assert figure.get_figheight() == pytest.approx(style.GOLDEN * width / columns)


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_colours_are_told_apart(deficiency: str | None):
    matrix = np.eye(3) if deficiency is None else np.array(DEFICIENCIES[deficiency])
    seen = {colour: lab(matrix @ linear(colour)) for colour in style.PALETTE}
    # A difference (CIE 1976) of 2.3 is just noticeable side by side; lines apart on a page need several times that.
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)


@pytest.mark.parametrize("colour", [*style.PALETTE, style.GREY])
def test_colours_stand_out_from_white(colour: str):
    luminance = TO_XYZ[1] @ linear(colour)
    assert 1.05 / (luminance + 0.05) > 2.1


def test_drawing_needs_no_pyplot():
    code = (
        "import sys; from gradstudy.plot import style\n"
        "with style.context(): figure, axes = style.subplots(); figure.savefig('/dev/null', format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

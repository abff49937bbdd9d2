"""Oracle: matplotlib's own measure of what is drawn, in pixels of the figure; a single value drawn by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gradstudy.plot import gradient_norms, jacobian_moments, jacobian_spectra, product_spectrum, tracked

NAMES = [f"resnet.encoder.stages.{i}.layers.0.shortcut.convolution" for i in range(4)]


@pytest.fixture(autouse=True)
def agg():
    before = pyplot.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(before)


def by_layer():
    rows = [(step, "layer_gradient", name, -step - i) for step in range(3) for i, name in enumerate(NAMES)]
    return tracked.plot(pd.DataFrame(rows, columns=["step", "quantity", "name", "log10_value"]), "flow")


def over_steps():
    rows = [(step, "layer_gradient", name, -step - i) for step in range(3) for i, name in enumerate(NAMES)]
    return tracked.plot(pd.DataFrame(rows, columns=["step", "quantity", "name", "log10_value"]), "layers")


def over_depth():
    return gradient_norms.plot(
        pd.DataFrame({"t": range(4), "row": 0, "log10_norm": [-1.0, -2, -3, -4], "state": NAMES})
    )


@pytest.mark.parametrize("draw", [by_layer, over_steps, over_depth])
def test_a_new_figure_holds_the_names_of_a_real_model_whole(draw):
    figure = draw().figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, page = figure.get_tightbbox(canvas.get_renderer()), figure.bbox_inches
    assert page.x0 <= drawn.x0 < drawn.x1 <= page.x1
    assert page.y0 <= drawn.y0 < drawn.y1 <= page.y1


def test_stages_over_depth_have_short_and_distinct_names():
    written = [label.get_text() for label in over_depth().get_xticklabels()]
    assert len(set(written)) == len(NAMES)
    assert max(map(len, written)) <= 22


def test_the_spectrum_of_a_single_link_is_seen():
    frame = pd.DataFrame({"t": 1, "row": 0, "index": [0, 1, 2], "singular_value": [3.0, 2.0, 1.0]})
    lines = jacobian_spectra.plot(frame, Figure().subplots()).get_lines()
    assert [float(line.get_ydata()[0]) for line in lines] == [3.0, 2.0, 1.0]
    assert all(line.get_marker() == "o" for line in lines)


def test_a_spectrum_over_several_links_is_a_line():
    frame = pd.DataFrame({"t": [1, 2], "row": 0, "index": 0, "singular_value": [3.0, 2.0]})
    assert all(line.get_marker() == "None" for line in jacobian_spectra.plot(frame, Figure().subplots()).get_lines())


@pytest.mark.parametrize(
    ("plot", "frame"),
    [
        (
            jacobian_moments.plot,
            {
                "row": [0],
                "log10_mean": [1.0],
                "log10_second_moment": [2.0],
                "log10_mean_stderr": [0.1],
                "log10_second_moment_stderr": [0.1],
            },
        ),
        (product_spectrum.plot, {"row": [0], "index": [0], "log10_singular_value": [1.0]}),
    ],
)
def test_rows_and_indices_are_whole_numbers_even_if_there_is_one(plot, frame):
    ax = plot(pd.DataFrame(frame), Figure().subplots())
    low, high = ax.get_xlim()
    ticks = np.array([tick for tick in ax.get_xticks() if low <= tick <= high])
    assert len(ticks)
    np.testing.assert_array_equal(ticks, np.round(ticks))

"""Oracle: medians by hand; an exact zero is -inf on the axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gradstudy.plot.gradient_norms import plot


def test_the_median_is_of_all_rows_and_zeros_are_shown():
    rows = {0: [-np.inf, -np.inf, 0.0], 1: [-np.inf, -2.0, -1.0], 2: [-3.0, -2.0, -1.0]}
    frame = pd.DataFrame([{"t": t, "row": i, "log10_norm": x} for t, xs in rows.items() for i, x in enumerate(xs)])
    line, zeros = plot(frame, Figure().subplots()).get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, -2.0, -2.0])
    assert list(zeros.get_xdata()) == [0, 1]


def test_a_gradient_that_is_zero_everywhere_is_drawn_as_such():
    frame = pd.DataFrame({"t": [0, 1], "row": 0, "log10_norm": -np.inf})
    line, zeros = plot(frame, Figure().subplots()).get_lines()
    assert np.isnan(line.get_ydata()).all()
    assert list(zeros.get_xdata()) == [0, 1]

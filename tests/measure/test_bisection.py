"""Bisection to the last bit.

Oracles: numbers whose square is known to lie on either side; numpy's nextafter.
"""

from __future__ import annotations

import numpy as np

from gradstudy.measure.bisection import neighbours


def test_neighbours_on_either_side_of_each_root():
    squares = np.array([2.0, 3.0, 1e-20, 0.25])
    low, high = neighbours(np.zeros(4), np.full(4, 2.0), lambda x: x * x >= squares)
    np.testing.assert_array_equal(np.nextafter(low, 3), high)
    assert (low * low < squares).all()
    assert (high * high >= squares).all()
    assert high[3] == 0.5


def test_negative_numbers_and_a_condition_that_never_holds_inside():
    low, high = neighbours(np.array([-3.0]), np.array([-1.0]), lambda x: x > -1.0)
    assert (low[0], high[0]) == (np.nextafter(-1.0, -2), -1.0)

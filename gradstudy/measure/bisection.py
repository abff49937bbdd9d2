"""Bisection to the last bit, for many functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def neighbours(low: Values, high: Values, beyond: Callable[[Values], NDArray[np.bool_]]) -> tuple[Values, Values]:
    """Neighbouring float64 numbers between which a condition begins to hold.

    Args:
        low: where it does not hold.
        high: where it does, above `low`; the same shape.
        beyond: whether it holds, for each of such numbers; taken to hold from some number on.

    Returns:
        The last number at which it does not hold, and the next one.

    Cost: some 55 calls of `beyond`.
    """
    while True:
        middle = (low + high) / 2
        split = (middle > low) & (middle < high)
        if not split.any():
            return low, high
        held = beyond(middle)
        low, high = np.where(split & ~held, middle, low), np.where(split & held, middle, high)

"""One number of a tracker's table."""

from __future__ import annotations

import math
from typing import NamedTuple

from gradstudy.track.norms import Norm


class Row(NamedTuple):
    """A number that was measured at one step.

    Args:
        quantity: what it is.
        name: of the parameter, layer or module; empty for what belongs to the whole model.
        at: timestep t or index of a singular value; -1 where there is none.
        value: the number; a norm below 1e-308 reads 0 here.
        log_value: natural logarithm, the exact one of a norm; NaN where the quantity is no size.
        non_finite: entries of the tensor that are NaN or infinite.
    """

    quantity: str
    name: str
    at: int
    value: float
    log_value: float
    non_finite: int


def norm_row(quantity: str, name: str, norm: Norm, at: int = -1, *, log_scale: float = 0.0) -> Row:
    """A norm as a row, divided by the scale of the loss."""
    found = Norm(norm.log - log_scale, norm.non_finite)
    return Row(quantity, name, at, found.value, found.log, found.non_finite)


def plain_row(quantity: str, name: str, value: float, *, non_finite: int = 0) -> Row:
    """A number that is no norm."""
    return Row(quantity, name, -1, value, math.nan, non_finite)


def size_row(quantity: str, name: str, log_value: float, at: int = -1) -> Row:
    """A positive number by its logarithm."""
    return norm_row(quantity, name, Norm(log_value), at)

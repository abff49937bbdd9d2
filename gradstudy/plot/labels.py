"""Names of layers on axes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axis import Axis

LONGEST = 22
"""Letters of a layer's name on an axis: two thirds of a column's width are left for the data."""

_MOST = 24


def shorten(name: str, longest: int = LONGEST) -> str:
    """The name with its middle left out if it is too long: where layers differ is mostly at both ends."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 3
    return f"{name[:head]}…{name[-(longest - 1 - head) :]}"


def name_ticks(axis: Axis, names: Sequence[str]) -> None:
    """One tick a layer, or every second, third, ... where there are too many to read."""
    stride = -(-len(names) // _MOST)
    axis.set_ticks(range(0, len(names), stride), [shorten(name) for name in names[::stride]])

"""Names of layers on axes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axis import Axis

LONGEST = 22
"""Letters of a layer's name on an axis: two thirds of a column's width are left for the data."""

_MOST = 24


def shorten(name: str, longest: int = LONGEST) -> str:
    """The name short enough for an axis.

    Modules on the way are cut to their first letter, the outermost first, numbers kept: `encoder.layer.11.output`
    becomes `e.l.11.output`, so that layers of different blocks stay apart. What is still too long loses its middle.
    """
    parts = name.split(".")
    for i, part in enumerate(parts[:-1]):
        if len(".".join(parts)) <= longest:
            break
        parts[i] = part if part.isdigit() else part[:1]
    short = ".".join(parts)
    if len(short) <= longest:
        return short
    head = (longest - 1) // 3
    return f"{short[:head]}…{short[-(longest - 1 - head) :]}"


def name_ticks(axis: Axis, names: Sequence[str], start: int = 0) -> None:
    """One tick a layer, the first at `start`, or every second, third, ... where there are too many to read."""
    stride = -(-len(names) // _MOST)
    axis.set_ticks(range(start, start + len(names), stride), [shorten(name) for name in names[::stride]])

"""Numbers as a reader meets them, in the page, the PDF and the terminal alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gradstudy.claims.claim import Estimate, Region

if TYPE_CHECKING:
    import pandas as pd

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FOLDERS = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'\"]+[\\/])+")
_LEAST, _MOST = -3, 5  # powers of ten that are written out


def number(value: float, digits: int = 3) -> str:
    """A number to that many significant digits, such as 0.270, −1.30×10⁻⁹ or ∞."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else _signed(value, "∞")
    if value == 0:
        return "0"
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power = int(exponent)
    if _LEAST <= power < _MOST:
        return _signed(value, f"{abs(value):.{max(0, digits - 1 - power)}f}")
    return _signed(value, f"{mantissa}×10{str(power).translate(_SUPERSCRIPTS)}")


def border(value: float) -> str:
    """A number that somebody chose: as short as it is exact."""
    short = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if not math.isfinite(value) or "e" not in short:
        return number(value) if not math.isfinite(value) else short.replace("-", "−")
    mantissa, exponent = short.split("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if mantissa == "1" else f"{mantissa}×{power}".replace("-", "−")


def interval(value: float, low: float, high: float) -> str:
    """A value with its interval, to the digits that the interval's width makes worth writing."""
    if low == value == high:
        return number(value)
    if math.isnan(low) or math.isnan(high):
        return f"{number(value)} (no interval)"
    middle, left, right = alike(value, low, high)
    return f"{middle} ({left} to {right})"


def alike(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and its interval's ends, each to the digits that the interval's width makes worth writing."""
    if low == value == high:
        return (number(value),) * 3
    return _alike(value, low, high), _alike(low, low, high), _alike(high, low, high)


def estimate(found: Estimate) -> str:
    """An estimate with its interval and unit."""
    return f"{interval(found.value, found.low, found.high)} {found.unit}".strip()


def region(asked: Region) -> str:
    """Where the claim holds."""
    if math.isinf(asked.low) and math.isinf(asked.high):
        return "any number"
    if math.isinf(asked.low):
        return f"below {border(asked.high)}"
    if math.isinf(asked.high):
        return f"above {border(asked.low)}"
    return f"between {border(asked.low)} and {border(asked.high)}"


def count(number_of: int, one: str, many: str = "") -> str:
    """Such as "1 run" or "3 runs"; `many` where an s does not make the plural."""
    return f"{number_of} {one}" if number_of == 1 else f"{number_of} {many or one + 's'}"


def failure(text: str) -> str:
    """The first line of what an error said; of a file only its name, so that no machine's folders are in a report."""
    return _FOLDERS.sub("…/", text.partition("\n")[0])


def raised(error: BaseException, tables: Mapping[str, pd.DataFrame]) -> str:
    """What somebody's function raised, and after a KeyError the columns that its tables have."""
    said = failure(f"{type(error).__name__}: {error}")
    if not isinstance(error, KeyError):
        return said
    columns = (f"{name} has {', '.join(map(str, table.columns))}" for name, table in tables.items())
    return "; ".join([said, *columns])


def _alike(value: float, low: float, high: float) -> str:
    width = high - low
    largest = max(abs(low), abs(high))
    if not (math.isfinite(width) and math.isfinite(value)) or width <= 0:
        return number(value)
    decimals = 1 - math.floor(math.log10(width))
    if largest >= 10**_MOST or decimals > 6:  # too wide apart, or too fine, for one row of decimals
        return number(value)
    text = f"{abs(value):.{max(0, decimals)}f}"
    return text if float(text) == 0 else _signed(value, text)


def _signed(value: float, text: str) -> str:
    return f"−{text}" if value < 0 else text

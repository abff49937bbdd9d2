"""Names for LaTeX macros: letters only, which is all that TeX takes; readable; no two alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_NAMES = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
_DIGITS = dict(zip("0123456789", _NAMES, strict=True))
_SIGNS = {"-": "Minus", "+": "Plus", ".": "Point"}
_PARTS = re.compile(r"(?<![\w.])[-+](?=\d)|(?<=\d)\.(?=\d)|\d|[A-Za-z]+")


def camel(text: str) -> str:
    """A text as letters: words capitalised, digits, Greek letters, decimal points and signs of numbers by name.

    >>> camel("ρ = -0.8, basic-tanh")
    'RhoMinusZeroPointEightBasicTanh'
    """
    return "".join(_word(part) for part in _PARTS.findall("".join(map(_plain, text))))


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The names in their order; one that was there before gets B, C, ... behind it."""
    seen: set[str] = set()
    for name in names:
        own = next(name + end for end in _endings() if name + end not in seen)
        seen.add(own)
        yield own


def _plain(sign: str) -> str:
    """ASCII of a sign: minus for minus, 1 for a lowered 1, ' rho ' for a Greek letter, else a space."""
    if sign == "−":
        return "-"
    name = unicodedata.name(sign, "")
    if greek := re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)", name):
        return f" {greek[1].lower()} "
    kept = unicodedata.normalize("NFKD", sign)
    return kept if kept.isascii() else kept.encode("ascii", "ignore").decode() or " "


def _word(part: str) -> str:
    return _DIGITS.get(part) or _SIGNS.get(part) or part[0].upper() + part[1:]


def _endings() -> Iterator[str]:
    """Nothing, B, C, ..., Z, BB, BC, ..."""
    yield ""
    for first in _endings():
        yield from (first + letter for letter in "BCDEFGHIJKLMNOPQRSTUVWXYZ")

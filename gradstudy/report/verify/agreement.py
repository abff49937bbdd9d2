"""Contents of report.json, and tables, compared number by number."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gradstudy.report.verify.finding import Outcome

if TYPE_CHECKING:
    import pandas as pd

RECOMPUTED = 1e-9
"""Difference that recomputed numbers may have, relative to the largest beside them (an estimate's value, low, high):
other processors add in another order."""

_NUMBER = re.compile(r"[-−+]?\d+(?:\.\d+)?")


@dataclass
class Agreement:
    """What a comparison has found so far.

    Args:
        largest: largest relative difference among the numbers within tolerance.
        places: where more than that differs.
        rewritten: where only numbers written in a text differ, which a number's last digit may do.
    """

    largest: float = 0.0
    places: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """The outcome; a text with other numbers is only excused by numbers that do differ."""
        if self.where:
            return Outcome.DIFFERS
        return Outcome.TOLERATED if self.largest else Outcome.IDENTICAL

    @property
    def where(self) -> tuple[str, ...]:
        """Where it differs."""
        return (*self.places, *(() if self.largest else self.rewritten))


def of_contents(kept: Any, again: Any, place: str = "") -> Agreement:
    """Two contents of JSON; `place` is put before every place that differs."""
    agreement = Agreement()
    _compare(kept, again, place, agreement, 0.0)
    return agreement


def of_tables(kept: pd.DataFrame, again: pd.DataFrame, tolerance: float) -> Iterator[tuple[float, str]]:
    """For each column that is not identical: how far it is off, and where most.

    Numbers are compared relative to the largest magnitude of their column; one that differs by more than the tolerance,
    or a cell of another kind, has infinity for an answer.
    """
    if list(kept.columns) != list(again.columns):
        yield math.inf, f"columns {', '.join(again.columns)} instead of {', '.join(kept.columns)}"
        return
    if len(kept) != len(again):
        yield math.inf, f"{len(again)} rows instead of {len(kept)}"
        return
    for column in kept.columns:
        yield from _of_columns(kept, again, column, tolerance)


def _of_columns(kept: pd.DataFrame, again: pd.DataFrame, column: str, tolerance: float) -> Iterator[tuple[float, str]]:
    import numpy as np

    if not all(table[column].dtype.kind in "iufb" for table in (kept, again)):
        unlike = (kept[column].astype(str) != again[column].astype(str)).to_numpy().astype(float)
        off = np.where(unlike > 0, np.inf, 0.0)
    else:
        left, right = (table[column].to_numpy(dtype=float) for table in (kept, again))
        scale = np.abs(left[np.isfinite(left)]).max(initial=0.0) or 1.0
        with np.errstate(invalid="ignore"):
            off = np.abs(left - right) / scale
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        off = np.where(same, 0.0, np.where(np.isfinite(off), off, np.inf))
    if not off.max(initial=0.0):
        return
    row = int(off.argmax())
    run = f"run {kept['run'].iloc[row]}, " if "run" in kept else ""
    where = f"{column}: {run}row {row}: {kept[column].iloc[row]} in the report, {again[column].iloc[row]} now"
    worst = float(off[row])
    yield (worst if worst <= tolerance else math.inf), where


def _compare(kept: Any, again: Any, place: str, agreement: Agreement, scale: float) -> None:
    """Compare two values; `scale` is the largest magnitude among the numbers that stand beside them."""
    if isinstance(kept, Mapping) and isinstance(again, Mapping):
        scale = max((abs(value) for value in kept.values() if isinstance(value, float)), default=0.0)
        for name in dict.fromkeys((*kept, *again)):
            _compare(kept.get(name), again.get(name), f"{place}.{name}".lstrip("."), agreement, scale)
    elif isinstance(kept, list) and isinstance(again, list) and len(kept) == len(again):
        for number, (left, right) in enumerate(zip(kept, again, strict=True)):
            _compare(left, right, f"{place}[{_name(left, number)}]", agreement, scale)
    elif isinstance(kept, float) and isinstance(again, float):
        off = abs(kept - again) / (max(abs(kept), abs(again), scale) or 1.0)
        agreement.largest = max(agreement.largest, off if off <= RECOMPUTED else 0.0)
        agreement.places += [_unlike(kept, again, place)] if off > RECOMPUTED else []
    elif isinstance(kept, str) and isinstance(again, str) and _NUMBER.sub("#", kept) == _NUMBER.sub("#", again):
        agreement.rewritten += [_unlike(kept, again, place)] if kept != again else []
    elif kept != again and not (kept is None and again in ({}, [])):  # a part that older editions did not write
        agreement.places.append(_unlike(kept, again, place))


def _name(row: Any, number: int) -> str:
    """What a row of a list is called: a claim by its id, an estimate by its condition."""
    names: Sequence[str] = ("id", "claim", "name", "control", "condition", "run", "key")
    own = row if isinstance(row, Mapping) else {}
    return next((str(own[name]) for name in names if own.get(name)), str(number))


def _unlike(kept: Any, again: Any, place: str) -> str:
    return f"{place}: {_short(kept)} in the report, {_short(again)} now"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"

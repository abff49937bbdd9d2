"""Columns that no recorded table may have: a report puts them in front of every table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradstudy.errors import RecordError

FRONT = ("run", "group", "control")


def check_columns(table: str, columns: Sequence[str], parameters: Iterable[str]) -> None:
    """Refuse a table whose columns a report would take for those in front of it.

    Raises:
        RecordError: a column is named like a parameter, or run, group or control.
    """
    names = list(parameters)
    if clash := [column for column in columns if column in (*FRONT, *names)]:
        raise RecordError(
            f"the table {table!r} has the column {', '.join(map(repr, clash))}, which is also a parameter of its run "
            f"({', '.join(names)}) or one of {', '.join(FRONT)}",
            needed="columns of other names",
            why="parameters are put in front of every table as columns",
            remedy="leave the column out where the notebook records the table, or rename it",
        )


def check_records(folder: Path, parameters: Mapping[str, Any]) -> None:
    """`check_columns` of every table that a run has recorded: at its end, rather than when all runs are done.

    Args:
        folder: of the run.
        parameters: of the run.

    Raises:
        RecordError: see there.
    """
    for path in sorted((folder / "records").glob("[!.]*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            check_columns(path.stem, next(csv.reader(file), []), parameters)

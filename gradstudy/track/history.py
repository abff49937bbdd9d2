"""A tracker's table: in memory up to a limit, and on disk as csv that survives a crash."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import OptionError, RecordError
from gradstudy.records import storage_error
from gradstudy.track.row import Row

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("step", "quantity", "name", "index", "value", "log_value", "non_finite")
"""Columns of the table."""

_TYPES = {"step": "int64", "index": "Int64", "value": "float64", "log_value": "float64", "non_finite": "int64"}


class History:
    """Rows in memory, 40 bytes each; beyond `keep` of them the oldest go, those with non-finite entries last.

    Args:
        keep: rows in memory.
        path: csv file that every row is appended to; None for none.
    """

    def __init__(self, keep: int, path: Path | None) -> None:
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise OptionError(
                f"keep={keep!r}",
                needed="an integer from 1",
                why="it is the number of rows that are kept in memory",
                remedy="leave keep out for a million rows, some 40 MB",
            )
        self._keep = keep
        self._keys: dict[tuple[str, str, int], int] = {}
        self._columns: dict[str, array[Any]] = {name: array(code) for name, code in zip(_NUMBERS, "qqddq", strict=True)}
        self._path = path
        self._file: Any = None

    def __len__(self) -> int:
        return len(self._columns["step"])

    def open(self) -> int:
        """Open the file, if there is to be one, and give the number of the first step.

        Raises:
            RecordError: the file holds something else.
            StorageError: it cannot be written.
        """
        if self._path is None:
            return 0
        first, self._file = _open(self._path)
        return first

    def add(self, step: int, rows: Iterable[Row]) -> None:
        """Keep the rows of one step, and put them on disk.

        Raises:
            StorageError: the disk is full or read-only.
        """
        found = list(rows)
        for row in found:
            key = self._keys.setdefault(row[:3], len(self._keys))
            for name, value in zip(_NUMBERS, (step, key, row.value, row.log_value, row.non_finite), strict=True):
                self._columns[name].append(value)
        if self._file is not None:
            self._write(step, found)
        if len(self) > self._keep:
            self._forget()

    def close(self) -> None:
        """Close the file; the rows in memory stay."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def frame(self) -> pd.DataFrame:
        """The rows in memory as a table, in the order in which they were measured."""
        import numpy as np
        import pandas as pd

        keys = list(self._keys)
        numbers = {name: np.array(column) for name, column in self._columns.items()}
        chosen = numbers.pop("key")
        named = {name: [keys[i][place] for i in chosen] for place, name in enumerate(("quantity", "name", "index"))}
        frame = pd.DataFrame({**named, **numbers})[list(COLUMNS)]
        frame["index"] = frame["index"].astype("Int64").mask(frame["index"] < 0)
        return frame.astype(_TYPES)

    def _write(self, step: int, rows: Iterable[Row]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            (step, row.quantity, row.name, "" if row.at < 0 else row.at, *row[3:]) for row in rows
        )
        try:
            self._file.write(text.getvalue())
            self._file.flush()
        except OSError as error:
            assert self._path is not None
            raise storage_error(self._path, error) from error

    def _forget(self) -> None:
        """Drop the older half, but for its rows with non-finite entries (of which a quarter may stay)."""
        half = len(self) // 2
        counts = self._columns["non_finite"]
        kept = [i for i in range(half) if counts[i]][: self._keep // 4]
        for name, column in self._columns.items():
            self._columns[name] = array(column.typecode, [column[i] for i in kept]) + column[half:]


_NUMBERS = ("step", "key", "value", "log_value", "non_finite")


def read(path: str | Path) -> pd.DataFrame:
    """The table that a tracker has left on disk, as its `to_frame()`; a last line that was cut off is left out.

    Args:
        path: csv file of a tracker, finished or not.

    Raises:
        RecordError: the file cannot be read or is not a tracker's.
    """
    import pandas as pd

    path = Path(path)
    text = _whole_lines(path)
    rows = list(csv.reader(io.StringIO(text)))[1:]
    try:
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        frame["index"] = pd.to_numeric(frame["index"].replace("", None))
        return frame.astype(_TYPES)
    except ValueError as error:
        raise _unreadable(path, f"a line does not fit its header ({error})") from error


def _whole_lines(path: Path) -> str:
    """The file up to the end of its last whole line, its header checked."""
    try:
        content = path.read_bytes()
        text = content[: content.rfind(b"\n") + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    if text.partition("\n")[0] != ",".join(COLUMNS):
        raise _unreadable(path, f"its first line is {text.partition(chr(10))[0][:80]!r}")
    return text


def _unreadable(path: Path, because: str) -> RecordError:
    return RecordError(
        f"{path} cannot be read as a tracker's table: {because}",
        needed=f"a csv file with the header {','.join(COLUMNS)}",
        why="rows of another kind would be taken for gradients",
        remedy="give another path, or move this file away",
    )


def _open(path: Path) -> tuple[int, Any]:
    """The first step to write and the file: a new one, or one that is gone on with behind its last whole line."""
    try:
        if not path.exists() or not path.stat().st_size:
            file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115 (closed by the tracker)
            file.write(",".join(COLUMNS) + "\n")
            file.flush()
            return 0, file
        steps = read(path)["step"]
        file = open(path, "r+", encoding="utf-8", newline="")  # noqa: SIM115
        file.truncate(len(_whole_lines(path).encode()))
        file.seek(0, io.SEEK_END)
        return int(steps.max()) + 1 if len(steps) else 0, file
    except OSError as error:
        raise storage_error(path, error) from error

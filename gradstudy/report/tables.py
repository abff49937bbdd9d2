"""Tables of a report on disk: csv that gives back the very same numbers.

A run's parameters are kept once, in report.json, and not again in every row that the run recorded: a stored table has
the columns `run`, `group`, `control` and those that were recorded. These three are written where they change: a row
whose `run` is empty belongs to the run above it. Reading puts all of it back.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import ReportError
from gradstudy.report import form

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "tables"
_KEY = ("run", "group", "control")
_NAN = "nan"  # as in records
_REMEDY = "take the report's folder as it was committed, or build it again with `gradstudy report`"

RunRows = Sequence[Mapping[str, Any]]
"""A row a run with `run`, `group`, `control` and all its `parameters`."""


def as_bytes(table: pd.DataFrame) -> bytes:
    """The table as csv; floats in the shortest form that is exact, line ends the same on every system."""
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, na_rep=_NAN, lineterminator="\n")
    return buffer.getvalue().encode()


def from_bytes(content: bytes) -> pd.DataFrame:
    """The table back; an empty text stays empty and is not a missing number."""
    import pandas as pd

    return pd.read_csv(
        io.BytesIO(content),
        keep_default_na=False,
        na_values=[_NAN],
        low_memory=False,
        dtype=dict.fromkeys(_KEY, str),  # a digest may look like a number
        **_exact_floats(pd.__version__),
    )


def as_stored(table: pd.DataFrame, runs: RunRows) -> pd.DataFrame:
    """The table as it is stored: without parameters, a run named in its first row only."""
    stored, key = table.drop(columns=_parameters(runs)), list(_KEY)
    stored.loc[(table[key] == table[key].shift()).all(axis=1), key] = ""
    return stored


def as_recorded(stored: pd.DataFrame, runs: RunRows) -> pd.DataFrame:
    """The table with `run`, `group`, `control` and the run's parameters in every row; one that is None is NaN."""
    parameters = {tuple(run[column] for column in _KEY): run["parameters"] for run in runs}
    whole, key = stored.copy(), list(_KEY)
    whole[key] = stored[key].where(stored["run"] != "").ffill()
    rows = [parameters[row] for row in whole[key].itertuples(index=False, name=None)]
    for place, name in enumerate(_parameters(runs), start=len(_KEY)):
        whole.insert(place, name, [_cell(row[name]) for row in rows])
    return whole


def read_back(table: pd.DataFrame, runs: RunRows) -> pd.DataFrame:
    """The table as a report gives it back: what it would be decided and drawn from."""
    return as_recorded(from_bytes(as_bytes(as_stored(table, runs))), runs)


def read(folder: Path, runs: RunRows) -> dict[str, pd.DataFrame]:
    """All tables in a report's folder, by name, with the parameters of its runs."""
    paths = sorted((folder / FOLDER).glob("*.csv"))
    return {path.stem: as_recorded(from_bytes(path.read_bytes()), runs) for path in paths}


def of_report(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a finished report.

    Raises:
        ReportError: a table is gone, or not the one that the report was made from.
    """
    report = form.load(folder / "report.json")
    files = {row["name"]: _kept(folder, row, report) for row in report["tables"]}
    try:
        return {name: as_recorded(from_bytes(file), report["runs"]["list"]) for name, file in files.items()}
    except (ValueError, LookupError) as error:  # of what nobody but a forger writes
        raise ReportError(
            f"the tables of the report {report['study']} ({report['profile']}) do not fit its runs: {error}",
            needed="rows of the runs that report.json lists, with the same parameters each",
            why="figures and claims need the parameters of every row",
            remedy=_REMEDY,
        ) from error


def _kept(folder: Path, row: Mapping[str, Any], report: Mapping[str, Any]) -> bytes:
    path = folder / row["file"]
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise ReportError(
            f"{row['file']} of the report {report['study']} ({report['profile']})",
            needed="the table whose sha256 is in report.json",
            why="a figure drawn from another table would carry the id of this one",
            remedy=_REMEDY,
        )
    return content


def digest(tables: Mapping[str, bytes]) -> str:
    """Twelve characters that change with any name or byte of these tables."""
    whole = hashlib.sha256()
    for name in sorted(tables):
        whole.update(f"{name}\0{hashlib.sha256(tables[name]).hexdigest()}\n".encode())
    return whole.hexdigest()[:12]


def _parameters(runs: RunRows) -> list[str]:
    return list(runs[0]["parameters"])  # of one notebook: all runs have the same


def _cell(value: Any) -> Any:
    if value is None:
        return math.nan
    return json.dumps(value) if isinstance(value, list) else value


def _exact_floats(pandas_version: str) -> Any:
    # pandas reads floats exactly by default since 3.1, and since then warns of the option that asked for it.
    major, minor = pandas_version.split(".")[:2]
    return {} if (int(major), int(minor)) >= (3, 1) else {"float_precision": "round_trip"}

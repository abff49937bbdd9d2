"""All figures of a study, drawn from a report's tables: files and the words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import ReportError
from gradstudy.report import edition, pictures, prose, tables, words
from gradstudy.report.assess import Runs
from gradstudy.report.figure_functions import FigureFunction, functions
from gradstudy.report.undrawn import UNRECORDED

if TYPE_CHECKING:
    import pandas as pd

    from gradstudy.study.results import RunSummary


@dataclass(frozen=True)
class Shelf:
    """What figures are drawn from: the tables as read back, and how the profile's runs ended."""

    study: str
    profile: str
    tables: Mapping[str, pd.DataFrame]
    runs: tuple[RunSummary, ...]


@dataclass(frozen=True)
class Picture:
    """A figure's row of report.json, and its files by their path in the report (none if it could not be drawn)."""

    entry: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


def draw_all(study_folder: Path, shelf: Shelf) -> tuple[Picture, ...]:
    """Every figure of the study; one that cannot be drawn is listed with the reason.

    Raises:
        ReportError: `figures.py` cannot be imported, or a function does not return a `Drawing`.
    """
    return tuple(_picture(function, shelf) for function in functions(study_folder))


def _picture(function: FigureFunction, shelf: Shelf) -> Picture:
    absent = [name for name in function.tables if name not in shelf.tables]
    if absent:
        return _missing(function, shelf, f"{UNRECORDED}{words.count(len(absent), 'table')} {', '.join(absent)}")
    try:
        drawing = function(shelf.tables)
    except ReportError:
        raise
    except (Exception, SystemExit) as error:
        # With part of the runs missing a figure may be impossible; claims and other figures are still worth having.
        return _missing(function, shelf, words.failure(f"{type(error).__name__}: {error}"))
    caption = f"{drawing.caption.strip()} {_provenance(function, shelf)}"
    blocks = prose.parse(caption)
    identity = pictures.Identity(
        _id(function, shelf), function.title, prose.plain(blocks), edition.version(), edition.day().isoformat()
    )
    places = {kind: f"{pictures.FOLDER}/{function.name}.{kind}" for kind in ("png", "svg")}
    files = {
        places["png"]: pictures.png(drawing.figure, identity),
        places["svg"]: pictures.svg(drawing.figure, identity),
    }
    drawn = {"caption": blocks, "alt": drawing.alt, "width": float(drawing.figure.get_figwidth()), **places}
    return Picture(_entry(function, identity.id) | drawn, files)


def _missing(function: FigureFunction, shelf: Shelf, reason: str) -> Picture:
    return Picture(_entry(function, f"{shelf.study}/{function.name}") | {"missing": reason})


def _entry(function: FigureFunction, figure_id: str) -> dict[str, Any]:
    return {
        "name": function.name,
        "id": figure_id,
        "title": function.title,
        "tables": list(function.tables),
        "caption": [],
        "alt": "",
        "width": 0.0,
        "png": "",
        "svg": "",
        "missing": "",
    }


def _id(function: FigureFunction, shelf: Shelf) -> str:
    own = {name: tables.as_bytes(shelf.tables[name]) for name in function.tables}
    return f"{shelf.study}/{function.name}@{tables.digest(own)}"


def _provenance(function: FigureFunction, shelf: Shelf) -> str:
    own = [shelf.tables[name] for name in function.tables]
    grid = _distinct(table.loc[table["control"] == "", "run"] for table in own)
    controls = _distinct(table.loc[table["control"] != "", "run"] for table in own)
    used = words.count(grid, "run") + (f" and {words.count(controls, 'control run')}" if controls else "")
    ends = Runs.of(shelf.runs)
    planned = words.count(len(shelf.runs), "run")
    if ends.whole:
        return f"Its table holds {used}; all {planned} of the {shelf.profile} profile finished."
    lost = f"{ends.failed} failed and {ends.missing} are missing"
    return f"Its table holds {used}; of the {shelf.profile} profile's {planned} {lost}."


def _distinct(columns: Iterable[pd.Series[str]]) -> int:
    return len({run for column in columns for run in column})

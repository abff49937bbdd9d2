"""All figures of a study, drawn from a report's tables: files and the words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import ReportError
from gradstudy.report import pictures, prose, tables, words
from gradstudy.report.assess import Runs
from gradstudy.report.figure_functions import FigureFunction, functions
from gradstudy.report.identity import Identity, Kind
from gradstudy.report.undrawn import UNRECORDED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from gradstudy.plot.drawing import Drawing
    from gradstudy.study.results import RunSummary

KEPT: tuple[Kind, ...] = ("png", "svg")
"""The kinds of files that a report holds of each figure."""


@dataclass(frozen=True)
class Shelf:
    """What figures are drawn from.

    Args:
        study: its name.
        profile: name of the profile.
        tables: as read back from the report.
        runs: how the profile's runs ended.
        version: edition of gradstudy that the report names.
        date: of the report, ISO 8601.
    """

    study: str
    profile: str
    tables: Mapping[str, pd.DataFrame]
    runs: tuple[RunSummary, ...]
    version: str
    date: str


@dataclass(frozen=True)
class Picture:
    """A figure's row of report.json, what it says of itself, and its drawing; None if it could not be drawn."""

    entry: dict[str, Any]
    identity: Identity
    drawing: Drawing | None = None

    def file(self, kind: Kind) -> bytes:
        """The figure as a file; ReportError if it could not be drawn."""
        return pictures.saved(self._figure(), kind, self.identity)

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height; ReportError if it could not be drawn."""
        width, height = self._figure().get_size_inches()
        return float(width), float(height)

    def files(self) -> dict[str, bytes]:
        """The report's files of it by their path; none if it could not be drawn."""
        return {self.entry[kind]: self.file(kind) for kind in KEPT} if self.drawing else {}

    def _figure(self) -> Figure:
        if self.drawing is None:
            raise ReportError(
                f"{self.identity.id} is not drawn: {self.entry['missing']}",
                needed="a figure that can be drawn from the report's tables",
                why="without a drawing there is no picture",
                remedy="choose another figure, or mend what stands in its way",
            )
        return self.drawing.figure


def draw_all(study_folder: Path, shelf: Shelf) -> tuple[Picture, ...]:
    """Every figure of the study; one that cannot be drawn is listed with the reason.

    Raises:
        ReportError: `figures.py` cannot be imported, or a function does not return a `Drawing`.
    """
    return tuple(draw(function, shelf) for function in functions(study_folder))


def draw(function: FigureFunction, shelf: Shelf) -> Picture:
    """One figure.

    Raises:
        ReportError: the function does not return a `Drawing`.
    """
    absent = [name for name in function.tables if name not in shelf.tables]
    if absent:
        there = f"recorded: {', '.join(shelf.tables) or 'none'}"
        said = f"{words.count(len(absent), 'table')} {', '.join(absent)} ({there})"
        return _missing(function, shelf, UNRECORDED + said)
    try:
        drawing = function(shelf.tables)
    except ReportError:
        raise
    except (Exception, SystemExit) as error:
        # With part of the runs missing a figure may be impossible; claims and other figures are still worth having.
        return _missing(function, shelf, words.raised(error, {name: shelf.tables[name] for name in function.tables}))
    caption = f"{drawing.caption.strip()} {_provenance(function, shelf)}"
    blocks = prose.parse(caption)
    identity = Identity(_id(function, shelf), function.title, prose.plain(blocks), shelf.version, shelf.date)
    places: dict[str, str] = {kind: f"{pictures.FOLDER}/{function.name}.{kind}" for kind in KEPT}
    drawn: dict[str, Any] = {
        "caption": blocks,
        "alt": drawing.alt,
        "width": float(drawing.figure.get_figwidth()),
        **places,
    }
    return Picture(_entry(function, identity.id) | drawn, identity, drawing)


def _missing(function: FigureFunction, shelf: Shelf, reason: str) -> Picture:
    identity = Identity(f"{shelf.study}/{function.name}", function.title, "", shelf.version, shelf.date)
    return Picture(_entry(function, identity.id) | {"missing": reason}, identity)


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

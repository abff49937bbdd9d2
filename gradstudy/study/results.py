"""Results of a profile: every point's status, and the tables of the runs that ended well."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.records import read_table
from gradstudy.study.catalog import Study
from gradstudy.study.columns import check_columns
from gradstudy.study.evidence import merge
from gradstudy.study.ledger import BrokenEntryError, Entry, read_entry
from gradstudy.study.plan import Planned, make_plan

if TYPE_CHECKING:
    import pandas as pd

MISSING = "missing"
RUN_CHARACTERS = 12


@dataclass(frozen=True)
class RunSummary:
    """A point of the profile and how its run ended; `missing` when there is none.

    Args:
        digest: the run's identity.
        group: the point's group.
        control: the control's name, empty for a point of the grid.
        parameters: all of them.
        status: that of run.json, or `missing`.
        error: what stopped it.
        evidence: code and versions it used; None unless it was ok.
        stale: whether these have changed since. A report does not ask: its bytes are a function of the records.
    """

    digest: str
    group: str
    control: str
    parameters: Mapping[str, Any]
    status: str
    error: str | None = None
    evidence: Mapping[str, Any] | None = None
    stale: bool = False


@dataclass(frozen=True)
class Results:
    """What the runs of a study's profile left.

    Args:
        study: the study.
        profile: its name.
        runs: one a point, in grid order.
        tables: every table record, the rows of all ok runs in grid order behind `run`, `group`, `control` and one
            column a parameter.
        evidence: code and versions of the ok runs.
    """

    study: Study
    profile: str
    runs: tuple[RunSummary, ...]
    tables: Mapping[str, pd.DataFrame]
    evidence: Mapping[str, Any]


def collect(study: Study, profile: str, workspace: Path, assignments: Sequence[str] = ()) -> Results:
    """Results of a profile as they lie in the workspace.

    Raises:
        RecordError: a table cannot be read, or one of its columns has the name of a parameter.
    """
    planned = make_plan(study, profile, workspace, assignments=assignments).points
    entries = [_entry(point) for point in planned]
    done = [(point, entry) for point, entry in zip(planned, entries, strict=True) if _is_ok(entry)]
    runs = tuple(_summary(point, entry, workspace) for point, entry in zip(planned, entries, strict=True))
    evidence = merge(entry.evidence for _, entry in done if entry and entry.evidence)
    return Results(study, profile, runs, _tables(done), evidence)


def _entry(point: Planned) -> Entry | None:
    try:
        return read_entry(point.folder)
    except BrokenEntryError:
        return None


def _is_ok(entry: Entry | None) -> bool:
    return entry is not None and entry.outcome.status == "ok"


def _summary(planned: Planned, entry: Entry | None, workspace: Path) -> RunSummary:
    point = planned.point
    failure = entry.outcome.failure if entry else None
    # Where the workspace lies is no result, and would be in the report's bytes.
    error = str(failure).replace(f"{workspace}{os.sep}", "…/") if failure else None
    status = entry.outcome.status if entry else MISSING
    return RunSummary(
        planned.digest, point.group, point.control, point.parameters, status, error,
        entry.evidence if entry else None, planned.state.kind == "stale",
    )  # fmt: skip


def _tables(done: Sequence[tuple[Planned, Entry | None]]) -> dict[str, pd.DataFrame]:
    names = sorted({name for _, entry in done if entry for name in entry.records if name.endswith(".csv")})
    return {
        name.removesuffix(".csv"): _concatenate(
            _table(planned, name) for planned, entry in done if entry and name in entry.records
        )
        for name in names
    }


def _table(planned: Planned, name: str) -> pd.DataFrame:
    path = planned.folder / "records" / name
    table = read_table(path)
    point = planned.point
    front = {"run": planned.digest[:RUN_CHARACTERS], "group": point.group, "control": point.control}
    front |= {key: json.dumps(value) if isinstance(value, list) else value for key, value in point.parameters.items()}
    check_columns(name.removesuffix(".csv"), list(table.columns), point.parameters)
    for place, (column, value) in enumerate(front.items()):
        table.insert(place, column, [value] * len(table))
    return table


def _concatenate(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    found = list(tables)
    # A table without rows has no types, and would take them from the others.
    return pd.concat([table for table in found if len(table)] or found[:1], ignore_index=True)

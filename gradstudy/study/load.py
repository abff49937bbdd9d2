"""Reading a study's records back."""

from __future__ import annotations

import json
import shlex
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gradstudy.errors import GradstudyWarning, RecordError
from gradstudy.study.catalog import find_study
from gradstudy.study.results import Results, collect
from gradstudy.study.workspace import find_workspace

if TYPE_CHECKING:
    import pandas as pd


def load(
    study: str,
    table: str,
    profile: str = "standard",
    workspace: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Rows that the runs of a study recorded under a name.

    Args:
        study: its name.
        table: name of the record.
        profile: whose runs are read.
        workspace: where they lie; default `GRADSTUDY_WORKSPACE`, else the current folder.
        parameters: values that `gradstudy run` was given by `-p name=value`.

    Returns:
        The rows of all finished runs in grid order, behind the columns `run` (12 characters of its digest), `group`,
        `control` (empty for a point of the grid) and one a parameter.

    Raises:
        UnknownStudyError: no such study.
        UnknownProfileError: the study has no such profile.
        ParameterError: the study has no such parameter, or not such a value.
        RecordError: no finished run recorded such a table.

    Warns:
        GradstudyWarning: not all runs of the profile are there, or some used code that has changed since.
    """
    place = find_workspace(Path(workspace) if workspace else None)
    given = [f"{name}={json.dumps(value)}" for name, value in (parameters or {}).items()]
    results = collect(find_study(study, place), profile, place, given)
    if table in results.tables:
        _warn_of_others(results)
        return results.tables[table]
    command = ["gradstudy", "run", study, "--profile", profile, *(part for text in given for part in ("-p", text))]
    raise RecordError(
        f"the table {table!r} of {study} ({profile}) in {place}",
        needed=f"one of: {', '.join(results.tables) or '(no finished run recorded a table)'}",
        why="a table is there once a run has recorded it",
        remedy=f"`{shlex.join(command)}`, or name the workspace; "
        "runs made with `-p name=value` are read with parameters={'name': value}",
    )


def _warn_of_others(results: Results) -> None:
    stands = Counter("stale" if run.stale else run.status for run in results.runs)
    del stands["ok"]
    if stands:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(stands.items()))
        warnings.warn(
            f"of the {len(results.runs)} runs of {results.study.slug} ({results.profile}): {told}; "
            f"`gradstudy plan {results.study.slug} --profile {results.profile}` names them",
            GradstudyWarning,
            stacklevel=3,
        )

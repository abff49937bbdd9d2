"""A study's exported notebook, executed by papermill itself: `papermill --engine gradstudy x.ipynb out.ipynb`."""

from __future__ import annotations

import ast
import datetime
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gradstudy.errors import ParametersCellError, RecordError, StudySpecError, UnknownStudyError
from gradstudy.records import write_atomic
from gradstudy.study import checkpoints, evidence, ledger, library
from gradstudy.study.catalog import Study, find_study
from gradstudy.study.child import environment
from gradstudy.study.columns import check_records
from gradstudy.study.data import declared
from gradstudy.study.execution import NOTEBOOK, NotebookStoppedError, Options, execute_managed
from gradstudy.study.executor import count_cores
from gradstudy.study.identity import code_of, identity
from gradstudy.study.lock import hold, hold_run
from gradstudy.study.memory import limited, share
from gradstudy.study.notebook import INJECTED, ORIGIN, Notebook, code_cells, has_tag
from gradstudy.study.outcome import Failure, Outcome
from gradstudy.study.parameters import coerce, parse_schema
from gradstudy.study.spec import Profile
from gradstudy.study.workspace import VARIABLE, find_workspace, run_folder, study_runs


def execute(nb: Any, **options: Any) -> Any:
    """Execute an exported notebook as a run: its records, evidence and run.json are kept as `gradstudy run` keeps them.

    The run lies in the workspace that `GRADSTUDY_WORKSPACE` names, else in the current folder. Its identity follows
    from the notebook as it is: one that was edited, or other parameters, are another run.

    Args:
        nb: notebook node with its origin in the metadata, parameters injected by papermill.
        options: as papermill hands them to its engines.

    Returns:
        The executed notebook.

    Raises:
        NotebookStoppedError: it did not reach its end; run.json says why.
        RecordError: a table has a column that a report puts in front of it; run.json says so.
        GradstudyError: anything that can be wrong before the kernel starts.
    """
    workspace, (slug, profile) = find_workspace(), _origin(nb)
    study = _study(slug, workspace)
    chosen = study.spec.profile(profile)
    request, notebook = _request(nb, study, chosen)
    folder = run_folder(workspace, study.slug, request["digest"])
    with hold(study_runs(workspace, study.slug)), hold_run(folder):
        attempt = ledger.prepare(folder)
        write_atomic(folder / "log", b"")
        held = chosen.memory or share(chosen.threads, count_cores())
        variables = environment(folder, request["threads"]) | library.bring(notebook.library, folder)
        started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
        outcome, seen, before = Outcome("ok"), None, evidence.stamps()
        stopped: Exception | None = None
        limit = options.pop("execution_timeout", None) or chosen.timeout
        with _variables(variables), limited(held), open(folder / "log", "a", encoding="utf-8") as log:
            try:
                nb = execute_managed(nb, options=Options(limit, folder, held, log=log), **options)
                found = evidence.take(folder, before)
                check_records(folder, request["parameters"])
                seen = found
            except NotebookStoppedError as error:
                outcome, stopped = error.outcome, error
            except RecordError as error:
                outcome, stopped = Outcome("failed", Failure.of_error(error)), error
        _keep_notebook(nb, folder)
        seconds = round(time.monotonic() - clock, 3)
        details = {"evidence": seen, "started": started.isoformat(timespec="seconds"), "seconds": seconds}
        ledger.write_entry(folder, request, outcome, {**details, "attempt": attempt, "retries": 0})
        if stopped:
            raise stopped
        checkpoints.drop(folder)
        print(f"kept as a run of {slug}: {folder}", file=sys.stderr)
    return nb


def _study(slug: str, workspace: Path) -> Study:
    try:
        return find_study(slug, workspace)
    except UnknownStudyError as error:
        raise UnknownStudyError(
            f"a notebook of the study {slug!r}, which is not in the workspace {workspace}",
            needed=error.needed,
            why="a run is kept with its study",
            remedy=f"set {VARIABLE} to the workspace that the notebook was exported from, or run papermill there",
        ) from error


def _request(nb: Any, study: Study, chosen: Profile) -> tuple[dict[str, Any], Notebook]:
    """What run this is, and the notebook with its schema and library."""
    cells = code_cells(nb)
    where = Path(f"{study.slug}.ipynb")
    schema = parse_schema([source for source, tagged in cells if tagged], where)
    notebook = Notebook("", cells, schema, library.read(study.folder))
    parameters = coerce(schema, _injected(nb, where))
    data = declared(chosen.data, study.slug)
    digest = identity(code_of(notebook), parameters, data, chosen.threads)
    asked = {"study": study.slug, "digest": digest, "parameters": parameters, "data": data, "threads": chosen.threads}
    return asked, notebook


def _origin(nb: Any) -> tuple[str, str]:
    """Study and profile that the export wrote into the notebook's metadata."""
    origin = nb.metadata[ORIGIN]
    match origin:
        case {"study": str(study), "profile": str(profile)}:
            return study, profile
    raise StudySpecError(
        f"a notebook whose metadata say `{ORIGIN}: {origin!r:.80}`",
        needed="`study` and `profile`, as `gradstudy notebook` writes them",
        why="they say which study's data, threads and lib.py the run has, and where it is kept",
        remedy=f"export it anew, or remove `{ORIGIN}` from its metadata: it is then executed and not kept",
    )


def _injected(nb: Any, where: Path) -> dict[str, Any]:
    """Parameters in the cell that papermill, or the export, put after the parameters cell.

    The cell is no part of the code that a run is known by, so there is at most this one, and nothing but values in it.
    """
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    places = [place for place, cell in enumerate(cells) if has_tag(cell, INJECTED)]
    if not places:
        return {}
    if places != [place + 1 for place, cell in enumerate(cells) if has_tag(cell, "parameters")]:
        raise _not_injected(where, f"a cell tagged `{INJECTED}` that does not follow the parameters cell")
    try:
        statements = ast.parse(cells[places[0]].source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _not_injected(where, f"injected parameters that are not Python: {error}") from error
    values = [_value(statement, where) for statement in statements]
    if len(found := dict(values)) < len(values):
        raise _not_injected(where, "an injected parameter twice")
    return found


def _value(statement: ast.stmt, where: Path) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            with suppress(ValueError, TypeError, RecursionError, MemoryError):
                return name, ast.literal_eval(value)
    raise _not_injected(where, f"the injected line `{ast.unparse(statement):.80}`")


def _not_injected(where: Path, came: str) -> ParametersCellError:
    return ParametersCellError(
        f"{where}: {came}",
        needed="one cell of lines `name = literal` right after the parameters cell, as papermill writes it",
        why="what else stands there would change the run, and not what it is known by",
        remedy="move other code into a cell without that tag; set values with papermill's -p",
    )


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the kernel; afterwards they are as they were."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _keep_notebook(nb: Any, folder: Path) -> None:
    import nbformat

    write_atomic(folder / NOTEBOOK, nbformat.writes(nb).encode())

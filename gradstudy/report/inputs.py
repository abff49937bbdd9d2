"""What a report is a function of, as one digest; found without pandas or matplotlib, so that no news are cheap."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.report import edition

if TYPE_CHECKING:
    from gradstudy.study.catalog import Study
    from gradstudy.study.plan import Planned

_PACKAGE = Path(__file__).parents[1]
# What reads, decides, draws and writes. The code that measured is in the evidence of the runs.
_SOURCES = ("records.py", "claims", "theory", "plot", "study", "report")


def stamp(study: Study, profile: str, workspace: Path) -> str:
    """Digest of a report's inputs; empty when the study has no runs in this profile, or no such profile."""
    from gradstudy.study.plan import make_plan

    if profile not in study.spec.profiles:
        return ""
    runs = [_run(point) for point in make_plan(study, profile, workspace).points]
    if all(run["left"] is None for run in runs):
        return ""
    inputs = {
        "profile": profile,
        "runs": runs,
        "study": _digests(study.folder),
        "sources": {name: _digests(_PACKAGE / name) for name in _SOURCES},
        "version": edition.version(),
        "date": edition.day().isoformat(),
        "libraries": edition.libraries(),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _run(planned: Planned) -> dict[str, Any]:
    point = planned.point
    return {"run": planned.digest, "group": point.group, "control": point.control, "left": _left(planned)}


def _left(planned: Planned) -> dict[str, Any] | None:
    from gradstudy.study.ledger import RUN_FILE

    if planned.state.kind == "new":
        return None
    entry = json.loads((planned.folder / RUN_FILE).read_bytes())
    # Neither when it ran nor how long it took is in a report.
    return {name: entry[name] for name in ("status", "error", "records", "evidence")}


def _digests(folder: Path) -> dict[str, str]:
    names = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in names.items()}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield path

"""The ledger: one folder a run, in which run.json alone says what happened."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradstudy.records import CHECKPOINTS, storage_error, write_atomic
from gradstudy.study import checkpoints
from gradstudy.study.evidence import Present, changes
from gradstudy.study.lock import FILE as LOCK
from gradstudy.study.outcome import Outcome

RUN_FILE = "run.json"
ATTEMPTS = "attempts"


@dataclass(frozen=True)
class Entry:
    """A run.json that holds.

    Args:
        outcome: how the run ended.
        parameters: as they were resolved.
        records: file names under `records/`.
        evidence: code and versions used; None unless the run was ok.
        seconds: how long it took.
    """

    outcome: Outcome
    parameters: Mapping[str, Any]
    records: tuple[str, ...]
    evidence: Mapping[str, Any] | None
    seconds: float


@dataclass(frozen=True)
class State:
    """Where a point stands: `new`, `cached`, `stale`, or the status of a run that did not end well.

    Args:
        kind: one of these words.
        detail: what changed, what failed, or why a folder that is there does not count.
        seconds: how long its last run took, NaN when there was none.
    """

    kind: str
    detail: str = ""
    seconds: float = float("nan")

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class BrokenEntryError(Exception):
    """A run folder that cannot be believed, and why."""


def read_entry(folder: Path) -> Entry | None:
    """What a run left; None when there is nothing.

    Raises:
        BrokenEntryError: run.json is corrupt, or a record is not what the run wrote.
    """
    try:
        content = json.loads((folder / RUN_FILE).read_bytes())
        records = _texts(content["records"])
        entry = Entry(
            Outcome.from_json(content),
            dict(content["parameters"]),
            tuple(sorted(records)),
            _evidence(content["evidence"]),
            float(content["seconds"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenEntryError(f"run.json cannot be read ({error})") from error
    for name, sha256 in records.items():
        if Path(name).name != name:
            raise BrokenEntryError(f"run.json names the record {name!r}, which is no file of its folder")
        if _sha256(folder / "records" / name) != sha256:
            raise BrokenEntryError(f"records/{name} is not what the run wrote")
    if entry.outcome.status == "ok" and not entry.evidence:
        raise BrokenEntryError("run.json holds no evidence")
    return entry


def state(folder: Path, present: Present) -> State:
    """State of the run that lives in a folder."""
    try:
        entry = read_entry(folder)
    except BrokenEntryError as error:
        return State("new", str(error))
    if entry is None:
        return State("new")
    if entry.outcome.status != "ok":
        return State(entry.outcome.status, _first_line(entry.outcome), entry.seconds)
    changed = changes(entry.evidence or {}, present)
    return State("stale", ", ".join(changed), entry.seconds) if changed else State("cached", "", entry.seconds)


def prepare(folder: Path) -> int:
    """Make a run's folder ready and return the number of this attempt.

    What was there is moved to `attempts/<n>`, but for checkpoints that this attempt may go on from.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        attempt = current_attempt(folder)
        checkpoints.hand_over(folder)
        left = [path for path in folder.iterdir() if path.name not in (ATTEMPTS, CHECKPOINTS, LOCK)]
        if left:
            _move(left, folder / ATTEMPTS / str(attempt))
            attempt += 1
        (folder / "records").mkdir()
    except OSError as error:
        raise storage_error(folder, error) from error
    return attempt


def current_attempt(folder: Path) -> int:
    """Number of the attempt that lies in a run's folder: one more than of those that were moved away."""
    earlier = [int(path.name) for path in (folder / ATTEMPTS).glob("*") if path.name.isdigit()]
    return max(earlier, default=0) + 1


def write_entry(folder: Path, request: Mapping[str, Any], outcome: Outcome, details: Mapping[str, Any]) -> None:
    """Write run.json: the last thing that happens to a run.

    Args:
        folder: of the run.
        request: what was asked for; its notebook text is left out, the executed notebook lies beside.
        outcome: how it ended.
        details: evidence, started, seconds.
    """
    asked = {
        key: value for key, value in request.items() if key in ("study", "digest", "parameters", "threads", "data")
    }
    records = {path.name: _sha256(path) for path in sorted((folder / "records").glob("[!.]*"))}
    entry = {"format": 1, **asked, **outcome.as_json(), "records": records, **details}
    write_atomic(folder / RUN_FILE, (json.dumps(entry, indent=1) + "\n").encode())


def _move(paths: list[Path], attempt: Path) -> None:
    attempt.mkdir(parents=True)
    # run.json first: a folder without it counts as nothing, one with it and half its records would be a lie.
    for path in sorted(paths, key=lambda path: path.name != RUN_FILE):
        os.replace(path, attempt / path.name)


def _evidence(content: Any) -> dict[str, dict[str, str]] | None:
    return None if content is None else {part: _texts(content[part]) for part in ("modules", "versions")}


def _texts(content: Any) -> dict[str, str]:
    """A mapping of text to text, or a TypeError."""
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise TypeError(f"{type(content).__name__} where names with texts are needed")
    return content


def _first_line(outcome: Outcome) -> str:
    return str(outcome.failure).partition("\n")[0] if outcome.failure else ""


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""

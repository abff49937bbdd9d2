"""What lies among runs and reports that nothing refers to: found, told, and removed when that is wanted."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gradstudy.records import CHECKPOINTS, storage_error
from gradstudy.study import checkpoints
from gradstudy.study.catalog import Study
from gradstudy.study.evidence import Present
from gradstudy.study.ledger import ATTEMPTS, RUN_FILE
from gradstudy.study.lock import hold, hold_reports, is_held
from gradstudy.study.plan import Planned, make_plan
from gradstudy.study.results import RUN_CHARACTERS

_DIGEST = re.compile(r"[0-9a-f]{64}")
# A folder in which a report was built aside, by `tempfile.mkdtemp`.
_ASIDE = re.compile(r"\.([a-z][a-z0-9-]*)\.[a-z0-9_]{8}")


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nothing refers to, why, and its size."""

    path: Path
    reason: str
    bytes: int


@contextmanager
def held(workspace: Path) -> Iterator[None]:
    """Hold every study that has runs and every profile that has reports, so that none is written meanwhile.

    Raises:
        StudyHeldError: a study is being run, or reports are being built.
    """
    with ExitStack() as stack:
        for folder in _folders(workspace / "runs"):
            stack.enter_context(hold(folder))
        # Where nothing was ever run, nobody builds reports either, and no lock need be left.
        for folder in _folders(workspace / "reports") if (workspace / "runs").is_dir() else ():
            stack.enter_context(hold_reports(workspace, folder.name))
        yield


def leftovers(studies: Sequence[Study], workspace: Path, cited: Collection[tuple[str, str]]) -> tuple[Leftover, ...]:
    """What can go from `runs/` and `reports/`, by path.

    Runs that are a point of any profile of a study, as study.yaml and notebook are now, or are listed in a report stay;
    of them only what an earlier attempt left, and checkpoints from which none can go on any more. Of the reports goes
    what a kill left of one that was being built. What does not look as if gradstudy had put it there is not touched,
    nor is a run at work, and links are not followed.

    Args:
        studies: all there are. One that cannot be planned is an error: what it refers to would not be known.
        workspace: where the runs lie.
        cited: study and beginning of the digest of every run in a report.

    Raises:
        GradstudyError: a study's files do not fit.
    """
    planned = {point.folder for study in studies for point in _points(study, workspace)}
    runs = workspace / "runs"
    found = [path for folder in (runs, *_folders(runs)) for path in _unfinished(folder)]
    found += [path for folder in _folders(workspace / "reports") for path in _unfinished(folder)]
    reasons = [(path, "left by a write that was interrupted") for path in found]
    for folder in _folders(workspace / "reports"):
        reasons += [(path, "a report that was being built") for path in _folders(folder) if _is_aside(path)]
    for folder in _folders(runs):
        for run in _folders(folder):
            # Held: of a study that began after those here were held, or left at work by a runner that was killed.
            if not _DIGEST.fullmatch(run.name) or is_held(run):
                continue
            if run in planned or (folder.name, run.name[:RUN_CHARACTERS]) in cited:
                reasons += _within(run)
            else:
                reasons.append((run, "a run of no profile of a study and in no report"))
    return tuple(Leftover(path, reason, _size(path)) for path, reason in sorted(reasons))


def remove(found: Sequence[Leftover]) -> None:
    """Remove what was found.

    Raises:
        StorageError: something cannot be removed; what came before it is gone.
    """
    for leftover in found:
        try:
            if leftover.path.is_dir() and not leftover.path.is_symlink():
                # First what makes it a run, so that nothing half removed is taken for one.
                (leftover.path / RUN_FILE).unlink(missing_ok=True)
                shutil.rmtree(leftover.path)
            else:
                leftover.path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(leftover.path, error) from error


def _points(study: Study, workspace: Path) -> Iterator[Planned]:
    present = Present()
    for profile in study.spec.profiles:
        yield from make_plan(study, profile, workspace, present=present).points


def _within(run: Path) -> Iterator[tuple[Path, str]]:
    """What can go of a run that stays."""
    yield from ((path, "an earlier attempt at a run") for path in _folders(run / ATTEMPTS))
    yield from (
        (path, "left by a write that was interrupted")
        for folder in (run, run / "records", run / CHECKPOINTS)
        for path in _unfinished(folder)
    )
    if (run / CHECKPOINTS).is_dir() and not checkpoints.usable(run):
        yield run / CHECKPOINTS, "checkpoints of code that has changed since"


def _is_aside(folder: Path) -> bool:
    """Whether a report was being built there; one that holds the only copy of the former report is none."""
    named = _ASIDE.fullmatch(folder.name)
    if named is None or not {path.name for path in folder.iterdir()} <= {"new", "old"}:
        return False
    return (folder.parent / named[1]).is_dir() or not (folder / "old").exists()


def _unfinished(folder: Path) -> list[Path]:
    """Files of `records.write_atomic` that never got their name, and probes of whether a folder takes files."""
    paths = [*folder.glob(".*.part"), *folder.glob(".probe-*")]
    return sorted({path for path in paths if path.is_file() and not path.is_symlink()})


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise storage_error(place, error) from error


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(os.lstat(Path(folder) / name).st_size for folder, _, names in os.walk(path) for name in names)

"""One `gradstudy run` at a time on a study."""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradstudy.errors import StudyHeldError
from gradstudy.records import storage_error

# Seconds in which the runs of a runner that was killed end and let go.
PATIENCE = 10
# Seconds in which reports are built.
REPORTS_PATIENCE = 600
FILE = ".lock"


@contextmanager
def hold(folder: Path) -> Iterator[int]:
    """Hold a study by the lock in its folder of runs.

    Yields:
        The lock's file descriptor. A process that inherits it shares the hold, so that runs whose parent was killed
        keep the study until they have ended too.

    Raises:
        StudyHeldError: another run holds it.
        StorageError: the disk is full, read-only, or has no locks.
    """
    with _hold(folder / FILE, f"the study {folder.name!r}", patience=0) as descriptor:
        yield descriptor


@contextmanager
def hold_run(folder: Path) -> Iterator[int]:
    """Hold a run by the lock in its folder, as `hold` does a study.

    Its process inherits the hold and lets go when it ends, whoever started it and on whichever machine: the process of
    a runner or a worker that was killed stops itself, but not at once, and so long nobody else may write there.
    """
    with _hold(folder / FILE, f"the run {folder.name[:12]!r}", patience=PATIENCE) as descriptor:
        yield descriptor


@contextmanager
def hold_reports(workspace: Path, profile: str) -> Iterator[None]:
    """Hold the reports of a profile while they are replaced; who comes second waits, for some minutes."""
    with _hold(workspace / "runs" / f".{profile}{FILE}", f"the profile's reports {profile!r}", REPORTS_PATIENCE):
        yield


def check_free(folder: Path) -> None:
    """Refuse what would read a study's runs while they are being made.

    Raises:
        StudyHeldError: a run holds the study.
    """
    if is_held(folder):
        raise _held(f"the study {folder.name!r}", (folder / FILE).read_bytes()[:1000])


def is_held(folder: Path) -> bool:
    """Whether a folder's lock is held."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR)
    except OSError:  # never held, or not to be seen from here
        return False
    try:
        return not _try(folder / FILE, descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _hold(path: Path, what: str, patience: float) -> Iterator[int]:
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        if not _lock(path, descriptor, patience):
            raise _held(what, os.pread(descriptor, 1000, 0))
        _sign(path, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int, patience: float) -> bool:
    """Lock, and wait for who ends anyway: for a holder that lives as many seconds as told."""
    begun = time.monotonic()
    while not _try(path, descriptor):
        if time.monotonic() - begun >= (patience if _holder_lives(descriptor) else PATIENCE):
            return False
        time.sleep(0.05)
    return True


def _try(path: Path, descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # such as a network disk that has no locks
        raise storage_error(path, error) from error
    return True


def _holder_lives(descriptor: int) -> bool:
    """Whether the process that signed the lock is there, as far as can be known from here."""
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0))
        if holder["host"] != platform.node():
            return True
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return True


def _sign(path: Path, descriptor: int) -> None:
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": platform.node(), "since": since}
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(holder).encode())
    except OSError as error:
        raise storage_error(path, error) from error


def _held(what: str, content: bytes) -> StudyHeldError:
    try:
        holder = json.loads(content)
        by = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        by = "another process"
    return StudyHeldError(
        f"{what} is held by {by}",
        needed="one `gradstudy run` at a time on a study and workspace, and one process on a run",
        why="two would write the same folders",
        remedy="wait until it has ended, or run in another workspace (--workspace)",
    )

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
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        if not _lock(path, descriptor):
            raise _held(path, os.pread(descriptor, 1000, 0))
        _sign(path, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if _holder_lives(descriptor) or time.monotonic() > until:
                return False
            time.sleep(0.05)
        except OSError as error:  # such as a network disk that has no locks
            raise storage_error(path, error) from error


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


def _held(path: Path, content: bytes) -> StudyHeldError:
    try:
        holder = json.loads(content)
        by = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        by = "another process"
    return StudyHeldError(
        f"the study {path.parent.name!r} is held by {by}",
        needed="one `gradstudy run` at a time on a study and workspace",
        why="two would write the same folders",
        remedy="wait until it has ended, or run in another workspace (--workspace)",
    )

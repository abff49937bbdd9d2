"""A folder that is built aside and takes its place only when it is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradstudy.errors import StorageError
from gradstudy.records import storage_error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` that replaces it at the end; after an error `target` is as it was.

    Raises:
        StorageError: the disk is full or read-only.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise storage_error(target, error) from error
    try:
        fresh = aside / "new"
        fresh.mkdir()  # mkdtemp's own folder is closed to everybody else
        yield fresh
        _swap(fresh, target, aside / "old")
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(target, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _swap(fresh: Path, target: Path, old: Path) -> None:
    if not target.exists():
        fresh.rename(target)
        return
    try:
        target.rename(old)
        fresh.rename(target)
    except BaseException:  # an interrupt between the two must not cost the report
        if not target.exists():
            old.rename(target)
        raise

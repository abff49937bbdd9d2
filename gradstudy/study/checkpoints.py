"""Checkpoints of a run that did not end well: what the next attempt may go on from."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path

import gradstudy
from gradstudy.records import CHECKPOINTS, write_atomic

_CODE = "code"


def hand_over(folder: Path) -> None:
    """Leave the checkpoints of the last attempt to the next one, or drop them.

    They are dropped if any module of gradstudy has changed since they were begun: half of the result would belong to
    one code and half to another, and the evidence would name the second alone.

    Args:
        folder: of the run.
    """
    if not usable(folder):
        drop(folder)
        write_atomic(folder / CHECKPOINTS / _CODE, code().encode())


def usable(folder: Path) -> bool:
    """Whether checkpoints of a run are there that an attempt by today's code may go on from."""
    try:
        return (folder / CHECKPOINTS / _CODE).read_text() == code()
    except (OSError, ValueError):  # none, or spoilt
        return False


def drop(folder: Path) -> None:
    """Remove a run's checkpoints: it has ended well."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


@cache
def code() -> str:
    """Digest of all of gradstudy's modules as they lie on disk."""
    root = Path(gradstudy.__file__).parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return found.hexdigest()

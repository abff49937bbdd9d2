"""Data sets that a profile declares: known by name, and part of a run's identity by their published sha256."""

from __future__ import annotations

from collections.abc import Sequence

from gradstudy.errors import StudySpecError
from gradstudy.study.identity import Data


def declared(names: Sequence[str], slug: str) -> Data:
    """Data set to file name to sha256.

    Raises:
        StudySpecError: a name that no loader knows.
    """
    if not names:
        return {}
    from gradstudy.tasks.datasets import REGISTRY

    for name in names:
        if name not in REGISTRY:
            raise StudySpecError(
                f"study {slug}: the data set {name!r}",
                needed=f"one of: {', '.join(sorted(REGISTRY))}",
                why="a data set is part of a run's identity by its published sha256",
                remedy="correct `data` in study.yaml",
            )
    return {name: dict(REGISTRY[name].files) for name in sorted(set(names))}

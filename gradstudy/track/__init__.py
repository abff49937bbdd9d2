"""Tracking: what happens to the gradients of any torch model while it is trained by the user's own loop.

The package is callable, because `gs.track(model, optimizer)` and `gradstudy.track` are one name: calling it makes a
`gradstudy.track.tracker.Tracker`. `gs.track.read(path)` reads the table that a tracker has left on disk.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from gradstudy.track.diagnosis import Finding


def read(path: str | Path) -> pd.DataFrame:
    """The table a tracker has left on disk; see `gradstudy.track.history.read`."""
    from gradstudy.track.history import read

    return read(path)


def findings(table: pd.DataFrame) -> tuple[Finding, ...]:
    """What is wrong, by a tracker's table; see `gradstudy.track.diagnosis.findings`."""
    from gradstudy.track.diagnosis import findings

    return findings(table)


class _CallablePackage(ModuleType):
    def __call__(self, model: Any, optimizer: Any = None, **options: Any) -> Any:
        from gradstudy.track.tracker import Tracker

        return Tracker(model, optimizer, **options)


sys.modules[__name__].__class__ = _CallablePackage

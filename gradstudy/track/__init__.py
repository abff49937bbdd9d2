"""Tracking: what happens to the gradients of any torch model while it is trained by the user's own loop.

    with gs.track(model, optimizer, every=1, scaler=None, path=None, keep=1_000_000) as tracker:
        ...  # in the loop, after backward(): tracker.step(loss=loss)

`gs.track(model, optimizer)` and `gradstudy.track` are one name, so the package is callable: calling it makes a
`Tracker`. `help(gs.track.Tracker)` says what it measures, what its arguments are, and what `.findings()`, `.plot(kind)`
and `.to_frame()` give. `gs.track.read(path)` reads the table that a tracker has left on disk, and
`gs.track.findings(table)` judges it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    import torch
    from torch import nn

    from gradstudy.track.diagnosis import Finding
    from gradstudy.track.tracker import Tracker


def read(path: str | Path) -> pd.DataFrame:
    """The table a tracker has left on disk; see `gradstudy.track.history.read`."""
    from gradstudy.track.history import read

    return read(path)


def findings(table: pd.DataFrame) -> tuple[Finding, ...]:
    """What is wrong, by a tracker's table; see `gradstudy.track.diagnosis.findings`."""
    from gradstudy.track.diagnosis import findings

    return findings(table)


class _CallablePackage(ModuleType):
    def __call__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        every: int | Mapping[str, int] = 1,
        scaler: Any = None,
        path: str | Path | None = None,
        keep: int = 1_000_000,
    ) -> Tracker:
        """Track the training of a model by a loop of one's own; `help(gs.track.Tracker)` says all of it.

        Args:
            model: any torch model.
            optimizer: that trains it; with it clip factor and update are known.
            every: steps between two measurements, or a mapping of quantities to such numbers.
            scaler: the GradScaler that scales the loss.
            path: csv file to which every step's rows are appended at once; one that is there is gone on with.
            keep: rows in memory; beyond, the oldest go.

        Returns:
            A context manager to put around the loop.
        """
        from gradstudy.track.tracker import Tracker

        return Tracker(model, optimizer, every=every, scaler=scaler, path=path, keep=keep)


def __getattr__(name: str) -> Any:
    """`Tracker`, imported when it is asked for: torch takes seconds."""
    if name == "Tracker":
        from gradstudy.track.tracker import Tracker

        return Tracker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


sys.modules[__name__].__class__ = _CallablePackage

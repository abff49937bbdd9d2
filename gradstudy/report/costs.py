"""What making reports again costs: a study's numbers."""

from __future__ import annotations

import time
from pathlib import Path

from gradstudy.errors import NoDataError
from gradstudy.report.verify.executed import Execution
from gradstudy.report.verify.target import verify
from gradstudy.study.progress import Lines
from gradstudy.study.workspace import find_workspace, profile_reports


def cost_of_reports(profile: str = "standard") -> dict[str, object]:
    """Seconds in which all reports of a profile are made again from their folders and compared with what is there.

    Every figure is drawn, every claim decided, every page and PDF set: all that building a report does but writing it,
    and the comparison besides.

    Args:
        profile: whose reports; they are looked for in the workspace.

    Returns:
        `value`, `low`, `high`: the seconds, taken once; `n`: reports, and pages over them; `unit`.

    Raises:
        NoDataError: the workspace has none.
        RuntimeError: a report is not what its folder gives.
    """
    folder: Path = profile_reports(find_workspace(), profile)
    if not list(folder.glob("*/report.json")):
        raise NoDataError(
            f"no reports in {folder}",
            needed="the reports of a profile, as in a clone of the project",
            why="they are what is made again",
            remedy="run in a clone, or name it by GRADSTUDY_WORKSPACE",
        )
    start = time.perf_counter()
    verified = list(verify(str(folder), find_workspace(), "recompute", Execution(Lines())))
    seconds = time.perf_counter() - start
    return {"value": seconds, "low": seconds, "high": seconds, "n": len(verified), "unit": "s"}

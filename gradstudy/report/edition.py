"""Which edition of gradstudy a report belongs to: its version, its date, and the libraries that draw."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

import gradstudy
from gradstudy.errors import ReportError

AUTHOR = "the gradstudy developers"
SCHEMA = 2
"""Form of report.json that is written."""
READABLE = (1, 2)
"""Forms that are read; 1 has all parameters in every run's row, and tables that name the run in every row."""

_PACKAGE = Path(__file__).parents[1]
# The wheel carries the file inside the package, a clone beside it.
_CITATION = (_PACKAGE / "_citation.cff", _PACKAGE.parent / "CITATION.cff")
_DRAWN_WITH = ("matplotlib", "numpy", "pandas", "typst")


def version() -> str:
    """Version of the package."""
    return gradstudy.__version__


def day() -> date:
    """Date of the report: SOURCE_DATE_EPOCH, else the day the edition was released; never the clock.

    Raises:
        ReportError: SOURCE_DATE_EPOCH is not a number of seconds, or no CITATION.cff comes with the package.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return _released()
    try:
        return datetime.fromtimestamp(int(epoch), UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise ReportError(
            f"SOURCE_DATE_EPOCH={epoch!r}",
            needed="seconds since 1970 as an integer",
            why="the report is dated by it",
            remedy="unset SOURCE_DATE_EPOCH, or set it to the output of `git log -1 --format=%ct`",
        ) from error


def libraries() -> dict[str, str]:
    """Versions of the libraries that decide how a report looks."""
    return {name: metadata.version(name) for name in _DRAWN_WITH}


def _released() -> date:
    for path in _CITATION:
        if path.is_file():
            found = re.search(r"^date-released:\s*['\"]?(\d{4}-\d{2}-\d{2})", path.read_text(encoding="utf-8"), re.M)
            if found:
                return date.fromisoformat(found[1])
    raise ReportError(
        "no CITATION.cff with a date-released",
        needed=f"one of {', '.join(path.name for path in _CITATION)}",
        why="a report is dated by its edition, not by the clock",
        remedy="install gradstudy again, or set SOURCE_DATE_EPOCH",
    )

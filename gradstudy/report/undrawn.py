"""What a report could not draw or measure; found without pandas, so that no news are cheap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradstudy.report import form

UNRECORDED = "no records in "
"""How the reason of a figure begins that no run recorded a table for; every other reason is an error's name."""


def undrawn(report_folder: Path) -> list[dict[str, Any]]:
    """The figures without a picture: `figure` (its id), `reason`, and whether drawing it `failed`.

    A figure has not failed when only its tables have no records: they may belong to another profile. Of a report that
    is not there nothing is said.

    Raises:
        ReportError: report.json is cut off, or of another edition's form.
    """
    path = report_folder / "report.json"
    figures = form.load(path)["figures"] if path.is_file() else []
    return [
        {"figure": row["id"], "reason": row["missing"], "failed": not row["missing"].startswith(UNRECORDED)}
        for row in figures
        if row["missing"]
    ]


def unmeasured(report_folder: Path) -> list[dict[str, str]]:
    """The claims whose measure raised an error, on their own runs or on a control's: `claim` and `reason`.

    Raises:
        ReportError: report.json is cut off, or of another edition's form.
    """
    path = report_folder / "report.json"
    claims = form.load(path)["claims"] if path.is_file() else []
    reasons = {row["id"]: [row["error"], *(control["found"] for control in row["controls"])] for row in claims}
    return [
        {"claim": name, "reason": reason}
        for name, said in reasons.items()
        for reason in list(dict.fromkeys(text for text in said if text.startswith("measure failed")))[:1]
    ]

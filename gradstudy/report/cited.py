"""Runs that reports refer to."""

from __future__ import annotations

from pathlib import Path

from gradstudy.report import form


def cited_runs(workspace: Path) -> frozenset[tuple[str, str]]:
    """Study and beginning of the digest of every run that a report of the workspace lists, whatever its profile.

    Raises:
        ReportError: a report cannot be read; which runs it refers to is not known.
    """
    # A builder that was killed while it replaced a report may have left the former one aside, alone.
    places = [place for kind in ("[!.]*", ".*/old") for place in workspace.glob(f"reports/*/{kind}/report.json")]
    reports = [form.load(path) for path in sorted(places)]
    return frozenset((report["study"], row["run"]) for report in reports for row in report["runs"]["list"])

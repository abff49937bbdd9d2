"""What a whole report is called: its study and the digest of its report.json."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gradstudy.report import form
from gradstudy.report.identity import Identity


def identity(folder: Path) -> Identity:
    """Identity of the report in a folder; its caption names the profile and the runs, also those that are not there.

    Raises:
        ReportError: report.json cannot be read.
    """
    path = folder / "report.json"
    report = form.load(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    caption = f"profile {report['profile']}, {report['runs']['text']}"
    own = Identity(f"{report['study']}@{digest}", report["title"], caption, report["version"], report["date"])
    return own.by(report)

"""The claims ledger: one row a claim and study, read from the reports of a profile."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradstudy.errors import ReportError
from gradstudy.report import form


def rows(reports_folder: Path) -> list[dict[str, Any]]:
    """Rows of all reports in `reports/<profile>`, ordered by study and then as the study lists its claims.

    Each has `claim`, `verdict`, `effect`, `n`, `controls`, `statement`, `source`, `study`, `title` and `profile`.
    """
    return [row for report, _ in load_all(reports_folder) for row in _rows(report)]


def readable_rows(reports_folder: Path) -> tuple[list[dict[str, Any]], list[ReportError]]:
    """As `rows`, of the reports that can be read; why the others cannot."""
    reports, broken = readable(reports_folder)
    return [row for report, _ in reports for row in _rows(report)], broken


def load_all(reports_folder: Path) -> list[tuple[dict[str, Any], Path]]:
    """Content and folder of every report in `reports/<profile>`.

    Raises:
        ReportError: a report.json is cut off, or of another edition's form.
    """
    reports, broken = readable(reports_folder)
    if broken:
        raise broken[0]
    return reports


def readable(reports_folder: Path) -> tuple[list[tuple[dict[str, Any], Path]], list[ReportError]]:
    """Content and folder of every report in `reports/<profile>` that can be read, and why the others cannot."""
    reports, broken = list[tuple[dict[str, Any], Path]](), list[ReportError]()
    for path in sorted(reports_folder.glob("[!.]*/report.json")):
        try:
            reports.append((form.load(path), path.parent))
        except ReportError as error:
            broken.append(error)
    return reports, broken


def none(reports_folder: Path) -> str:
    """Why the ledger of `reports/<profile>` has no rows."""
    reports, broken = readable(reports_folder)
    if broken:
        return f"No report in {reports_folder} that can be read has a claim."
    if reports:
        return f"None of the reports in {reports_folder} has a claim: their study.yaml names none."
    return f"There is no report in {reports_folder}; `gradstudy run --profile {reports_folder.name}` builds them."


def as_text(rows: Sequence[dict[str, Any]], width: int = 110) -> str:
    """The ledger for a terminal of that many columns: a table a study, under its name."""
    # Columns that are never folded are as wide in every table.
    widths = {cell: max((len(row[cell]) for row in rows), default=0) for cell in ("claim", "n")}
    tables = (
        f"{study}\n{_table(list(own), widths, width)}"
        for study, own in itertools.groupby(rows, key=lambda row: row["study"])
    )
    return "\n\n".join(tables)


def _table(rows: Sequence[dict[str, Any]], widths: Mapping[str, int], width: int) -> str:
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    # A column's padding counts as part of its least width.
    table.add_column("Claim", no_wrap=True, min_width=widths["claim"] + 1)
    table.add_column("Verdict", ratio=4, overflow="fold")
    table.add_column("Effect (interval)", ratio=5, overflow="fold")
    table.add_column("n", no_wrap=True, min_width=widths["n"] + 1)
    table.add_column("Controls", width=len("3 of 3 as"))
    table.add_column("Statement", ratio=6)
    for row in rows:
        cells = ("claim", "verdict", "effect", "n", "controls", "short")
        table.add_row(*(Text(row[cell]) for cell in cells))
    buffer = StringIO()
    Console(file=buffer, width=width, color_system=None, force_terminal=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().strip("\n").splitlines()).rstrip()


def _rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "claim": claim["id"],
            "verdict": claim["verdict"],
            "effect": claim["effect"]["text"],
            "n": claim["effect"]["n"],
            "controls": claim["controls_text"],
            "statement": claim["statement"],
            "short": _shortened(claim["statement"]),
            "source": claim["source"],
            "study": report["study"],
            "title": report["title"],
            "profile": report["profile"],
        }
        for claim in report["claims"]
    ]


def _shortened(statement: str, length: int = 72) -> str:
    return statement if len(statement) <= length else f"{statement[:length].rsplit(' ', 1)[0].rstrip(',;:')} …"

"""The claims ledger: one row a claim and study, read from the reports of a profile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def rows(reports_folder: Path) -> list[dict[str, Any]]:
    """Rows of all reports in `reports/<profile>`, ordered by study and then as the study lists its claims.

    Each has `claim`, `verdict`, `effect`, `n`, `controls`, `statement`, `source`, `study`, `title` and `profile`.
    """
    return [row for report, _ in load_all(reports_folder) for row in _rows(report)]


def load_all(reports_folder: Path) -> list[tuple[dict[str, Any], Path]]:
    """Content and folder of every report in `reports/<profile>`."""
    files = sorted(reports_folder.glob("[!.]*/report.json"))
    return [(json.loads(path.read_text(encoding="utf-8")), path.parent) for path in files]


def as_text(rows: Sequence[dict[str, Any]], width: int = 110) -> str:
    """The ledger as a table for a terminal of that many columns."""
    if not rows:
        return "No claim has been looked at yet: gradstudy run"
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading, share in (("Claim", 0), ("Verdict", 3), ("Effect (95 % interval)", 4), ("n", 0), ("Controls", 2)):
        table.add_column(heading, ratio=share or None, no_wrap=not share, overflow="fold")
    table.add_column("Statement", ratio=5)
    table.add_column("Study", ratio=3, overflow="fold")
    for row in rows:
        cells = ("claim", "verdict", "effect", "n", "controls", "short", "study")
        table.add_row(*(Text(row[cell]) for cell in cells))
    buffer = StringIO()
    Console(file=buffer, width=width, color_system=None, force_terminal=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


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

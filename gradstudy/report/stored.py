"""A finished report read back: what redrawing and recomputing start from, and all that they start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.report import form, tables
from gradstudy.report.assess import Records
from gradstudy.report.gallery import Shelf
from gradstudy.study.results import RunSummary

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stored:
    """A report's folder, the content of its report.json, and its tables with their runs' parameters."""

    folder: Path
    report: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]

    @property
    def shelf(self) -> Shelf:
        """What its figures are drawn from."""
        report = self.report
        return Shelf(report["study"], report["profile"], self.tables, runs(report), report["version"], report["date"])

    @property
    def records(self) -> Records:
        """What its claims are decided on."""
        return Records(self.report["profile"], runs(self.report), self.tables)


def read(folder: Path) -> Stored:
    """The report in a folder.

    Raises:
        ReportError: report.json cannot be read, or a table is gone or not the one that the report was made from.
    """
    return Stored(folder, form.load(folder / "report.json"), tables.of_report(folder))


def runs(report: Mapping[str, Any]) -> tuple[RunSummary, ...]:
    """A profile's runs as its report lists them; as evidence, in what their code and versions differ."""
    differences = report["runs"].get("differences", {})
    return tuple(
        RunSummary(
            row["run"], row["group"], row["control"], row["parameters"], row["status"], row["error"] or None,
            differences.get(row["run"]),
        )
        for row in report["runs"]["list"]
    )  # fmt: skip

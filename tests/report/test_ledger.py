"""Oracle: the claims in report.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradstudy.report import ledger


def test_one_row_a_claim(report: Path):
    rows = ledger.rows(report.parent)
    assert [row["claim"] for row in rows] == ["M1", "M2", "M3", "M4"]
    assert rows[0]["verdict"] == "SUPPORTED"
    assert rows[0]["controls"] == "1 of 1 as planted"
    assert rows[1]["verdict"] == "undecided: control no-growth came out INCONCLUSIVE in part only"
    assert {row["study"] for row in rows} == {"made-up"}


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_ledger_fits_a_terminal(report: Path, width: int):
    text = ledger.as_text(ledger.rows(report.parent), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("SUPPORTED", "M4", "1 of 1", "planted", "Controls", "nats"):
        assert word in text


@pytest.mark.parametrize("width", [80, 120])
def test_each_study_is_named_once_above_its_claims_in_columns_alike(report: Path, width: int):
    rows = ledger.rows(report.parent)
    long = "gradients-through-time"
    lines = ledger.as_text(
        [*rows, *({**row, "study": long, "n": "1–20", "verdict": "INCONCLUSIVE"} for row in rows)], width
    ).splitlines()
    assert [line for line in lines if line in ("made-up", long)] == ["made-up", long]
    headings = [line for line in lines if "Statement" in line]
    assert len(headings) == 2
    assert any(" INCONCLUSIVE " in line for line in lines)
    assert " Controls " in headings[0], "no heading is folded within a word"
    assert headings[0] == headings[1]


def test_an_empty_ledger_says_where_it_looked_and_why_it_is_empty(report: Path, tmp_path: Path):
    quick = tmp_path / "reports" / "quick"
    assert ledger.rows(quick) == []
    assert ledger.none(quick) == f"There is no report in {quick}; `gradstudy run --profile quick` builds them."
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    (quick / "made-up").mkdir(parents=True)
    (quick / "made-up" / "report.json").write_text(json.dumps(content | {"claims": []}))
    assert ledger.rows(quick) == []
    assert ledger.none(quick).startswith(f"None of the reports in {quick} has a claim")

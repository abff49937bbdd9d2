"""Costs of reports.

Oracle: the number of reports there are.
"""

from __future__ import annotations

import pytest

from gradstudy.errors import NoDataError
from gradstudy.report.costs import cost_of_reports


def test_the_reports_of_a_workspace(own, monkeypatch):
    monkeypatch.setenv("GRADSTUDY_WORKSPACE", str(own))
    row = cost_of_reports()
    assert row["n"] == 1
    assert row["value"] > 0


def test_without_reports_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADSTUDY_WORKSPACE", str(tmp_path))
    with pytest.raises(NoDataError, match="no reports"):
        cost_of_reports()

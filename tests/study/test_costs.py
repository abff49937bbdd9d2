"""Costs of running.

Oracle: the counts of runs, which the functions check themselves, and durations that are known to be longer than others.
"""

from __future__ import annotations

import pytest

from gradstudy.study.costs import cost_of_jobs, cost_of_planning, cost_of_scheduling


def test_planning_counts_runs_that_are_cached():
    row = cost_of_planning(5, 1)
    assert row["n"] == 1
    assert row["unit"] == "s"
    assert 0 < row["low"] == row["value"] == row["high"]


def test_planning_refuses_runs_that_are_not_cached(monkeypatch):
    from gradstudy.study import ledger
    from gradstudy.study.outcome import Failure, Outcome

    written = ledger.write_entry
    failed = Outcome("failed", Failure("Error", "no"))
    monkeypatch.setattr(
        ledger, "write_entry", lambda folder, asked, _, details: written(folder, asked, failed, details)
    )
    with pytest.raises(RuntimeError, match="1 of 3 runs are cached"):
        cost_of_planning(3, 1)


def test_two_jobs_and_the_scheduling_of_one():
    assert cost_of_jobs(2, 0.0, 1)["value"] > 0
    assert cost_of_scheduling(1, 1)["unit"] == "ms a run"

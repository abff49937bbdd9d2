"""Real runs, executed again. Oracle: an environment variable shifts what the notebook measures by a known amount."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradstudy.claims import registry
from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.report.build import build_all
from gradstudy.report.verify.executed import Execution
from gradstudy.report.verify.finding import Outcome, Verification
from gradstudy.report.verify.target import verify
from gradstudy.study.catalog import find_study
from gradstudy.study.executor import Budget
from gradstudy.study.progress import Lines
from gradstudy.study.runner import Order, run_studies

STUDY = """
title: Tiny
question: q
method: m
claims: {T1: [left, right]}
profiles:
  standard:
    grid:
      - name: left
      - name: right
        set: {table: right}
"""
NOTEBOOK = """# %% tags=["parameters"]
table: str = "left"

# %%
import os

import pandas as pd

import gradstudy as gs

shift = float(os.environ.get("TINY_SHIFT", "0"))
assert shift < 100, "too far"
gs.record(table, pd.DataFrame({"kind": ["a", "b"], "rate": [100.0, 1.0 + shift]}))
"""
FIGURES = '''"""Figures."""
from gradstudy.plot import style
from gradstudy.plot.drawing import Drawing


def lefts(left):
    """Left."""
    figure, axes = style.subplots()
    axes.plot(left["rate"], "o")
    return Drawing(figure, "Rates.", "Two points.")
'''


def rate(tables: Tables) -> tuple[Estimate, ...]:
    """The second number of both tables."""
    value = (tables["left"]["rate"].iloc[1] + tables["right"]["rate"].iloc[1]) / 2
    return (Estimate(value, value, value, 2, "nats"),)


CLAIM = Claim("T1", "nobody: p. 1", "read", "rate", "Small.", "s", Region(high=1.25), "a number", rate, ())


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("ran")
    folder = workspace / "studies" / "tiny"
    folder.mkdir(parents=True)
    for name, text in (("study.yaml", STUDY), ("notebook.py", NOTEBOOK), ("figures.py", FIGURES)):
        (folder / name).write_text(text)
    study = find_study("tiny", workspace)
    run_studies([study], workspace, Order("standard", budget=Budget(2, 2)), Lines())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "known", lambda: {"T1": CLAIM})
        build_all([study], "standard", workspace)
    return workspace


@pytest.fixture(autouse=True)
def _claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "known", lambda: {"T1": CLAIM})


@pytest.fixture
def study_file(ran: Path):
    """Change a file of the study for one test."""
    kept = {path: path.read_text() for path in (ran / "studies" / "tiny").iterdir() if path.is_file()}

    def change(name: str, old: str, new: str) -> None:
        path = ran / "studies" / "tiny" / name
        path.write_text(kept[path].replace(old, new))

    yield change
    for path, text in kept.items():
        path.write_text(text)


def executed(workspace: Path, target: str) -> Verification:
    (found,) = verify(target, workspace, "rerun", Execution(Lines(), budget=Budget(2, 2)))
    return found


def last(found: Verification) -> tuple[Outcome, str, str]:
    finding = next(one for one in found.findings if one.part == "runs")
    return finding.outcome, finding.summary, "; ".join(finding.places)


def test_runs_that_measure_the_same_are_identical(ran: Path):
    before = {path: path.stat().st_mtime_ns for path in ran.rglob("*")}
    found = executed(ran, "tiny")
    assert found.outcome is Outcome.IDENTICAL, found
    assert last(found)[1] == "2 runs executed again, 2 tables compared"
    assert [finding.part for finding in found.findings][-2:] == ["runs", "verdicts"]
    assert {path: path.stat().st_mtime_ns for path in ran.rglob("*")} == before, "in a workspace of their own"


def test_only_the_runs_of_a_figure_are_executed_for_it(ran: Path, monkeypatch, capsys):
    monkeypatch.setenv("TINY_SHIFT", "1e-5")
    outcome, summary, places = last(executed(ran, "tiny/lefts"))
    assert (outcome, places) == (Outcome.TOLERATED, "")
    assert "1 run executed again, 1 table compared; largest difference 1.0e-07" in summary
    assert "tolerance 1e-06" in summary
    assert "1 of 1 runs to do" in capsys.readouterr().err


def test_a_number_that_differs_is_named_and_so_is_a_verdict(ran: Path, monkeypatch):
    monkeypatch.setenv("TINY_SHIFT", "0.5")
    found = executed(ran, "tiny")
    outcome, _, places = last(found)
    assert outcome is Outcome.DIFFERS
    for name in ("left", "right"):
        assert f"{name}.rate: run " in places
    assert "row 1: 1.0 in the report, 1.5 now" in places
    assert found.findings[-1].places == ("T1: SUPPORTED in the report, REFUTED now",)


def test_a_run_that_fails_now_is_named(ran: Path, monkeypatch):
    monkeypatch.setenv("TINY_SHIFT", "100")
    outcome, _, places = last(executed(ran, "tiny/lefts"))
    assert outcome is Outcome.DIFFERS
    assert "ended well in the report; now it is failed: AssertionError: too far" in places


def test_times_are_not_compared(ran: Path, monkeypatch, study_file):
    monkeypatch.setenv("TINY_SHIFT", "0.5")
    study_file("study.yaml", "title: Tiny", "title: Tiny\ntimings: [left]")
    outcome, summary, _ = last(executed(ran, "tiny/lefts"))
    assert outcome is Outcome.IDENTICAL
    assert summary.endswith("the times in left are not the same twice and not compared")


def test_another_notebook_is_another_run(ran: Path, study_file, capsys):
    study_file("notebook.py", "1.0 + shift", "shift + 1.0")
    outcome, _, places = last(executed(ran, "tiny/lefts"))
    assert outcome is Outcome.DIFFERS
    assert places.endswith("is planned no longer: study.yaml, notebook, lib.py or data are not those of the report")
    assert "runs to do" not in capsys.readouterr().err

"""Oracle: reports and runs of known verdicts, with and without git's own view of what is committed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gradstudy.errors import ReportError
from gradstudy.report.build import build_all
from gradstudy.report.drift import drift
from gradstudy.study.catalog import Study
from gradstudy.study.plan import make_plan


@pytest.fixture
def committed(synthetic, study: Study, tmp_path: Path) -> Study:
    """The study with its runs and the report on them."""
    synthetic.leave_runs(study, tmp_path)
    build_all([study], "standard", tmp_path)
    return study


def test_the_same_runs_give_the_same_verdicts(synthetic, committed: Study, tmp_path: Path):
    found = drift("standard", tmp_path)
    assert (found.changes, found.compared, found.skipped) == ((), {"made-up": 4}, ())
    assert "made-up: 4 claims, none changed" in str(found)


def test_a_verdict_that_changed_is_told_with_both_effects(synthetic, committed: Study, tmp_path: Path):
    synthetic.leave_runs(committed, tmp_path, shift=-0.2)
    found = drift("standard", tmp_path)
    # M1 asks for more than 0.2; M2 was undecided for its control, M3 and M4 for lack of a measure, and still are.
    assert [(change.claim, change.committed, change.now) for change in found.changes] == [
        ("M1", "SUPPORTED", "REFUTED")
    ]
    assert "  M1: SUPPORTED (0.25" in str(found)
    assert "-> REFUTED (0.05" in str(found)
    assert json.loads(json.dumps(found.as_json()))["changes"][0]["claim"] == "M1"


def test_a_claim_that_lost_runs_is_decided_no_longer(synthetic, committed: Study, tmp_path: Path):
    run = make_plan(committed, "standard", tmp_path).points[0].folder
    (run / "run.json").unlink()
    (change,) = drift("standard", tmp_path).changes
    assert (change.claim, change.now) == ("M1", "undecided: only 3 runs, 1 missing")


def test_a_claim_that_came_or_went_is_a_change(synthetic, committed: Study, tmp_path: Path, monkeypatch):
    spec = synthetic.SPEC | {"claims": {"M5": ["random"]} | {name: ["random"] for name in ("M2", "M3", "M4")}}
    (committed.folder / "study.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    monkeypatch.setitem(synthetic.CLAIMS, "M5", replace(synthetic.M1, id="M5"))
    changes = {change.claim: (change.committed, change.now) for change in drift("standard", tmp_path).changes}
    assert changes == {"M1": ("SUPPORTED", "not there"), "M5": ("not there", "SUPPORTED")}


def test_a_check_that_compares_nothing_does_not_pass(synthetic, committed: Study, tmp_path: Path):
    with pytest.raises(ReportError, match="0 reports of profile quick"):
        drift("quick", tmp_path)
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    with pytest.raises(ReportError, match=r"nothing to compare: 1 report of profile standard .* and no runs"):
        drift("standard", tmp_path)


if shutil.which("git"):  # without git there is no commit, and the reports on disk count

    def git(folder: Path, *arguments: str) -> None:
        who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)

    def test_the_last_commit_counts_and_not_what_a_run_has_written_since(synthetic, committed: Study, tmp_path: Path):
        git(tmp_path, "init", "--quiet")
        git(tmp_path, "add", "reports")
        git(tmp_path, "commit", "--quiet", "-m", "reports")
        synthetic.leave_runs(committed, tmp_path, shift=-0.2)
        build_all([committed], "standard", tmp_path)
        found = drift("standard", tmp_path)
        assert found.against == "reports/standard of the last commit"
        assert [change.claim for change in found.changes] == ["M1"]

    def test_a_workspace_within_a_repository_is_found(synthetic, committed: Study, tmp_path: Path):
        git(tmp_path.parent, "init", "--quiet", tmp_path.name + "-repository")
        inner = tmp_path.parent / (tmp_path.name + "-repository") / "inner"
        tmp_path.rename(inner)
        git(inner, "add", "reports")
        git(inner, "commit", "--quiet", "-m", "reports")
        assert drift("standard", inner).against == "reports/standard of the last commit"

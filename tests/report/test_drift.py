"""Oracle: reports and runs of known verdicts, with and without git's own view of what is committed."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gradstudy.claims import registry
from gradstudy.errors import ReportError
from gradstudy.report.build import build_all
from gradstudy.report.drift import drift
from gradstudy.study.catalog import Study, find_study
from gradstudy.study.ledger import write_entry
from gradstudy.study.outcome import Outcome
from gradstudy.study.plan import make_plan

NOTEBOOK = '# %% tags=["parameters"]\nactivation: str = "tanh"\nseed: int = 0\ngain: float = 1.0\nsize: int = 8\n'


def leave_runs(study: Study, workspace: Path, shift: float = 0.0, leave_out: int = 0) -> None:
    """Runs whose rates are about 0.25 (0 for the control), all moved by `shift`."""
    for place, planned in enumerate(make_plan(study, "standard", workspace).points[leave_out:]):
        (planned.folder / "records").mkdir(parents=True, exist_ok=True)
        rate = planned.point.parameters["gain"] * 0.5 - 0.25 + 0.001 * place + shift
        (planned.folder / "records" / "rates.csv").write_text(f"rate\n{rate}\n")
        request = {"study": study.slug, "digest": planned.digest, "parameters": dict(planned.point.parameters)}
        evidence = {"modules": {}, "versions": {"python": "3.11.0"}}
        write_entry(planned.folder, request, Outcome("ok"), {"evidence": evidence, "started": 1.0, "seconds": 1.0})


@pytest.fixture
def study(synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(registry, "find", synthetic.CLAIMS.__getitem__)
    folder = synthetic.write_study(tmp_path / "studies" / "made-up").folder
    (folder / "study.yaml").write_text(yaml.safe_dump(synthetic.SPEC), encoding="utf-8")
    (folder / "notebook.py").write_text(NOTEBOOK, encoding="utf-8")
    found = find_study("made-up", tmp_path)
    leave_runs(found, tmp_path)
    build_all([found], "standard", tmp_path)
    return found


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_same_runs_give_the_same_verdicts(study: Study, tmp_path: Path):
    found = drift("standard", tmp_path)
    assert (found.changes, found.compared, found.skipped) == ((), {"made-up": 4}, ())
    assert "made-up: 4 claims, none changed" in str(found)


def test_a_verdict_that_changed_is_told_with_both_effects(study: Study, tmp_path: Path):
    leave_runs(study, tmp_path, shift=-0.2)
    found = drift("standard", tmp_path)
    # M1 asks for more than 0.2; M2 was undecided for its control, M3 and M4 for lack of a measure, and still are.
    assert [(change.claim, change.committed, change.now) for change in found.changes] == [
        ("M1", "SUPPORTED", "REFUTED")
    ]
    assert "  M1: SUPPORTED (0.25" in str(found)
    assert "-> REFUTED (0.05" in str(found)
    assert json.loads(json.dumps(found.as_json()))["changes"][0]["claim"] == "M1"


def test_a_claim_that_lost_runs_is_decided_no_longer(study: Study, tmp_path: Path):
    run = make_plan(study, "standard", tmp_path).points[0].folder
    (run / "run.json").unlink()
    (change,) = drift("standard", tmp_path).changes
    assert (change.claim, change.now) == ("M1", "undecided: only 3 runs, 1 missing")


def test_a_claim_that_came_or_went_is_a_change(study: Study, synthetic, tmp_path: Path, monkeypatch):
    spec = synthetic.SPEC | {"claims": {"M5": ["random"]} | {name: ["random"] for name in ("M2", "M3", "M4")}}
    (study.folder / "study.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    monkeypatch.setitem(synthetic.CLAIMS, "M5", replace(synthetic.M1, id="M5"))
    changes = {change.claim: (change.committed, change.now) for change in drift("standard", tmp_path).changes}
    assert changes == {"M1": ("SUPPORTED", "not there"), "M5": ("not there", "SUPPORTED")}


def test_the_last_commit_counts_and_not_what_a_run_has_written_since(study: Study, tmp_path: Path):
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "reports")
    git(tmp_path, "commit", "--quiet", "-m", "reports")
    leave_runs(study, tmp_path, shift=-0.2)
    build_all([study], "standard", tmp_path)
    found = drift("standard", tmp_path)
    assert found.against == "reports/standard of the last commit"
    assert [change.claim for change in found.changes] == ["M1"]


def test_a_workspace_within_a_repository_is_found(study: Study, tmp_path: Path):
    git(tmp_path.parent, "init", "--quiet", tmp_path.name + "-repository")
    inner = tmp_path.parent / (tmp_path.name + "-repository") / "inner"
    tmp_path.rename(inner)
    git(inner, "add", "reports")
    git(inner, "commit", "--quiet", "-m", "reports")
    assert drift("standard", inner).against == "reports/standard of the last commit"


def test_a_check_that_compares_nothing_does_not_pass(study: Study, tmp_path: Path):
    with pytest.raises(ReportError, match="0 reports of profile quick"):
        drift("quick", tmp_path)
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    with pytest.raises(ReportError, match=r"nothing to compare: 1 report of profile standard .* and no runs"):
        drift("standard", tmp_path)

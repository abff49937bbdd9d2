"""A study begun by `gradstudy init`, all the way to a verified and cited figure.

Oracle: the template's controls are linear networks of a known rate, so their verdicts are known; the files of the
template themselves.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import gradstudy as gs
from gradstudy.errors import StorageError, StudySpecError
from gradstudy.study.beginning import TEMPLATE, begin


def gradstudy(*arguments, workspace):
    command = [sys.executable, "-m", "gradstudy.cli", *arguments]
    return subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beginner")
    assert gradstudy("init", "forgetting", workspace=folder).returncode == 0
    done = gradstudy("run", "forgetting", "--strict", workspace=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_its_claim_is_decided_and_its_controls_come_out_as_planted(workspace):
    report = json.loads((workspace / "reports" / "quick" / "forgetting" / "report.json").read_text())
    (claim,) = report["claims"]
    assert claim["id"] == "forgetting-1"
    assert claim["verdict"] == "SUPPORTED"
    assert {control["name"]: control["found"] for control in claim["controls"]} == {
        "vanishes": "SUPPORTED",
        "hardly-vanishes": "REFUTED",
    }


def test_planted_rates_are_measured(workspace):
    rates = gs.load("forgetting", "rates", profile="quick", workspace=workspace)
    for control, planted in (("vanishes", -0.015), ("hardly-vanishes", -0.005)):
        assert rates.loc[rates["control"] == control, "rate"].to_numpy() == pytest.approx(planted, abs=1e-6)


def test_it_verifies_and_cites(workspace):
    verified = gradstudy("verify", "forgetting", workspace=workspace)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "1 identical" in verified.stdout
    assert "forgetting/decay@" in gradstudy("cite", "forgetting/decay", workspace=workspace).stdout
    assert "@misc{mine2026," in gradstudy("cite", "forgetting-1", workspace=workspace).stdout


def test_a_lone_picture_of_it_verifies(workspace, tmp_path):
    picture = tmp_path / "mailed.svg"
    picture.write_bytes((workspace / "reports" / "quick" / "forgetting" / "figures" / "decay.svg").read_bytes())
    verified = gradstudy("verify", str(picture), workspace=workspace)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_claims_are_executed_only_to_decide_claims(workspace):
    path = workspace / "studies" / "forgetting" / "claims.py"
    before = path.read_text()
    try:
        path.write_text("raise RuntimeError('executed')\n")
        picture = "reports/quick/forgetting/figures/decay.png"
        for arguments in (["verify", picture], ["cite", "forgetting-1"], ["list"], ["claims", "--profile", "quick"]):
            done = gradstudy(*arguments, workspace=workspace)
            assert done.returncode == 0, done.stdout + done.stderr
        for arguments in (["verify", "forgetting"], ["plan", "forgetting"]):
            done = gradstudy(*arguments, workspace=workspace)
            assert done.returncode == 1
            assert "claims.py raised RuntimeError: executed" in done.stderr
    finally:
        path.write_text(before)


def test_its_functions_are_part_of_a_runs_identity(workspace):
    path = workspace / "studies" / "forgetting" / "lib.py"
    before = path.read_text()
    try:
        path.write_text(before.replace("x, y = torch.randn", "# a comment changes nothing\n    x, y = torch.randn"))
        assert states(workspace) == {"cached"}
        path.write_text(before.replace("self.head = nn.Linear", "self.head = nn.LazyLinear"))
        assert states(workspace) == {"new"}
    finally:
        path.write_text(before)


def states(workspace):
    plan = json.loads(gradstudy("plan", "forgetting", "--json", workspace=workspace).stdout)
    return {point["state"] for point in plan["runs"]}


def test_the_run_keeps_the_functions_it_used(workspace):
    kept = {path.read_text() for path in workspace.glob("runs/forgetting/*/library/lib.py")}
    assert kept == {(workspace / "studies" / "forgetting" / "lib.py").read_text()}


def test_a_notebook_that_papermill_executes_is_kept_as_a_run(workspace):
    assert gradstudy("notebook", "forgetting", "-o", "x.ipynb", workspace=workspace).returncode == 0
    command = [sys.executable, "-m", "papermill", "--engine", "gradstudy", "-p", "networks", "5", "-p", "length", "50"]
    folders = set((workspace / "runs" / "forgetting").glob("[0-9a-f]*"))
    done = subprocess.run(
        [*command, "x.ipynb", "out.ipynb"], cwd=workspace, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    # The parameters of a run that is there already: the same identity, a second attempt with the same records.
    assert set((workspace / "runs" / "forgetting").glob("[0-9a-f]*")) == folders
    (folder,) = (path.parents[2] for path in workspace.glob("runs/forgetting/*/attempts/1/run.json"))
    tables = [pd.read_csv(place / "records" / "norms.csv") for place in (folder, folder / "attempts" / "1")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert states(workspace) == {"cached"}


def test_the_model_of_the_how_to_takes_the_template_s_place(tmp_path):
    """As the page says: its `measured` replaces the template's, and everything else goes on as before."""
    text = (Path(__file__).parents[2] / "docs" / "how-to-own-study.md").read_text(encoding="utf-8")
    (block,) = (part for part in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def measured" in part)
    code, _, trial = block.partition("\n\nprint(")
    assert "not in lib.py" in trial
    library = begin("mine", tmp_path) / "lib.py"
    library.write_text(f"{library.read_text()}\n\n{code}\n")
    done = gradstudy("run", "mine", "--strict", workspace=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    table = gs.load("mine", "norms", profile="quick", workspace=tmp_path)
    own = table[table["control"].isna() | (table["control"] == "")].pivot_table(
        index=["network", "steps_back"], columns="forget_bias", values="log_norm"
    )
    assert own.nunique(axis=1).eq(1).all(), "a GRU has no forget bias"
    assert gradstudy("verify", "mine", workspace=tmp_path).returncode == 0
    assert "mine/decay@" in gradstudy("cite", "mine/decay", workspace=tmp_path).stdout


@pytest.mark.parametrize("name", ["My Study", "../up", "-x", "a/b", "", "latching"])
def test_a_name_that_does_not_do_is_refused(name, tmp_path):
    with pytest.raises(StudySpecError):
        begin(name, tmp_path)
    assert not list(tmp_path.rglob("*.py"))


def test_what_is_there_is_not_overwritten(tmp_path):
    folder = begin("mine", tmp_path)
    (folder / "lib.py").write_text("mine = True\n")
    with pytest.raises(StudySpecError, match="has one"):
        begin("mine", tmp_path)
    assert (folder / "lib.py").read_text() == "mine = True\n"
    assert {path.name for path in folder.iterdir()} == {path.name for path in TEMPLATE.iterdir() if path.is_file()}


def test_a_workspace_that_is_a_file_is_an_error_of_its_own(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        begin("mine", tmp_path / "file")


def test_a_link_to_nowhere_is_left_alone_and_a_name_too_long_is_an_error_of_its_own(tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "mine").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StudySpecError, match="has one"):
        begin("mine", tmp_path)
    with pytest.raises(StorageError):
        begin("a" * 300, tmp_path)

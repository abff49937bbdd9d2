"""Exported notebooks under papermill itself.

Oracle: what `gradstudy run` leaves of the same points.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from gradstudy.study.notebook import to_ipynb


def papermill(workspace, *parameters, code=0):
    origin = {"study": "small", "profile": "quick"}
    (workspace.folder / "in.ipynb").write_text(to_ipynb(workspace.notebook.read_text(), {}, origin))
    command = [sys.executable, "-m", "papermill", "--engine", "gradstudy", *parameters, "in.ipynb", "out.ipynb"]
    said = subprocess.run(
        command,
        cwd=workspace.folder,
        env={**os.environ, "GRADSTUDY_WORKSPACE": str(workspace.folder)},
        capture_output=True,
        text=True,
    )
    assert said.returncode == code, said.stderr
    return said


def test_it_counts_as_the_run_of_its_point(workspace):
    workspace.profile(grid=[{"name": "base", "over": {"seed": [3, 4]}}])
    papermill(workspace, "-p", "seed", "3")
    assert workspace.states() == ["cached", "new"]
    value = json.loads((workspace.run_folder() / "records" / "value.json").read_text())
    assert (value["seed"], value["omp"]) == (3, "1")
    assert value["folder"] == str(workspace.run_folder())
    assert "seed 3" in (workspace.folder / "out.ipynb").read_text()
    assert workspace.run().executed == 1


def test_it_fails_as_a_run_does(workspace):
    workspace.moods("raise", "kill")
    papermill(workspace, "-p", "mood", "raise", code=1)
    papermill(workspace, "-p", "mood", "kill", code=1)
    assert [state.partition(":")[0] for state in workspace.states()] == ["failed", "killed"]


def test_parameters_are_checked_as_everywhere(workspace):
    said = papermill(workspace, "-p", "seed", "1.5", code=1)
    assert "ParameterError" in said.stderr
    assert not list(workspace.folder.glob("runs/small/[0-9a-f]*"))


def test_one_of_no_study_is_executed_and_not_kept(workspace):
    (workspace.folder / "in.ipynb").write_text(
        to_ipynb(
            workspace.notebook.read_text().replace('"folder"', '"x"').replace('os.environ["GRADSTUDY_RUN"]', "0"), {}
        )
    )
    command = [sys.executable, "-m", "papermill", "--engine", "gradstudy", "in.ipynb", "out.ipynb"]
    subprocess.run(command, cwd=workspace.folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
    assert not (workspace.folder / "runs").exists()

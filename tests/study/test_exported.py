"""Exported notebooks under papermill itself.

Oracle: what `gradstudy run` leaves of the same points.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import nbformat
import pytest

from gradstudy.errors import GradstudyError, ParametersCellError, StudySpecError
from gradstudy.study import exported
from gradstudy.study.notebook import to_ipynb

CLASH = '\n# %%\nimport pandas as pd\n\ngs.record("rates", pd.DataFrame({"gain": [1.0]}))\n'


def papermill(workspace, *parameters, code=0, place=None):
    origin = {"study": "small", "profile": "quick"}
    (workspace.folder / "in.ipynb").write_text(to_ipynb(workspace.notebook.read_text(), {}, origin))
    command = [sys.executable, "-m", "papermill", "--engine", "gradstudy", *parameters, "in.ipynb", "out.ipynb"]
    said = subprocess.run(
        command,
        cwd=workspace.folder,
        env={**os.environ, "GRADSTUDY_WORKSPACE": str(place or workspace.folder)},
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


def test_it_says_where_the_run_is_kept_and_what_to_do_where_its_study_is_not(workspace, tmp_path):
    said = papermill(workspace)
    assert f"kept as a run of small: {workspace.run_folder()}" in said.stderr
    said = papermill(workspace, code=1, place=tmp_path / "elsewhere")
    assert f"a notebook of the study 'small', which is not in the workspace {tmp_path / 'elsewhere'}" in said.stderr
    assert "what to do: set GRADSTUDY_WORKSPACE to the workspace that the notebook was exported from" in said.stderr


def test_a_column_named_like_a_parameter_fails_the_run(workspace):
    workspace.notebook.write_text(workspace.notebook.read_text() + CLASH)
    said = papermill(workspace, code=1)
    assert "RecordError: the table 'rates' has the column 'gain'" in said.stderr
    assert workspace.states()[0].startswith("failed: RecordError: the table 'rates'")


def test_it_keeps_the_limits_of_its_profile_and_a_log(workspace):
    workspace.moods("sleep", "hoard", timeout=5, memory=500)
    papermill(workspace, "-p", "mood", "sleep", code=1)
    papermill(workspace, "-p", "mood", "hoard", code=1)
    assert workspace.entries()["sleep"]["error"]["message"] == "not done after 5 s"
    if sys.platform == "linux":
        assert workspace.entries()["hoard"]["status"] == "oom"
        assert workspace.entries()["hoard"]["error"]["remedy"].startswith("it was held to 500 MB")
        (log,) = (path for path in workspace.folder.glob("runs/small/*/log") if path.stat().st_size)
        assert log.read_text() == "before\n"


def test_the_time_that_papermill_is_given_counts(workspace):
    workspace.moods("sleep")
    papermill(workspace, "-p", "mood", "sleep", "--execution-timeout", "4", code=1)
    assert workspace.entries()["sleep"]["error"]["message"] == "not done after 4 s"


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


def edited(workspace, monkeypatch, **parameters):
    """The exported notebook as a node, to be edited by hand."""
    monkeypatch.setenv("GRADSTUDY_WORKSPACE", str(workspace.folder))
    origin = {"study": "small", "profile": "quick"}
    return nbformat.reads(to_ipynb(workspace.notebook.read_text(), parameters, origin), 4)


def injected(source):
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})


@pytest.mark.parametrize(
    "line",
    [
        "gain: float = 7.0",
        "seed = gain = 7",
        "seed += 1",
        "import random",
        "seed = int('3')",
        "gain = float('nan')",
        "seed, gain = 1, 2.0",
        "seed = 4",
        "seed = (",
    ],
)
def test_what_an_injected_cell_may_not_say_is_refused_rather_than_left_out_of_the_identity(
    workspace, monkeypatch, line
):
    nb = edited(workspace, monkeypatch, seed=3)
    place = next(place for place, cell in enumerate(nb.cells) if cell.source == "seed = 3\n")
    nb.cells[place].source += line if line != "seed = 1\nseed = 2" else "seed = 4"
    with pytest.raises(ParametersCellError, match="injected"):
        exported.execute(nb)
    assert not (workspace.folder / "runs").exists()


def test_an_injected_cell_elsewhere_is_refused(workspace, monkeypatch):
    for place in (0, 1, 5):
        nb = edited(workspace, monkeypatch)
        nb.cells.insert(place, injected("seed = 9"))
        with pytest.raises(ParametersCellError, match="does not follow"):
            exported.execute(nb)
    nb = edited(workspace, monkeypatch, seed=3)
    nb.cells.append(injected("seed = 9"))
    with pytest.raises(ParametersCellError, match="does not follow"):
        exported.execute(nb)
    assert not (workspace.folder / "runs").exists()


@pytest.mark.parametrize(
    "origin",
    [3, "small", [], {}, {"study": "small"}, {"study": ["small"], "profile": "quick"}, {"study": 1, "profile": None}],
)
def test_metadata_that_the_export_did_not_write_are_refused(workspace, monkeypatch, origin):
    nb = edited(workspace, monkeypatch)
    nb.metadata["gradstudy"] = origin
    with pytest.raises(StudySpecError, match="`study` and `profile`"):
        exported.execute(nb)


@pytest.mark.parametrize("slug", ["../small", "/etc", "small/../small", ""])
def test_a_study_that_is_none_is_refused_by_name(workspace, monkeypatch, slug):
    nb = edited(workspace, monkeypatch)
    nb.metadata["gradstudy"] = {"study": slug, "profile": "quick"}
    with pytest.raises(GradstudyError, match="the study"):
        exported.execute(nb)
    assert not (workspace.folder / "runs").exists()

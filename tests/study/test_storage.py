"""Oracle: the operating system. A disk of 1 MB is filled, a folder is closed to a process that is not root."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from gradstudy.errors import StorageError
from gradstudy.records import write_atomic
from gradstudy.study.lock import hold
from gradstudy.study.plan import make_plan
from gradstudy.study.workspace import check_writable, find_workspace


@pytest.mark.needs_root
def test_full_disk_is_named_and_the_former_file_kept(small_disk):
    path = small_disk / "file"
    write_atomic(path, b"former")
    with pytest.raises(StorageError, match="the disk is full"):
        write_atomic(path, bytes(2_000_000))
    assert path.read_bytes() == b"former"
    assert list(small_disk.iterdir()) == [path]


@pytest.mark.needs_root
def test_a_full_workspace_is_found_before_anything_starts(small_disk):
    (small_disk / "ballast").write_bytes(bytes(1_000_000))
    with pytest.raises(StorageError, match=r"the disk is full(.|\n)*--workspace"):
        check_writable(small_disk)


@pytest.mark.needs_root
def test_a_notebook_that_fills_the_disk_by_printing_is_kept_whole_as_it_was(workspace, small_disk, capsys):
    workspace.folder.joinpath("runs").symlink_to(small_disk)
    workspace.moods("chatter", "good")
    workspace.run(cores=1)
    loud, quiet = (planned.folder for planned in make_plan(workspace.study(), "quick", workspace.folder).points)
    assert nbformat.read(loud / "notebook.ipynb", 4).metadata.papermill.parameters["mood"] == "chatter"
    assert (loud / "log").stat().st_size > 800_000
    assert not (loud / "run.json").exists()
    told = [line for line in capsys.readouterr().err.splitlines() if "its notebook and log:" in line]
    assert told == [f"    its notebook and log: {loud}"]  # of the other, which could not begin, there are none
    assert not list(quiet.glob("notebook*"))


@pytest.mark.needs_root
def test_a_disk_that_fills_up_during_a_run_loses_nothing(workspace, small_disk):
    workspace.moods("good")
    workspace.folder.joinpath("runs").symlink_to(small_disk)
    workspace.run()
    workspace.moods("good", "full")
    tally = workspace.run()
    assert [planned.state.kind for plan in tally.plans for planned in plan.points] == ["cached", "failed"]
    assert "StorageError" in tally.plans[0].points[1].state.detail
    assert "the disk is full" in tally.plans[0].points[1].state.detail
    assert workspace.states()[0] == "cached"


@pytest.fixture
def open_workspace(workspace):
    """A workspace to which the way is open to everybody; pytest's own folders are closed."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield type(workspace)(Path(place) / "work")


def test_a_read_only_workspace_is_found_before_anything_starts(open_workspace):
    workspace = open_workspace
    workspace.folder.chmod(0o555)
    # Root may write anywhere: it gives that right up first, and keeps the way to the installed package.
    dropped = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    code = "from gradstudy import cli; cli.main(['run', 'small', '--workspace', '.'])"
    said = subprocess.run([*dropped, sys.executable, "-c", code], cwd=workspace.folder, capture_output=True, text=True)
    workspace.folder.chmod(0o755)
    assert said.returncode == 1
    assert "the folder is read-only" in said.stderr
    assert "what to do: allow writing there, or choose another workspace" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (workspace.folder / "runs").exists()


def test_a_workspace_that_is_a_file_is_named(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        check_writable(path)


def test_the_workspace_is_given_or_of_the_environment_or_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADSTUDY_WORKSPACE", raising=False)
    assert find_workspace() == tmp_path.resolve()
    monkeypatch.setenv("GRADSTUDY_WORKSPACE", str(tmp_path / "there"))
    assert find_workspace() == (tmp_path / "there").resolve()
    assert find_workspace(tmp_path / "here") == (tmp_path / "here").resolve()


def test_json_of_the_study_is_yaml(workspace):
    # The fixture writes study.yaml as JSON; it must mean the same.
    text = (workspace.folder / "studies" / "small" / "study.yaml").read_text()
    assert workspace.study().spec.title == json.loads(text)["title"]


@pytest.mark.skipif(os.name != "posix", reason="needs flock")
def test_a_disk_without_locks_is_named(tmp_path, monkeypatch):
    def none(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(StorageError, match="No locks available"), hold(tmp_path / "runs" / "small"):
        pass

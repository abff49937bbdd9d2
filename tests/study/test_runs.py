"""Oracle: what was done to the run. Real kernels are killed, stopped and failed; run.json must say just that.

Each cell of the small study's notebook does one thing to its kernel, so the status to expect is known beforehand.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest

import gradstudy
from gradstudy.errors import OversubscribedError, ParameterError, StudyHeldError, UnknownProfileError
from gradstudy.study import lock
from gradstudy.study import process as processes
from gradstudy.study.executor import RETRIES, Budget
from gradstudy.study.lock import hold, hold_run, is_held
from gradstudy.study.plan import make_plan


def statuses(tally):
    return [planned.state.kind for plan in tally.plans for planned in plan.points]


def alive(pid):
    # A process that nobody has waited for is dead all the same.
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    assert found, "waited in vain"
    return found


def kernels(workspace):
    """Find the kernels that belong to the workspace, by their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.environ().get("GRADSTUDY_RUN", "").startswith(str(workspace.folder))
            if ours and "ipykernel_launcher" in process.cmdline():
                found.append(process.pid)
    return found


def test_every_way_to_end_is_told_as_it_was(workspace):
    workspace.moods("good", "raise", "kill", "exit", "leave", "no-data", "wander")
    tally = workspace.run()
    assert statuses(tally) == ["ok", "failed", "killed", "killed", "failed", "no-data", "ok"]
    assert tally.failed
    assert tally.missing
    entries = workspace.entries()
    assert {mood: entry["status"] for mood, entry in entries.items()} == {
        "good": "ok", "raise": "failed", "kill": "killed", "exit": "killed", "leave": "failed", "no-data": "no-data",
        "wander": "ok",
    }  # fmt: skip
    assert entries["raise"]["error"] == {"name": "RuntimeError", "message": "as planned", "remedy": ""}
    assert "signal 9" in entries["kill"]["error"]["message"]
    assert "exit code 3" in entries["exit"]["error"]["message"]
    assert entries["leave"]["error"]["name"] == "SystemExit"
    assert entries["no-data"]["error"]["remedy"] == "fetch chorales"
    assert not kernels(workspace)


def test_a_good_run_keeps_records_evidence_and_notebook(workspace):
    workspace.run()
    folder = workspace.run_folder()
    entry = json.loads((folder / "run.json").read_text())
    assert sorted(entry["evidence"]["versions"]) == ["python"]
    assert sorted(entry["evidence"]["modules"]) == ["gradstudy", "gradstudy.errors", "gradstudy.records"]
    assert list(entry["records"]) == ["value.json"]
    value = json.loads((folder / "records" / "value.json").read_text())
    assert value == {"seed": 0, "omp": "1", "folder": str(folder)}
    assert (folder / "log").read_text() == "seed 0\n"
    notebook = nbformat.read(folder / "notebook.ipynb", 4)
    injected = [cell.source for cell in notebook.cells if "injected-parameters" in cell.metadata.tags]
    assert injected == ['# Parameters\nseed = 0\ngain = 1.0\nmood = "good"\n']
    assert {path.name for path in folder.iterdir()} == {"run.json", "notebook.ipynb", "log", "records", ".lock"}


def test_a_killed_run_is_tried_again_and_says_so_and_an_error_is_not(workspace, capsys):
    workspace.moods("kill", "raise", "twice")
    tally = workspace.run(budget=Budget(jobs=1, cores=2))
    assert statuses(tally) == ["killed", "failed", "ok"]
    assert tally.executed == 3
    entries = workspace.entries()
    assert {mood: (entry["attempt"], entry["retries"]) for mood, entry in entries.items()} == {
        "kill": (3, 2), "raise": (1, 0), "twice": (2, 1),
    }  # fmt: skip
    for planned, earlier in zip(tally.plans[0].points, (2, 0, 1), strict=True):
        attempts = sorted(planned.folder.glob("attempts/*"))
        assert [path.name for path in attempts] == ["1", "2"][:earlier]
        for attempt in attempts:
            assert {path.name for path in attempt.iterdir()} >= {"run.json", "notebook.ipynb", "log"}
            assert json.loads((attempt / "run.json").read_text())["status"] == "killed"
    told = capsys.readouterr().err
    assert told.count("mood=kill: killed, tried again (DeadKernel: the kernel ended with signal 9)") == 2
    assert told.count("mood=twice: killed, tried again") == 1
    assert "[3/3] " in told
    assert "mood=raise: killed" not in told


def test_a_run_at_work_is_held_whoever_started_it(workspace, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    (planned,) = make_plan(workspace.study(), "quick", workspace.folder).points
    with hold_run(planned.folder):
        assert is_held(planned.folder)
        tally = workspace.run()
    assert statuses(tally) == ["failed"]
    assert f"the run {planned.digest[:12]!r} is held by process {os.getpid()}" in tally.plans[0].points[0].state.detail
    assert not is_held(planned.folder)
    assert statuses(workspace.run()) == ["ok"]


def test_a_column_named_like_a_parameter_fails_the_run_at_its_end_and_not_the_report(workspace):
    table = '\n# %%\nimport pandas as pd\n\ngs.record("rates", pd.DataFrame({"run": [1], "gain": [1.0]}))\n'
    workspace.notebook.write_text(workspace.notebook.read_text() + table)
    (planned,) = workspace.run().plans[0].points
    assert planned.state.kind == "failed"
    assert (
        "the table 'rates' has the column 'run', 'gain', which is also a parameter of its run" in planned.state.detail
    )
    assert (planned.folder / "notebook.ipynb").is_file()
    assert not (planned.folder / "evidence.json").exists()


def test_a_failed_notebook_shows_where(workspace):
    workspace.moods("kill")
    workspace.run()
    notebook = nbformat.read(workspace.run_folder() / "notebook.ipynb", 4)
    assert notebook.metadata.papermill.exception is True
    assert [cell.metadata.papermill.status for cell in notebook.cells][-2:] == ["failed", "pending"]


def test_the_time_limit_of_a_profile_holds(workspace):
    workspace.moods("sleep", timeout=3)
    started = time.monotonic()
    assert statuses(workspace.run()) == ["timeout"]
    assert time.monotonic() - started < 30
    assert "not done after 3 s" in workspace.entries()["sleep"]["error"]["message"]
    assert not kernels(workspace)


def test_a_run_that_does_not_keep_its_limit_is_killed_from_outside(workspace, monkeypatch):
    # The limit from outside is reached first: the kernel has not even started.
    monkeypatch.setattr(processes, "GRACE", -59.9)
    workspace.moods("sleep", timeout=60)
    assert statuses(workspace.run()) == ["timeout"]
    assert workspace.entries()["sleep"]["status"] == "timeout"
    wait_for(lambda: not kernels(workspace))


def test_what_is_done_is_not_done_again_and_what_failed_is(workspace):
    workspace.moods("good", "raise")
    assert workspace.run().executed == 2
    assert workspace.states() == ["cached", "failed: RuntimeError: as planned"]
    tally = workspace.run()
    assert (tally.executed, statuses(tally)) == (1, ["cached", "failed"])
    assert workspace.run(rerun="stale").executed == 0
    folder = next(path.parent for path in workspace.folder.glob("runs/small/*/attempts"))
    assert {path.name for path in (folder / "attempts" / "1").iterdir()} >= {"notebook.ipynb", "log", "run.json"}
    assert workspace.run(rerun="all").executed == 2


def test_prose_keeps_a_run_and_code_makes_a_new_one(workspace):
    workspace.run()
    workspace.notebook.write_text(workspace.notebook.read_text().replace("# # A small study", "# # Another title"))
    assert workspace.states() == ["cached"]
    workspace.notebook.write_text(workspace.notebook.read_text().replace('"seed": seed', '"seed": seed + 1'))
    assert workspace.states() == ["new"]


def test_other_evidence_is_stale_and_named(workspace):
    workspace.run()
    path = workspace.run_folder() / "run.json"
    entry = json.loads(path.read_text())
    entry["evidence"]["modules"]["gradstudy.records"] = "0" * 64
    entry["evidence"]["versions"]["python"] = "2.7"
    path.write_text(json.dumps(entry))
    (state,) = workspace.states()
    assert state.startswith("stale: python 2.7 -> ")
    assert state.endswith(", gradstudy.records")
    assert workspace.run(rerun="failed").executed == 0
    assert workspace.run().executed == 1
    assert workspace.states() == ["cached"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "run.json").write_text('{"status": "ok"'), "run.json cannot be read"),
        (lambda folder: (folder / "run.json").write_text('{"status": "fine"}'), "run.json cannot be read"),
        (lambda folder: (folder / "run.json").write_text("[]"), "run.json cannot be read"),
        (lambda folder: (folder / "records" / "value.json").write_text("{}"), "is not what the run wrote"),
        (lambda folder: (folder / "records" / "value.json").unlink(), "is not what the run wrote"),
        (lambda folder: (folder / "run.json").unlink(), ""),
    ],
)
def test_a_spoilt_folder_counts_as_nothing(workspace, spoil, says):
    folder = fake_run(workspace)
    assert workspace.states() == ["cached"]
    spoil(folder)
    (state,) = workspace.states()
    assert state.startswith("new")
    assert says in state


def fake_run(workspace):
    """Leave a run folder as a run does, without a kernel."""
    from gradstudy.study import evidence, ledger
    from gradstudy.study.outcome import Outcome

    (planned,) = make_plan(workspace.study(), "quick", workspace.folder).points
    ledger.prepare(planned.folder)
    (planned.folder / "records" / "value.json").write_text('{"a": 1}')
    request = {"parameters": dict(planned.point.parameters)}
    details = {"evidence": evidence.gather(["gradstudy"]), "seconds": 1.0}
    ledger.write_entry(planned.folder, request, Outcome("ok"), details)
    return planned.folder


def test_points_with_the_same_parameters_share_a_run(workspace):
    workspace.profile(grid=[{"name": "one"}, {"name": "two", "set": {"seed": 0}}])
    tally = workspace.run()
    assert (tally.executed, statuses(tally)) == (1, ["ok", "ok"])


def test_fail_fast_starts_nothing_after_a_failure(workspace):
    workspace.moods("raise", "good", "wander")
    tally = workspace.run(budget=Budget(jobs=1, cores=2), fail_fast=True)
    assert (tally.executed, statuses(tally)) == (1, ["failed", "new", "new"])
    assert tally.missing


def test_parameters_of_the_command_line_reach_the_kernel(workspace):
    workspace.run(assignments=("seed=7",))
    assert json.loads(next(workspace.folder.glob("runs/small/*/records/value.json")).read_text())["seed"] == 7
    assert workspace.states() == ["new"]


def test_nothing_starts_when_something_is_wrong(workspace):
    with pytest.raises(ParameterError, match="did you mean seed"):
        workspace.run(assignments=("sed=7",))
    with pytest.raises(OversubscribedError, match="--oversubscribe"):
        workspace.run(budget=Budget(jobs=3, cores=2))
    with pytest.raises(UnknownProfileError):
        workspace.study().spec.profile("paper")
    assert not list(workspace.folder.glob("runs/small/[0-9a-f]*"))


@pytest.mark.parametrize("count", [1, 2])
def test_ctrl_c_stops_the_runs_and_says_so(workspace, count):
    workspace.moods("sleep", "good")
    process = workspace.start("small", "--jobs", "1")
    (kernel,) = wait_for(lambda: kernels(workspace))
    for _ in range(count):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted; what is finished is kept" in err
    assert workspace.entries()["sleep"]["status"] == "interrupted"
    assert "good" not in workspace.entries()
    wait_for(lambda: not alive(kernel))


def test_when_the_runner_is_killed_its_runs_end_and_the_next_takes_over(workspace):
    workspace.moods("sleep")
    process = workspace.start("small")
    (kernel,) = wait_for(lambda: kernels(workspace))
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(kernel))
    wait_for(lambda: workspace.entries().get("sleep", {}).get("status") == "interrupted")
    workspace.moods("good")
    assert statuses(workspace.run()) == ["ok"]


def test_a_second_run_leaves_and_names_the_holder(workspace):
    with hold(workspace.folder / "runs" / "small"):
        with pytest.raises(StudyHeldError, match=f"process {os.getpid()} on .* since "):
            workspace.run()
        second = workspace.start("small")
        out, err = second.communicate(timeout=30)
        assert second.returncode == 2
        assert "is held by" in err
        assert out == ""
    assert workspace.run().executed == 1


def test_a_killed_child_takes_its_kernel_along(workspace):
    workspace.moods("sleep")
    process = workspace.start("small")
    (kernel,) = wait_for(lambda: kernels(workspace))
    for _ in range(1 + RETRIES):
        psutil.Process(kernel).parent().kill()
        wait_for(lambda gone=kernel: not alive(gone))
        with suppress(AssertionError):
            (kernel,) = wait_for(lambda: kernels(workspace), seconds=10)
    _, err = process.communicate(timeout=60)
    assert [entry["retries"] for entry in workspace.entries().values()] == [2], err
    assert workspace.entries()["sleep"]["status"] == "killed", err
    assert not kernels(workspace)


def test_the_engine_serves_papermill_itself(tmp_path):
    from gradstudy.study.notebook import to_ipynb

    text = '# %% tags=["parameters"]\nseed: int = 0\n\n# %%\nprint("seed", seed)\nassert seed != 4\n'
    (tmp_path / "in.ipynb").write_text(to_ipynb(text, {}))
    for seed, code in ((3, 0), (4, 1)):
        command = [sys.executable, "-m", "papermill", "--engine", "gradstudy", "-p", "seed", str(seed)]
        said = subprocess.run([*command, "in.ipynb", "out.ipynb"], capture_output=True, text=True, cwd=tmp_path)
        assert said.returncode == code, said.stderr
        assert f"seed {seed}" in (tmp_path / "out.ipynb").read_text()


@pytest.mark.skipif(os.name != "posix", reason="local sockets are of Unix")
def test_a_deep_folder_for_temporary_files_stops_no_kernel(workspace, tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert statuses(workspace.run()) == ["ok"]


def test_folders_named_from_here_are_found_from_a_run(workspace, tmp_path, monkeypatch):
    package = Path(gradstudy.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.path.relpath(package))
    monkeypatch.setenv("GRADSTUDY_DATA", "data")
    text = workspace.notebook.read_text()
    told = 'gs.record("places", [gs.__file__, os.environ["GRADSTUDY_DATA"]])\n'
    workspace.notebook.write_text(text + told)
    workspace.run()
    places = json.loads((workspace.run_folder() / "records" / "places.json").read_text())
    assert places == [gradstudy.__file__, str(tmp_path / "data")]

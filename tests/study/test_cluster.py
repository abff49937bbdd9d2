"""Oracle: what the executor of this machine makes of the same study, and what was done to a worker or to the runner.

The scheduler and its two workers are those that `dask scheduler` and `dask worker` start, on loopback.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from gradstudy.errors import OversubscribedError
from gradstudy.study import cluster as clusters
from gradstudy.study.cluster import Cluster, ClusterError, check_workspace, cluster
from gradstudy.study.executor import Budget, Job
from gradstudy.study.ledger import read_entry
from gradstudy.study.lock import hold, is_held

LONG = {"timeout": 120}


def statuses(tally):
    return [planned.state.kind for plan in tally.plans for planned in plan.points]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    assert found, "waited in vain"
    return found


class Dask:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = wait_for(self._address)
        self.workers = []

    def _start(self, *arguments):
        with open(self.folder / f"{arguments[0]}.log", "ab") as log:
            command = [sys.executable, "-m", "dask", *arguments]
            # The scheduler is as it comes: gradstudy does not need its settings changed.
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)

    def _address(self):
        log = (self.folder / "scheduler.log").read_text()
        return next((word for line in log.splitlines() if "Scheduler at:" in line for word in line.split()[-1:]), None)

    def worker(self, nthreads=1):
        place = ["--local-directory", str(self.folder), "--no-dashboard", "--memory-limit", "0"]
        self.workers.append(self._start("worker", self.address, "--nthreads", str(nthreads), "--no-nanny", *place))
        return self.workers[-1]

    def close(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path):
    folder = tmp_path / "dask"
    folder.mkdir()
    started = Dask(folder)
    try:
        yield started
    finally:
        started.close()


def runs_of(workspace, process):
    """Kernels below a process that are at work in the workspace."""
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if "ipykernel_launcher" in child.cmdline():
                    found.append(child)
    return found


def test_a_cluster_of_this_machine_does_as_the_machine_itself(workspace):
    workspace.moods("good", "raise", "exit", "no-data")
    tally = workspace.run(executor=cluster)
    assert statuses(tally) == ["ok", "failed", "killed", "no-data"]
    entries = workspace.entries()
    assert entries["exit"]["retries"] == 2
    assert entries["raise"]["error"]["message"] == "as planned"
    (good,) = (planned.folder for planned in tally.plans[0].points if planned.state.kind == "ok")
    value = json.loads((good / "records" / "value.json").read_text())
    assert value == {"seed": 0, "omp": "1", "folder": str(good)}
    assert workspace.states()[0] == "cached"
    assert workspace.run(executor=cluster, rerun="stale").executed == 0


def test_a_killed_worker_costs_an_attempt_and_no_run(workspace, dask, capsys):
    workers = [dask.worker(), dask.worker()]
    wait_for(lambda: (dask.folder / "scheduler.log").read_text().count("Register worker") == 2)
    flag = workspace.folder / "flag"
    pause = f"import pathlib\nif not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(100)\n"
    workspace.notebook.write_text(workspace.notebook.read_text() + "\n# %%\n" + pause)
    workspace.profile(grid=[{"name": "base", "over": {"seed": [0, 1, 2]}}], **LONG)

    import threading

    def interfere():
        victim = wait_for(lambda: next((w for w in workers if runs_of(workspace, w)), None))
        flag.write_text("")
        victim.kill()

    thread = threading.Thread(target=interfere)
    thread.start()
    tally = workspace.run(executor=partial(cluster, address=dask.address), budget=Budget(2, None), timeout=20)
    thread.join()
    kinds = statuses(tally)
    retried = [json.loads(path.read_text())["retries"] for path in workspace.folder.glob("runs/small/*/run.json")]
    assert 1 in retried
    assert "WorkerLost" in capsys.readouterr().err
    # Of the run on the worker that was left, only its time is up: it had begun to wait before the flag was there.
    assert kinds.count("ok") >= 2
    assert set(kinds) <= {"ok", "timeout"}


def test_a_worker_that_is_lost_before_its_first_run_costs_an_attempt_and_not_the_study(tmp_path, dask):
    from distributed import Client

    worker = dask.worker()
    job = Job(tmp_path / "runs" / "small" / ("0" * 64), {"study": "small", "parameters": {}}, 1, 60)
    with Client(dask.address, set_as_default=False) as client, hold(job.folder.parent):
        client.wait_for_workers(1)
        opened = Cluster(client, Budget())
        assert opened.admits(job, [])
        worker.kill()
        task = opened.start(job)
        assert wait_for(lambda: opened.look(task)).failure.name == "WorkerLost"
        # Nobody else could say so: as if the worker's machine had gone.
        said = read_entry(job.folder)
        assert (said.outcome.status, said.outcome.failure.name) == ("killed", "WorkerLost")
        assert not opened.admits(job, [job])


@pytest.mark.parametrize(("own", "count"), [(True, 1), (False, 1), (True, 2)])
def test_ctrl_c_cancels_on_the_workers(workspace, dask, own, count):
    worker = dask.worker()
    workspace.moods("sleep", "good")
    arguments = ["--jobs", "1"] if own else ["--scheduler", dask.address]
    process = workspace.start("small", "--executor", "dask", *arguments)
    (kernel,) = wait_for(lambda: runs_of(workspace, process if own else worker))
    for _ in range(count):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert workspace.entries()["sleep"]["status"] == "interrupted"
    assert "good" not in workspace.entries()
    assert err.splitlines()[-1].startswith("gradstudy: interrupted; what is finished is kept")
    assert "Traceback" not in err
    wait_for(lambda: not kernel.is_running())
    assert worker.poll() is None


def test_when_the_runner_is_killed_its_runs_on_workers_end_and_the_next_takes_over(workspace, dask):
    worker = dask.worker()
    workspace.moods("sleep")
    process = workspace.start("small", "--executor", "dask", "--scheduler", dask.address)
    (kernel,) = wait_for(lambda: runs_of(workspace, worker))
    (folder,) = workspace.folder.glob("runs/small/[0-9a-f]*")
    assert is_held(folder)
    process.kill()
    process.communicate()
    wait_for(lambda: not kernel.is_running() and not is_held(folder))
    assert workspace.entries()["sleep"]["status"] == "interrupted"
    workspace.moods("good")
    assert statuses(workspace.run(executor=partial(cluster, address=dask.address), budget=Budget(None, None))) == ["ok"]


def test_a_scheduler_that_is_gone_ends_the_study_and_its_runs(workspace, dask):
    worker = dask.worker()
    workspace.moods("sleep", "good")
    process = workspace.start("small", "--executor", "dask", "--scheduler", dask.address)
    (kernel,) = wait_for(lambda: runs_of(workspace, worker))
    dask.scheduler.kill()
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1, err
    assert "gradstudy: the scheduler answers no more" in err
    assert "Traceback" not in err
    wait_for(lambda: not kernel.is_running())


def test_what_a_cluster_cannot_give_is_named_before_anything_runs(workspace, dask, monkeypatch):
    connected = partial(cluster, address=dask.address)
    monkeypatch.setattr(clusters, "WORKERS_TIMEOUT", 1)
    with pytest.raises(ClusterError, match="has had no worker for 1 s"):
        workspace.run(executor=connected, budget=Budget(None, None))
    monkeypatch.undo()
    dask.worker()
    workspace.profile(threads=2)
    with pytest.raises(OversubscribedError, match=r"runs with 2 threads each, on workers with 1 thread\(s\) at most"):
        workspace.run(executor=connected, budget=Budget(None, None))
    monkeypatch.setattr(clusters, "CONNECT_TIMEOUT", 1)
    with pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        workspace.run(executor=partial(cluster, address="tcp://127.0.0.1:9"), budget=Budget(None, None))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"(.|\n)*gradstudy\[cluster\]"):
        workspace.run(executor=cluster)
    assert not list(workspace.folder.glob("runs/small/[0-9a-f]*"))


def test_a_worker_that_sees_another_workspace_is_named(tmp_path):
    with hold(tmp_path / "runs" / "small"):
        seal = (tmp_path / "runs" / "small" / ".lock").read_bytes()
        check_workspace(tmp_path / "runs" / "small", seal)
        shutil.copytree(tmp_path / "runs", tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "small" / ".lock").write_text(json.dumps({"pid": 1, "host": "b", "since": "now"}))
        for folder in (tmp_path / "elsewhere" / "small", tmp_path / "absent"):
            with pytest.raises(ClusterError, match=f"does not see {folder}"):
                check_workspace(folder, seal)


@pytest.mark.skipif(not Path("/proc/self/ns/mnt").exists(), reason="a worker that sees less needs mount namespaces")
@pytest.mark.needs_root
def test_a_worker_without_the_workspace_stops_the_study_before_its_first_run(workspace, dask):
    if os.geteuid() != 0:
        pytest.skip("needs root, to hide a folder from a worker")
    hidden = workspace.folder / "runs"
    hidden.mkdir()
    script = f"mount -t tmpfs tmpfs '{dask.folder}/shade' && exec {sys.executable} -m dask worker {dask.address}"
    (dask.folder / "shade").mkdir()
    hidden.rmdir()
    hidden.symlink_to(dask.folder / "shade")  # to the worker, an empty disk lies there
    with open(dask.folder / "worker.log", "ab") as log:
        command = ["unshare", "--mount", "sh", "-c", f"{script} --no-nanny --no-dashboard --nthreads 1"]
        dask.workers.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=dask.folder))
    with pytest.raises(ClusterError, match="does not see"):
        workspace.run(executor=partial(cluster, address=dask.address), budget=Budget(None, None))
    assert not list(workspace.folder.glob("runs/small/[0-9a-f]*"))


def test_a_scheduler_without_dask_is_a_mistake(workspace):
    process = workspace.start("small", "--scheduler", "tcp://127.0.0.1:8786")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "say --executor dask as well" in err

"""Every shell line of README and docs is executed, with the real commands, in a workspace of its own a page.

Oracle: the exit code, and that nothing is left out. What a line stands for but cannot be here (an address, a cluster, a
terminal, minutes of runs) is exchanged in one place below, to be seen; so is what is executed elsewhere, and where.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import gradstudy as gs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FIRST = "python3 -m venv .venv && . .venv/bin/activate && pip install -c constraints.txt . && gradstudy run"
TORCH = "pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
ELSEWHERE = {
    FIRST: "test_the_first_command_of_the_readme, in tox -e faults",
    "pip install -c constraints.txt .": "as part of it",
    "pip install -c constraints.txt '.[docs]' && mkdocs build": "by tox, after the tests",
    "python3 -m venv .venv-tox && .venv-tox/bin/pip install tox && .venv-tox/bin/tox": "by .ci/run",
    TORCH: "test_the_build_of_torch_that_a_page_names_is_the_one_that_is_tested: its registry is not always to be had",
}
EXCHANGED = {
    # Minutes of runs instead of seconds.
    "--profile standard": "--profile quick",
    "--profile paper": "--profile quick",
    "claims --check": "claims --check --profile quick",
    "gradstudy verify spectral-conditions --strength rerun": (
        "gradstudy run spectral-conditions && gradstudy verify reports/quick/spectral-conditions --strength rerun"
    ),
    # No terminal to ask on.
    "gradstudy clean": "gradstudy clean --yes",
    # What everybody has another of.
    "run STUDY": "run error-surface",
}
# In a page on a study of one's own nothing takes long.
AS_IT_STANDS = {"how-to-own-study.md"}


def lines_of(page: Path) -> list[str]:
    """The shell lines of a page without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for text in block.splitlines() if (line := re.sub(r"\s+#.*", "", text).strip())]


def exchanged(line: str, page: Path) -> str:
    for stands, executed in {} if page.name in AS_IT_STANDS else EXCHANGED.items():
        line = line.replace(stands, executed)
    return line


def environment() -> dict[str, str]:
    """Where gradstudy, dask and papermill are those of this Python."""
    return {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def execute(line: str, folder: Path, seconds: int = 300) -> str:
    """A line as a shell takes it; what it printed."""
    shell = ["bash", "-ec", line]
    done = subprocess.run(shell, cwd=folder, env=environment(), capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def beside(line: str, folder: Path, says: str) -> Iterator[Path]:
    """A command that goes on beside the others, once it has said what it says when it is there; its output."""
    log = folder / f"{len(list(folder.glob('*.log')))}.log"
    with open(log, "wb") as file:
        process = subprocess.Popen(line.split(), cwd=folder, env=environment(), stdout=file, stderr=file)
    try:
        wait_for(lambda: says in log.read_text(), log)
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(condition: Callable[[], object], log: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)


def committed(folder: Path) -> None:
    """Two committed reports, as in a clone, and files of them that were mailed."""
    for study in ("spectral-conditions", "error-surface"):
        shutil.copytree(ROOT / "reports" / "standard" / study, folder / "reports" / "standard" / study)
    own = folder / "reports" / "standard" / "spectral-conditions"
    shutil.copy(own / "report.pdf", folder / "mailed.pdf")
    shutil.copy(own / "figures" / "plane_of_conditions.png", folder / "some-figure.png")


def marked(page: Path) -> object:
    """A page, left to `tox -e faults` if its commands take a minute that others' tests spend on the same commands."""
    marks = pytest.mark.faults if page.name == "how-to-cite-and-verify.md" else ()
    return pytest.param(page, id=page.name, marks=marks)


@pytest.mark.parametrize("page", [marked(page) for page in PAGES[1:]])
def test_the_commands_of_a_page_run_one_after_the_other(page, tmp_path):
    execute_all(page, tmp_path)


@pytest.mark.faults
def test_the_commands_of_the_readme_run_and_what_they_record_is_read_back(tmp_path, monkeypatch):
    execute_all(PAGES[0], tmp_path)
    (block,) = re.findall(r"^```py\n(.*?)^```", PAGES[0].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {"gs": gs}
    exec(compile(block, "README.md", "exec"), found)
    assert len(found["networks"]) > 0


def execute_all(page: Path, tmp_path: Path) -> None:
    if page.name not in AS_IT_STANDS:
        committed(tmp_path)
    with ExitStack() as there:
        address = None
        for line in lines_of(page):
            if line in ELSEWHERE:
                continue
            line = exchanged(line, page)
            if "ADDRESS" in line and address is None:
                address = there.enter_context(scheduler(tmp_path))
                there.enter_context(
                    beside(f"dask worker {address} --nthreads 2 --no-dashboard", tmp_path, "Registered")
                )
            if line.startswith("dask scheduler"):
                address = there.enter_context(scheduler(tmp_path, line))
            elif line.startswith("dask worker"):
                line = line.replace("tcp://ADDRESS:8786", address)
                there.enter_context(beside(f"{line} --no-dashboard", tmp_path, "Registered"))
            else:
                line = line.replace("tcp://ADDRESS:8786", "ADDRESS").replace("ADDRESS", str(address))
                if "decay.png" in line:  # the picture that was mailed
                    shutil.copy(tmp_path / "reports" / "standard" / "my-study" / "figures" / "decay.png", tmp_path)
                execute(line, tmp_path)


@contextmanager
def scheduler(folder: Path, line: str = "dask scheduler --no-dashboard") -> Iterator[str]:
    """A scheduler on this machine alone, on a port that is free."""
    with beside(f"{line} --host 127.0.0.1 --port 0", folder, "Scheduler at:") as log:
        yield next(said for said in log.read_text().splitlines() if "Scheduler at:" in said).split()[-1]


def test_the_lines_that_are_executed_elsewhere_or_exchanged_are_in_the_pages():
    lines = {line for page in PAGES for line in lines_of(page)}
    assert set(ELSEWHERE) <= lines
    for stands in EXCHANGED:
        assert any(stands in line for line in lines), stands


def test_the_build_of_torch_that_a_page_names_is_the_one_that_is_tested():
    (pinned,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f"torch=={pinned} " in TORCH
    for page in PAGES:
        assert set(re.findall(r"torch==([\w.]+)", page.read_text(encoding="utf-8"))) <= {pinned}, page.name


@pytest.mark.faults
def test_the_first_command_of_the_readme(tmp_path):
    assert lines_of(ROOT / "README.md")[0] == FIRST
    left_out = shutil.ignore_patterns(".*", "__pycache__", "runs")
    shutil.copytree(ROOT, tmp_path / "clone", ignore=left_out)
    said = execute(FIRST, tmp_path / "clone", seconds=1800)
    assert "quick decides no claim" in said
    assert (tmp_path / "clone" / "reports" / "quick" / "index.html").is_file()


@pytest.fixture
def slurm(monkeypatch):
    """SLURM on this machine alone: munge, slurmctld and slurmd with keys, ports and folders of their own."""
    if not shutil.which("slurmctld") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("needs SLURM, and root to start it (Debian: apt-get install slurm-wlm)")
    # The name of a local socket in it, which holds the machine's name too, may have 108 characters.
    place = Path(tempfile.mkdtemp(prefix="gs-", dir="/tmp"))
    (place / "state").mkdir()
    (place / "key").write_bytes(os.urandom(128))
    (place / "key").chmod(0o400)
    (place / "slurm.conf").write_text(slurm_conf(place, platform.node(), free_ports(2)))
    monkeypatch.setenv("SLURM_CONF", str(place / "slurm.conf"))
    options = [f"--{name}={place / name}" for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")]
    options[0] = f"--key-file={place / 'key'}"
    with ExitStack() as there:
        there.callback(shutil.rmtree, place, ignore_errors=True)
        log = place / "daemons.log"
        said = there.enter_context(open(log, "wb"))

        def daemon(*command: str) -> None:
            process = there.enter_context(subprocess.Popen(command, stdout=said, stderr=said))
            there.callback(process.terminate)

        daemon("munged", "--foreground", "--force", *options)
        wait_for((place / "socket").exists, log)
        daemon("slurmctld", "-D")
        daemon("slurmd", "-D")
        wait_for(lambda: "idle" in subprocess.run(["sinfo"], capture_output=True, text=True).stdout, log)
        yield
        subprocess.run(["scancel", "--full", "--user", "root"], check=True)
        wait_for(lambda: len(squeue()) == 0, log)


def squeue() -> list[str]:
    return subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout.splitlines()


def slurm_conf(place: Path, host: str, ports: list[int]) -> str:
    """One node that says it is large: the page's jobs ask for eight cores and 32 GB, and use what their runs use."""
    lines = {
        "ClusterName": "here", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmUser": "root", "SlurmdUser": "root",
        "StateSaveLocation": place / "state", "SlurmdSpoolDir": place / "spool",
        "SlurmctldPidFile": place / "ctld.pid", "SlurmdPidFile": place / "slurmd.pid",
        "SlurmctldLogFile": place / "ctld.log", "SlurmdLogFile": place / "slurmd.log",
        "SlurmctldPort": ports[0], "SlurmdPort": ports[1], "AuthInfo": f"socket={place / 'socket'}",
        "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "ReturnToService": 2,
        "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core",
        "SlurmdParameters": "config_overrides",
        "NodeName": f"{host} NodeAddr=127.0.0.1 CPUs=64 RealMemory=600000",
        "PartitionName": "all Nodes=ALL Default=YES State=UP",
    }  # fmt: skip
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def free_ports(count: int) -> list[int]:
    with ExitStack() as open_:
        sockets = [open_.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.mark.needs_slurm
def test_the_page_s_jobs_of_slurm_execute_a_study(slurm, tmp_path):
    text = (ROOT / "docs" / "how-to-cluster.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```py\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for stands, executed in (('interface="ib0"', 'interface="lo"'), ("jobs=16", "jobs=2")):
        assert stands in block
        block = block.replace(stands, executed)
    (tmp_path / "head.py").write_text(block)
    with beside(f"{sys.executable} head.py", tmp_path, "tcp://") as log:
        wait_for(lambda: len(squeue()) == 2, log)
        address = log.read_text().split()[-1]
        execute(f"gradstudy run latching --executor dask --scheduler {address}", tmp_path)
        runs = list(tmp_path.glob("runs/latching/*/run.json"))
        assert len(runs) == 4
        assert all('"status": "ok"' in run.read_text() for run in runs)

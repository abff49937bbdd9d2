"""Oracle: an undisturbed run of the same study. Whatever is killed, whenever: the report must be the same bytes.

Moments are drawn between the start of the first run and the end of the study, as an undisturbed one takes; that is why
some of them hit nothing. Four draws a victim are in the default tests, twenty in `tox -e faults`.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

DRAWS = [*range(4), *(pytest.param(number, marks=pytest.mark.faults) for number in range(4, 20))]


def await_victim(process, victims):
    """Victims there are now, or as soon as there is one; none when the study has come to its end."""
    while process.poll() is None:
        if found := victims():
            return found
        time.sleep(0.02)
    return []


@pytest.mark.parametrize("number", DRAWS)
def test_a_killed_kernel(six, undisturbed, draw, number):
    process = six.start()
    time.sleep(undisturbed.moment(draw))
    if found := await_victim(process, lambda: six.processes("ipykernel_launcher")):
        with suppress(ProcessLookupError):
            os.kill(draw.choice(found).pid, signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    six.recovers(undisturbed)


@pytest.mark.parametrize("number", DRAWS)
def test_a_killed_runner(six, undisturbed, draw, number):
    process = six.start()
    time.sleep(undisturbed.moment(draw))
    process.kill()
    process.communicate()
    six.recovers(undisturbed)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory, undisturbed):
    """A dask scheduler as it comes."""
    folder = tmp_path_factory.mktemp("dask")
    log = folder / "log"
    with open(log, "wb") as file:
        command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=folder)
    undisturbed.wait_for(lambda: "Scheduler at:" in log.read_text())
    (line,) = (line for line in log.read_text().splitlines() if "Scheduler at:" in line)
    yield line.split()[-1]
    process.kill()
    process.wait()


@pytest.fixture
def workers(scheduler, undisturbed, tmp_path):
    """Two workers of one thread."""
    command = [sys.executable, "-m", "dask", "worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    log = tmp_path / "workers.log"
    with open(log, "wb") as file:
        there = [subprocess.Popen(command, stdout=file, stderr=file, cwd=tmp_path) for _ in range(2)]
    undisturbed.wait_for(lambda: log.read_text().count("Registered to") == 2)
    yield there
    for worker in there:
        worker.kill()
        worker.wait()


def at_work(worker):
    with suppress(psutil.Error):
        return bool(psutil.Process(worker.pid).children())
    return False


@pytest.mark.parametrize("number", DRAWS)
def test_a_killed_worker(six, undisturbed, draw, scheduler, workers, number):
    process = six.start("--executor", "dask", "--scheduler", scheduler)
    time.sleep(undisturbed.moment(draw))
    if found := await_victim(process, lambda: [worker for worker in workers if at_work(worker)]):
        draw.choice(found).kill()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    six.recovers(undisturbed)

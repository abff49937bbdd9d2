"""Oracle: an undisturbed run of the same study. Whatever is killed, whenever: the report must be the same bytes.

Moments are drawn between the start of the first run and the end of the study, as an undisturbed one takes. One that
comes too late to hit anything is drawn again, on a fresh study. Four hits a victim are in the default tests, all twenty
with `tox -e faults`.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

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
def test_a_killed_kernel(until_hit, sixes, undisturbed, draw, number):
    def strike(six):
        process = six.start()
        time.sleep(undisturbed.moment(draw))
        if found := await_victim(process, lambda: six.processes("ipykernel_launcher")):
            with suppress(ProcessLookupError):
                os.kill(draw.choice(found).pid, signal.SIGKILL)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        six.recovers(undisturbed)
        return "killed" in six.attempts()

    until_hit(sixes, strike)


@pytest.mark.parametrize("number", DRAWS)
def test_a_killed_runner(until_hit, sixes, undisturbed, draw, number):
    def strike(six):
        process = six.start()
        time.sleep(undisturbed.moment(draw))
        process.kill()
        process.communicate()
        six.recovers(undisturbed)
        return process.returncode == -signal.SIGKILL

    until_hit(sixes, strike)


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


@contextmanager
def two_workers(scheduler, undisturbed, folder):
    """Two workers of one thread."""
    command = [sys.executable, "-m", "dask", "worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    log = folder / "workers.log"
    with open(log, "wb") as file:
        there = [subprocess.Popen(command, stdout=file, stderr=file, cwd=folder) for _ in range(2)]
    try:
        undisturbed.wait_for(lambda: log.read_text().count("Registered to") == 2)
        yield there
    finally:
        for worker in there:
            worker.kill()
            worker.wait()


def at_work(worker):
    with suppress(psutil.Error):
        return bool(psutil.Process(worker.pid).children())
    return False


@pytest.mark.parametrize("number", DRAWS)
def test_a_killed_worker(until_hit, sixes, undisturbed, draw, scheduler, tmp_path, number):
    def strike(six):
        with two_workers(scheduler, undisturbed, tmp_path) as workers:
            process = six.start("--executor", "dask", "--scheduler", scheduler)
            time.sleep(undisturbed.moment(draw))
            if found := await_victim(process, lambda: [worker for worker in workers if at_work(worker)]):
                draw.choice(found).kill()
            _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        six.recovers(undisturbed)
        return bool(six.attempts())

    until_hit(sixes, strike)

"""A run's process: started in its folder, looked at, stopped. The folder is held by it as long as it lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from gradstudy.errors import StorageError
from gradstudy.records import write_atomic
from gradstudy.study import ledger
from gradstudy.study.executor import TICK, Job, count_cores
from gradstudy.study.lock import hold_run
from gradstudy.study.memory import share
from gradstudy.study.outcome import Failure, Outcome, Status

# Seconds beyond a run's own limit, for starting Python and for its last word, before it is killed from outside.
GRACE = 60
# Seconds that an interrupted run has to say so.
STOP_TIMEOUT = 10


@dataclass(frozen=True)
class RunProcess:
    """A job whose process was started."""

    job: Job
    process: subprocess.Popen[bytes]
    deadline: float
    started: float


@dataclass(frozen=True)
class Household:
    """What runs share: a pipe that closes when the runner dies, the locks, a place for temporary files."""

    lifeline: int | None
    held: Sequence[int]
    place: str

    def shared(self, lock: int) -> dict[str, Any]:
        """Options of the process of a run whose folder is held by a lock."""
        if self.lifeline is None:
            return {}
        # In a session of its own, Ctrl-C reaches the runner alone, which stops its runs in order.
        return {"pass_fds": (self.lifeline, lock, *self.held), "start_new_session": True}


@contextmanager
def household(held: Sequence[int] = ()) -> Iterator[Household]:
    """A household for runs that share locks by these descriptors."""
    reading, writing = os.pipe()
    try:
        # Runs that are killed leave temporary files behind, which go with this folder.
        with tempfile.TemporaryDirectory(prefix="gs-", ignore_cleanup_errors=True) as place:
            yield Household(reading if os.name == "posix" else None, held, place)
    finally:
        os.close(reading)
        os.close(writing)


def start(job: Job, shared: Household) -> RunProcess:
    """Start a run's process.

    Raises:
        StudyHeldError: another process is still at work on this run.
        StorageError: the disk is full or read-only.
    """
    with hold_run(job.folder) as lock:
        attempt = ledger.prepare(job.folder)
        write_atomic(job.folder / "log", b"")
        with open(job.folder / "log", "ab") as log:
            process = subprocess.Popen(
                # -P: the run folder is no place to import from.
                [sys.executable, "-P", "-m", "gradstudy.study.child"],
                cwd=job.folder,
                env={**os.environ, **_places(), "TMPDIR": shared.place},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                **shared.shared(lock),
            )
    memory = job.memory or share(job.threads, count_cores())
    limits = {"threads": job.threads, "timeout": job.timeout, "memory": memory}
    request = {**job.request, **limits, **_counts(job, attempt), "lifeline": shared.lifeline}
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(json.dumps(request).encode())
    now = time.monotonic()
    return RunProcess(job, process, now + job.timeout + GRACE, now)


def _counts(job: Job, attempt: int) -> dict[str, int]:
    """What run.json says of attempts: the how manieth this is, and how often it was killed just before."""
    return {"attempt": attempt, "retries": job.retries}


def _places() -> dict[str, str]:
    """Variables that name folders, absolute: a run's current folder is its own, and ours may hold another gradstudy."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    data = os.environ.get("GRADSTUDY_DATA")
    return {
        **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
        **({"GRADSTUDY_DATA": os.path.abspath(data)} if data else {}),
    }


def look(run: RunProcess) -> Outcome | None:
    """How a run ended; None while it runs."""
    if run.process.poll() is not None:
        return _collect(run, _unsaid(run.process.returncode))
    if time.monotonic() > run.deadline:
        _kill(run.process.pid)
        run.process.wait()
        message = f"not done after {run.job.timeout:g} s, and killed {GRACE} s later"
        return _collect(run, Outcome("timeout", Failure("Timeout", message)))
    return None


def stop(running: Sequence[RunProcess]) -> list[tuple[RunProcess, Outcome]]:
    """Stop runs: ask, wait, kill. A second interrupt kills at once."""
    with suppress(KeyboardInterrupt):
        for run in running:
            run.process.terminate()
        until = time.monotonic() + STOP_TIMEOUT
        while any(run.process.poll() is None for run in running) and time.monotonic() < until:
            time.sleep(TICK)
    interrupted = Outcome("interrupted", Failure("Interrupted", "the run was interrupted"))
    stopped = []
    for run in running:
        if run.process.poll() is None:
            _kill(run.process.pid)
            run.process.wait()
        stopped.append((run, _collect(run, interrupted)))
    return stopped


def _collect(run: RunProcess, otherwise: Outcome) -> Outcome:
    """Outcome of a run whose process has ended: what it said, else `otherwise`, which is then written for it."""
    messages = _messages(run.process)
    said = next((message["outcome"] for message in messages if "outcome" in message), None)
    if said is not None:
        return Outcome.from_json(said)
    for message in messages:
        _kill(message["kernel"])  # it outlives a process that was killed
    write_unsaid(run.job, otherwise, time.monotonic() - run.started)
    return otherwise


def write_unsaid(job: Job, outcome: Outcome, seconds: float) -> None:
    """Write run.json for a run whose process could not any more."""
    details: dict[str, Any] = {"evidence": None, "started": None, "seconds": round(seconds, 3)}
    details |= _counts(job, ledger.current_attempt(job.folder))
    with suppress(StorageError):  # then nothing is there, and the run counts as new
        ledger.write_entry(job.folder, {**job.request, "threads": job.threads}, outcome, details)


def _messages(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    assert process.stdout is not None
    with process.stdout as stdout:
        lines = stdout.read().splitlines()
    found = []
    for line in lines:
        with suppress(ValueError):  # cut off by a kill
            found.append(json.loads(line))
    return found


def _unsaid(code: int) -> Outcome:
    manner = f"with signal {-code}" if code < 0 else f"with exit code {code}"
    status: Status = "killed" if code < 0 else "failed"
    return Outcome(status, Failure("ProcessEnded", f"the run's process ended {manner}; its last words are in `log`"))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)

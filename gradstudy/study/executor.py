"""Local execution: one subprocess a run, a few at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradstudy.errors import OversubscribedError, StorageError
from gradstudy.records import write_atomic
from gradstudy.study import ledger
from gradstudy.study.memory import share
from gradstudy.study.outcome import Failure, Outcome, Status

# Seconds beyond a run's own limit, for starting Python and for its last word, before it is killed from outside.
GRACE = 60
# Seconds that an interrupted run has to say so.
STOP_TIMEOUT = 10
_TICK = 0.02


@dataclass(frozen=True)
class Job:
    """A run to be executed: its folder, what is asked of it, and its limits.

    Args:
        folder: of the run.
        request: what the run's process is asked for.
        threads: of that process.
        timeout: seconds.
        memory: megabytes; None for the share of the machine that its threads are of the cores.
    """

    folder: Path
    request: Mapping[str, Any]
    threads: int
    timeout: float
    memory: int | None = None


@dataclass(frozen=True)
class Budget:
    """How much runs at once: at most `jobs` runs (None: as many as fit), together on `cores` cores."""

    jobs: int | None = None
    cores: int = 1
    oversubscribe: bool = False

    def check(self, threads: int) -> None:
        """Refuse more threads than cores.

        Raises:
            OversubscribedError: unless `oversubscribe`.
        """
        jobs = self.jobs or 1
        if jobs * threads > self.cores and not self.oversubscribe:
            raise OversubscribedError(
                f"{jobs} run(s) at a time with {threads} thread(s) each, on {self.cores} core(s)",
                needed="jobs x threads <= cores",
                why="runs that share cores take several times longer than one after the other",
                remedy="choose fewer --jobs, or say --oversubscribe",
            )

    def admits(self, job: Job, running: Sequence[Job]) -> bool:
        """Whether a job can start beside those that run."""
        if not running:
            return True
        if self.jobs is not None:
            return len(running) < self.jobs
        return sum(other.threads for other in running) + job.threads <= self.cores


def count_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    deadline: float
    started: float


Ended = Callable[[Job, Outcome], None]


def execute(
    jobs: Sequence[Job], budget: Budget, ended: Ended, *, held: Sequence[int] = (), fail_fast: bool = False
) -> None:
    """Execute jobs; one that fails costs no other.

    Args:
        jobs: in the order in which they start.
        budget: what runs at once.
        ended: called with every job that was started, and how it ended.
        held: descriptors of locks, shared with the runs.
        fail_fast: start no further job after one has failed.

    Raises:
        KeyboardInterrupt: after every run was stopped and has said so.
    """
    waiting, running, failed = list(jobs), list[_Running](), False

    def end(job: Job, outcome: Outcome) -> None:
        nonlocal failed
        failed = failed or outcome.status not in ("ok", "no-data")
        ended(job, outcome)

    with _household(held) as household:
        try:
            while running or (waiting and not (failed and fail_fast)):
                if waiting and not (failed and fail_fast) and budget.admits(waiting[0], [run.job for run in running]):
                    job = waiting.pop(0)
                    try:
                        running.append(_start(job, household))
                    except StorageError as error:
                        end(job, Outcome("failed", Failure.of_error(error)))
                    continue
                for run in list(running):
                    if (outcome := _look(run)) is not None:
                        running.remove(run)
                        end(run.job, outcome)
                time.sleep(_TICK)
        except BaseException:
            for run, outcome in _stop(running):
                end(run.job, outcome)
            raise


@dataclass(frozen=True)
class _Household:
    """What all runs share: a pipe that closes when the runner dies, the locks, a place for temporary files."""

    lifeline: int | None
    held: Sequence[int]
    place: str

    def shared(self) -> dict[str, Any]:
        """Options of a run's process."""
        if self.lifeline is None:
            return {}
        # In a session of its own, Ctrl-C reaches the runner alone, which stops its runs in order.
        return {"pass_fds": (self.lifeline, *self.held), "start_new_session": True}


@contextmanager
def _household(held: Sequence[int]) -> Iterator[_Household]:
    reading, writing = os.pipe()
    try:
        # Runs that are killed leave temporary files behind, which go with this folder.
        with tempfile.TemporaryDirectory(prefix="gs-", ignore_cleanup_errors=True) as place:
            yield _Household(reading if os.name == "posix" else None, held, place)
    finally:
        os.close(reading)
        os.close(writing)


def _start(job: Job, household: _Household) -> _Running:
    attempt = ledger.prepare(job.folder)
    write_atomic(job.folder / "log", b"")
    with open(job.folder / "log", "ab") as log:
        process = subprocess.Popen(
            # -P: the run folder is no place to import from.
            [sys.executable, "-P", "-m", "gradstudy.study.child"],
            cwd=job.folder,
            env={**os.environ, **_places(), "TMPDIR": household.place},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            **household.shared(),
        )
    memory = job.memory or share(job.threads, count_cores())
    limits = {"threads": job.threads, "timeout": job.timeout, "memory": memory}
    request = {**job.request, **limits, "attempt": attempt, "lifeline": household.lifeline}
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(json.dumps(request).encode())
    now = time.monotonic()
    return _Running(job, process, now + job.timeout + GRACE, now)


def _places() -> dict[str, str]:
    """Variables that name folders, absolute: a run's current folder is its own, and ours may hold another gradstudy."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    data = os.environ.get("GRADSTUDY_DATA")
    return {
        **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}),
        **({"GRADSTUDY_DATA": os.path.abspath(data)} if data else {}),
    }


def _look(run: _Running) -> Outcome | None:
    """How a run ended; None while it runs."""
    if run.process.poll() is not None:
        return _collect(run, _unsaid(run.process.returncode))
    if time.monotonic() > run.deadline:
        _kill(run.process.pid)
        run.process.wait()
        message = f"not done after {run.job.timeout:g} s, and killed {GRACE} s later"
        return _collect(run, Outcome("timeout", Failure("Timeout", message)))
    return None


def _stop(running: Sequence[_Running]) -> list[tuple[_Running, Outcome]]:
    """Stop runs: ask, wait, kill. A second interrupt kills at once."""
    with suppress(KeyboardInterrupt):
        for run in running:
            run.process.terminate()
        until = time.monotonic() + STOP_TIMEOUT
        while any(run.process.poll() is None for run in running) and time.monotonic() < until:
            time.sleep(_TICK)
    interrupted = Outcome("interrupted", Failure("Interrupted", "the run was interrupted"))
    stopped = []
    for run in running:
        if run.process.poll() is None:
            _kill(run.process.pid)
            run.process.wait()
        stopped.append((run, _collect(run, interrupted)))
    return stopped


def _collect(run: _Running, otherwise: Outcome) -> Outcome:
    """Outcome of a run whose process has ended: what it said, else `otherwise`, which is then written for it."""
    messages = _messages(run.process)
    said = next((message["outcome"] for message in messages if "outcome" in message), None)
    if said is not None:
        return Outcome.from_json(said)
    for message in messages:
        _kill(message["kernel"])  # it outlives a process that was killed
    details = {"evidence": None, "started": None, "seconds": round(time.monotonic() - run.started, 3)}
    request = {**run.job.request, "threads": run.job.threads}
    with suppress(StorageError):  # then nothing is there, and the run counts as new
        ledger.write_entry(run.job.folder, request, otherwise, details)
    return otherwise


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

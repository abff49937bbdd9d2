"""Executing jobs: what may run at once, what is tried again. Where runs run is an executor's matter."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gradstudy.errors import OversubscribedError, StorageError, StudyHeldError
from gradstudy.study.outcome import Failure, Outcome

# How often a run is tried again whose process was killed: by a system without memory, a machine that went down. An
# error in its code would come again, and is not tried again.
RETRIES = 2
TICK = 0.02


@dataclass(frozen=True)
class Job:
    """A run to be executed: its folder, what is asked of it, and its limits.

    Args:
        folder: of the run.
        request: what the run's process is asked for.
        threads: of that process.
        timeout: seconds.
        memory: megabytes; None for the share of the machine that its threads are of the cores.
        retries: how often it was killed before and is tried again.
    """

    folder: Path
    request: Mapping[str, Any]
    threads: int
    timeout: float
    memory: int | None = None
    retries: int = 0


@dataclass(frozen=True)
class Budget:
    """How much runs at once: at most `jobs` runs (None: as many as fit), together on `cores` cores.

    Of a cluster the cores are not known before it is asked: None, and the executor finds out.
    """

    jobs: int | None = None
    cores: int | None = 1
    oversubscribe: bool = False

    def check(self, threads: int) -> None:
        """Refuse more threads than cores.

        Raises:
            OversubscribedError: unless `oversubscribe`.
        """
        jobs = self.jobs or 1
        if self.cores is not None and jobs * threads > self.cores and not self.oversubscribe:
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
        return self.cores is None or sum(other.threads for other in running) + job.threads <= self.cores


def count_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Run(Protocol):
    """A job that was started."""

    @property
    def job(self) -> Job:
        """The job."""


R = TypeVar("R", bound=Run)


class Executor(Protocol[R]):
    """A place where runs run."""

    def admits(self, job: Job, running: Sequence[Job]) -> bool:
        """Whether a job can start beside those that run."""

    def start(self, job: Job) -> R:
        """Start a run; StorageError or StudyHeldError when its folder is not to be had."""

    def look(self, run: R) -> Outcome | None:
        """How a run ended; None while it runs."""

    def stop(self, runs: Sequence[R]) -> list[tuple[R, Outcome]]:
        """Stop runs in order, and say how each ended. A second interrupt hurries it."""


Opening = Callable[[Budget, Sequence[Job], Sequence[int]], AbstractContextManager[Executor[Any]]]
"""How an executor is opened: for a budget, the jobs that are to come, and the descriptors of the studies' locks."""

Told = Callable[[Job, Outcome], None]


def execute(
    jobs: Sequence[Job], executor: Executor[R], ended: Told, again: Told | None = None, *, fail_fast: bool = False
) -> None:
    """Execute jobs; one that fails costs no other, and one that was killed is tried again.

    Args:
        jobs: in the order in which they start.
        executor: where they run.
        ended: called with every job that was started, and how it ended.
        again: called with every job that was killed and is tried again.
        fail_fast: start no further job after one has failed.

    Raises:
        KeyboardInterrupt: after every run was stopped and has said so.
    """
    waiting, running, failed = deque(jobs), list[R](), False

    def end(job: Job, outcome: Outcome) -> None:
        nonlocal failed
        if outcome.status == "killed" and job.retries < RETRIES:
            waiting.append(replace(job, retries=job.retries + 1))
            if again:
                again(job, outcome)
            return
        failed = failed or outcome.status not in ("ok", "no-data")
        ended(job, outcome)

    try:
        while running or (waiting and not (failed and fail_fast)):
            if waiting and not (failed and fail_fast) and executor.admits(waiting[0], [run.job for run in running]):
                job = waiting.popleft()
                try:
                    running.append(executor.start(job))
                except (StorageError, StudyHeldError) as error:
                    end(job, Outcome("failed", Failure.of_error(error)))
                continue
            for run in list(running):
                if (outcome := executor.look(run)) is not None:
                    running.remove(run)
                    end(run.job, outcome)
            time.sleep(TICK)
    except BaseException:
        for run, outcome in executor.stop(running):
            ended(run.job, outcome)
        raise

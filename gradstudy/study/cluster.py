"""Runs on a dask cluster: a task a run, which starts the very process that this machine would.

Workers on other machines share the workspace by path: `runs/` must be the same folder there, on a disk with locks. Each
worker is asked before its first run. They need an environment of their own with gradstudy in it; a run's evidence is of
what they have.

A task stands for its run's process and nothing else. It is bound to one worker, whose threads (`--nthreads`) are taken
for the cores that its runs may use; so dask itself never starts a lost task elsewhere, whatever the scheduler's
`allowed-failures`, and a run whose worker is lost is tried again as any run that was killed.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradstudy.errors import GradstudyError, OversubscribedError
from gradstudy.study import process
from gradstudy.study.executor import TICK, Budget, Job
from gradstudy.study.ledger import RUN_FILE, BrokenEntryError, read_entry
from gradstudy.study.lock import FILE as LOCK
from gradstudy.study.lock import is_held
from gradstudy.study.outcome import Failure, Outcome

if TYPE_CHECKING:
    from distributed import Client, Future

# Seconds: for a scheduler to answer, for the first worker to come, between two looks at which workers there are.
CONNECT_TIMEOUT = 30
WORKERS_TIMEOUT = 300
_REFRESH = 0.5


class ClusterError(GradstudyError, RuntimeError):
    """dask is not installed, its scheduler does not answer or has no workers, or these do not see the workspace."""


@dataclass(frozen=True)
class Task:
    """A job that was given to a worker."""

    job: Job
    worker: str
    future: Future
    started: float


@dataclass
class Cluster:
    """Executor of a dask cluster; see `executor.Executor`.

    Args:
        client: connected to the scheduler.
        budget: `jobs` bounds the runs at a time; the cores are those of the workers, which get no more than they have.
    """

    client: Client
    budget: Budget
    _threads: dict[str, int] = field(default_factory=dict)
    _looked: float = -_REFRESH
    _seeing: set[tuple[str, Path]] = field(default_factory=set)
    _tasks: list[Task] = field(default_factory=list)

    def workers(self) -> dict[str, int]:
        """Workers that are there, with their threads.

        Raises:
            ClusterError: the scheduler is gone.
        """
        if time.monotonic() - self._looked > _REFRESH:
            try:
                self._threads, self._looked = dict(self.client.nthreads()), time.monotonic()
            except (OSError, TimeoutError, RuntimeError) as error:
                raise ClusterError(
                    f"the scheduler answers no more: {error}",
                    needed="a scheduler that is there as long as the study runs",
                    why="without it nobody knows what the workers do; they stop their runs when they miss it",
                    remedy="start it and the workers, and `gradstudy run` again: what is finished is kept",
                ) from error
        return self._threads

    def admits(self, job: Job, running: Sequence[Job]) -> bool:
        """Whether the budget has room, and some worker."""
        return self.budget.admits(job, running) and self._place(job) is not None

    def start(self, job: Job) -> Task:
        """Give a job to the worker with most threads free.

        Raises:
            ClusterError: the worker does not see the workspace.
        """
        worker = self._place(job)
        assert worker is not None, "admitted before"
        seal = (job.folder.parent / LOCK).read_bytes()
        if (worker, job.folder.parent) not in self._seeing:
            with suppress(OSError):  # lost since we looked: `look` will find out
                self.client.run(check_workspace, job.folder.parent, seal, workers=[worker])
                self._seeing.add((worker, job.folder.parent))
        key = f"gradstudy-{job.request['study']}-{job.folder.name[:12]}-{uuid.uuid4().hex[:8]}"
        future = self.client.submit(work, job, seal, key=key, workers=[worker], allow_other_workers=False, pure=False)
        task = Task(job, worker, future, time.monotonic())
        self._tasks.append(task)
        return task

    def look(self, run: Task) -> Outcome | None:
        """How the task ended; None while it is with its worker."""
        if run.future.status == "pending":
            if run.worker in self.workers():
                return None
            run.future.cancel()
            outcome = _lost(run)
        else:
            outcome = _told(run)
        self._tasks.remove(run)
        return outcome

    def stop(self, runs: Sequence[Task]) -> list[tuple[Task, Outcome]]:
        """Cancel: workers stop what they started. Wait until no process holds its run any more."""
        with suppress(OSError, TimeoutError, RuntimeError):  # the scheduler may be what is gone
            self.client.cancel([run.future for run in runs], force=True)
        with suppress(KeyboardInterrupt):
            until = time.monotonic() + process.STOP_TIMEOUT
            while any(is_held(run.job.folder) for run in runs) and time.monotonic() < until:
                time.sleep(TICK)
        return [(run, _left(run.job)) for run in runs]

    def _place(self, job: Job) -> str | None:
        free = self.workers().copy()
        for task in self._tasks:
            if task.worker in free:
                free[task.worker] -= self._cost(task.job)
        fitting = [worker for worker, threads in free.items() if threads >= self._cost(job)]
        return max(fitting, key=free.__getitem__, default=None)

    def _cost(self, job: Job) -> int:
        return 1 if self.budget.oversubscribe else job.threads


@contextmanager
def cluster(
    budget: Budget, jobs: Sequence[Job], held: Sequence[int] = (), *, address: str | None = None
) -> Iterator[Cluster]:
    """Connect to a scheduler, or without an address start a cluster in this process; use it with `with`.

    Args:
        budget: what runs at once.
        jobs: that are to come.
        held: of no use here: locks cannot be handed to another machine, each run holds its own.
        address: such as tcp://127.0.0.1:8786.

    Raises:
        ClusterError: no dask, no scheduler, no workers.
        OversubscribedError: more threads than the workers have.
    """
    try:
        import distributed
    except ImportError as error:
        raise ClusterError(
            f"--executor dask, but {error}",
            needed="dask's distributed",
            why="it brings the runs to the workers",
            remedy="pip install 'gradstudy[cluster]', or choose --executor local",
        ) from error
    most = max((job.threads for job in jobs), default=1)
    with _client(distributed, budget, most, address) as client:
        _wait_for_workers(client, address)
        opened = Cluster(client, budget)
        _check_size(opened, most)
        yield opened


def check_workspace(folder: Path, seal: bytes) -> None:
    """Make sure that this machine sees the workspace: the study's lock, signed by the runner, lies where it says.

    Raises:
        ClusterError: it does not.
    """
    with suppress(OSError):
        if (folder / LOCK).read_bytes() == seal:
            return
    import platform

    raise ClusterError(
        f"the worker on {platform.node()} does not see {folder}",
        needed="the workspace under the same path on every worker",
        why="a run is executed in its folder, and what it leaves there is its result",
        remedy="put the workspace on a disk that all machines share (--workspace), or stop this worker",
    )


def work(job: Job, seal: bytes) -> dict[str, Any]:
    """The task: a run's process, from its start to its end, on the worker that executes this.

    A task that nobody wants any more (it was cancelled, or the runner is gone) stops its run.

    Raises:
        ClusterError: the workspace is not to be seen.
        StorageError: it is not to be written.
        StudyHeldError: another process is still at work on this run.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    check_workspace(job.folder.parent, seal)
    with process.household() as household:
        run = process.start(job, household)
        while (outcome := process.look(run)) is None:
            state = worker.state.tasks.get(key)
            if state is None or state.state != "executing":
                ((_, outcome),) = process.stop([run])
                break
            time.sleep(TICK)
    return outcome.as_json()


@contextmanager
def _client(distributed: Any, budget: Budget, threads: int, address: str | None) -> Iterator[Client]:
    if address is not None:
        try:
            client = distributed.Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no scheduler answers at {address}: {error}",
                needed="a running `dask scheduler`",
                why="it hands the runs to the workers",
                remedy="look at the address that `dask scheduler` prints, and whether it can be reached from here",
            ) from error
        with client:
            yield client
        return
    # Runs are processes anyhow. Workers as threads of this one listen on no port, which anybody on the machine could
    # send code to, and end with it.
    workers = budget.jobs or max(1, (budget.cores or 1) // threads)
    # What becomes of a run is told by its outcome; dask's workers complain of tasks that are cancelled.
    options = {"processes": False, "memory_limit": 0, "dashboard_address": None, "silence_logs": logging.CRITICAL}
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=threads, **options) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


def _wait_for_workers(client: Client, address: str | None) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_TIMEOUT)
    except TimeoutError as error:
        raise ClusterError(
            f"the scheduler at {address} has had no worker for {WORKERS_TIMEOUT} s",
            needed="one `dask worker` at least",
            why="workers execute the runs",
            remedy="start some: dask worker ADDRESS --nthreads N",
        ) from error


def _check_size(opened: Cluster, threads: int) -> None:
    largest = max(opened.workers().values(), default=0)
    if largest < threads and not opened.budget.oversubscribe:
        raise OversubscribedError(
            f"runs with {threads} threads each, on workers with {largest} thread(s) at most",
            needed="a worker with as many threads, which stand for its cores",
            why="runs that share cores take several times longer than one after the other",
            remedy=f"start workers with --nthreads {threads} or more, or say --oversubscribe",
        )


def _told(run: Task) -> Outcome:
    if run.future.status == "finished":
        return Outcome.from_json(run.future.result())
    if run.future.status == "error" and not _is_loss(error := run.future.exception()):
        return Outcome("failed", Failure.of_error(error))
    return _lost(run)


def _is_loss(error: BaseException) -> bool:
    from distributed import KilledWorker

    return isinstance(error, KilledWorker)


def _lost(run: Task) -> Outcome:
    """A run whose worker is gone; its process ends with the worker and says so, unless its machine has gone as well."""
    outcome = Outcome("killed", Failure("WorkerLost", f"the worker {run.worker} is gone"))
    if not is_held(run.job.folder) and not (run.job.folder / RUN_FILE).exists():
        process.write_unsaid(run.job, outcome, time.monotonic() - run.started)
    return outcome


def _left(job: Job) -> Outcome:
    """How a run that was stopped ended by its own account."""
    with suppress(BrokenEntryError):
        if (entry := read_entry(job.folder)) is not None:
            return entry.outcome
    return Outcome("interrupted", Failure("Interrupted", "the run was interrupted"))

"""Runs on this machine: one process each, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gradstudy.study import process
from gradstudy.study.executor import Budget, Job
from gradstudy.study.outcome import Outcome
from gradstudy.study.process import Household, RunProcess


@dataclass(frozen=True)
class Local:
    """Executor of this machine; see `executor.Executor`."""

    budget: Budget
    household: Household

    def admits(self, job: Job, running: Sequence[Job]) -> bool:
        """As the budget has it."""
        return self.budget.admits(job, running)

    def start(self, job: Job) -> RunProcess:
        """Start its process."""
        return process.start(job, self.household)

    def look(self, run: RunProcess) -> Outcome | None:
        """How its process ended; None while it lives."""
        return process.look(run)

    def stop(self, runs: Sequence[RunProcess]) -> list[tuple[RunProcess, Outcome]]:
        """Ask, wait, kill."""
        return process.stop(runs)


@contextmanager
def local(budget: Budget, jobs: Sequence[Job], held: Sequence[int]) -> Iterator[Local]:
    """Open this machine; the runs share the locks of these descriptors, and keep them if this process is killed."""
    with process.household(held) as household:
        yield Local(budget, household)

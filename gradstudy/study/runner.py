"""`gradstudy run` without its command line: hold, plan, execute what is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from gradstudy.study.catalog import Study
from gradstudy.study.evidence import Present
from gradstudy.study.executor import Budget, Job, Opening, execute
from gradstudy.study.ledger import State
from gradstudy.study.local import local
from gradstudy.study.lock import hold
from gradstudy.study.outcome import Outcome
from gradstudy.study.plan import Plan, Planned, make_plan
from gradstudy.study.workspace import check_writable, study_runs

Rerun = Literal["failed", "stale", "all"]
OK = frozenset({"ok", "cached"})
# States that say nothing against the study's own code: what is missing can be got, and then run.
MISSING = frozenset({"new", "stale", "no-data"})


@dataclass(frozen=True)
class Order:
    """What a run is asked for.

    Args:
        profile: its name.
        assignments: `name=value` texts for every point of a single study.
        rerun: which earlier runs are run again beside those that are new; None for failed and stale ones.
        timeout: seconds a run, instead of the profile's.
        budget: what runs at once.
        executor: where they run.
        fail_fast: start no further run after one has failed.
        only: digests of the runs that are asked for; None for all of the profile.
    """

    profile: str
    assignments: tuple[str, ...] = ()
    rerun: Rerun | None = None
    timeout: float | None = None
    budget: Budget = field(default_factory=Budget)
    executor: Opening = local
    fail_fast: bool = False
    only: Collection[str] | None = None

    def wants(self, state: State) -> bool:
        """Whether a run in this state is to be executed."""
        if state.kind == "cached":
            return self.rerun == "all"
        if state.kind == "stale":
            return self.rerun != "failed"
        return state.kind == "new" or self.rerun != "stale"


class Progress(Protocol):
    """Who is told what happens."""

    def begin(self, plans: Sequence[Plan], total: int) -> None:
        """All is checked; so many runs will be executed."""

    def ended(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """A run has ended."""

    def again(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """A run was killed and is tried again."""


@dataclass(frozen=True)
class Tally:
    """The points of what was run, with how each stands now."""

    plans: tuple[Plan, ...]
    executed: int

    @property
    def failed(self) -> bool:
        """Whether a point's run came to grief."""
        return any(kind not in OK | MISSING for kind in self._kinds())

    @property
    def missing(self) -> bool:
        """Whether a point has no run that counts: not executed, or without its data."""
        return any(kind in MISSING for kind in self._kinds())

    def summary(self, plan: Plan) -> str:
        """One plan's points by state, in words."""
        counts = Counter(planned.state.kind for planned in plan.points)
        return f"{len(plan.points)} runs, " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))

    def _kinds(self) -> set[str]:
        return {planned.state.kind for plan in self.plans for planned in plan.points}


def run_studies(
    studies: Sequence[Study],
    workspace: Path,
    order: Order,
    progress: Progress,
    check: Callable[[Study], None] = lambda study: None,
    holds: ExitStack | None = None,
) -> Tally:
    """Run what is needed of a profile of each study.

    Args:
        studies: the studies.
        workspace: where the runs lie.
        order: what is asked for.
        progress: who is told.
        check: called with every study of which something is to be run, before anything is; it may refuse.
        holds: keeps the studies held beyond the run, for who builds reports of it; by default they are free afterwards.

    Raises:
        GradstudyError: anything that can be wrong before a kernel starts.
        KeyboardInterrupt: after all runs were stopped.
    """
    for study in studies:
        study.spec.profile(order.profile)
    check_writable(workspace)
    with ExitStack() as own:
        stack = own if holds is None else holds
        held = [stack.enter_context(hold(study_runs(workspace, study.slug))) for study in studies]
        present = Present()
        plans = [
            _narrowed(
                make_plan(study, order.profile, workspace, assignments=order.assignments, present=present), order.only
            )
            for study in studies
        ]
        for plan in plans:
            order.budget.check(plan.profile.threads)
        for plan in plans:
            if any(order.wants(planned.state) for planned in plan.points):
                check(plan.study)
        return _execute(plans, order, progress, held)


def _narrowed(plan: Plan, only: Collection[str] | None) -> Plan:
    if only is None:
        return plan
    return replace(plan, points=tuple(planned for planned in plan.points if planned.digest in only))


def _execute(plans: Sequence[Plan], order: Order, progress: Progress, held: Sequence[int]) -> Tally:
    owners: dict[Path, tuple[Plan, Planned]] = {}
    for plan in plans:
        for planned in plan.points:
            if order.wants(planned.state):
                # Points with the same parameters share one run.
                owners.setdefault(planned.folder, (plan, planned))
    progress.begin(plans, len(owners))
    outcomes: dict[Path, Outcome] = {}

    def ended(job: Job, outcome: Outcome) -> None:
        outcomes[job.folder] = outcome
        progress.ended(*owners[job.folder], outcome)

    def again(job: Job, outcome: Outcome) -> None:
        progress.again(*owners[job.folder], outcome)

    jobs = [_job(*owner, order.timeout) for owner in owners.values()]
    if jobs:
        with order.executor(order.budget, jobs, held) as executor:
            execute(jobs, executor, ended, again, fail_fast=order.fail_fast)
    return Tally(tuple(_updated(plan, outcomes) for plan in plans), len(outcomes))


def _job(plan: Plan, planned: Planned, timeout: float | None) -> Job:
    request: dict[str, Any] = {
        "study": plan.study.slug,
        "digest": planned.digest,
        # The text that the identity was computed from: the file may change while earlier runs go on.
        "notebook": plan.notebook.text,
        "library": plan.notebook.library,
        "parameters": dict(planned.point.parameters),
        "data": plan.data,
    }
    profile = plan.profile
    return Job(planned.folder, request, profile.threads, timeout or profile.timeout, profile.memory)


def _updated(plan: Plan, outcomes: dict[Path, Outcome]) -> Plan:
    def now(planned: Planned) -> Planned:
        outcome = outcomes.get(planned.folder)
        if outcome is None:
            return planned
        detail = str(outcome.failure) if outcome.failure else ""
        return replace(planned, state=State(outcome.status, detail))

    return replace(plan, points=tuple(now(planned) for planned in plan.points))

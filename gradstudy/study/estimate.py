"""How long what a plan has to do will take, judged by how long runs took before. Durations are in no report."""

from __future__ import annotations

import heapq
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradstudy.study.executor import Budget, Job
from gradstudy.study.ledger import RUN_FILE
from gradstudy.study.plan import Plan, Planned


@dataclass(frozen=True)
class Estimate:
    """Time of all that is to be done.

    Args:
        runs: how many are to be executed.
        unknown: of these, how many of whose like none has ended well yet; they are not in `seconds`.
        seconds: for the others, as many at a time as the budget admits.
    """

    runs: int
    unknown: int
    seconds: float

    def __str__(self) -> str:
        if not self.runs:
            return "nothing to do"
        known = self.runs - self.unknown
        told = f"about {in_words(self.seconds)}" if known else "time unknown"
        rest = f", and {self.unknown} of which the time is unknown" if known and self.unknown else ""
        return f"{self.runs} {'run' if self.runs == 1 else 'runs'} to do: {told}{rest}"


def durations(plan: Plan) -> dict[Path, float]:
    """Seconds that each run of a plan is likely to take, by its folder; a run of which nothing is known is left out.

    As long as the run of the same parameters took, whatever the code was then; else as long as the median run of its
    group.
    """
    if not plan.points:
        return {}
    earlier = _earlier(plan.points[0].folder.parent)
    own = {planned.folder: _median(earlier.get(_key(planned.point.parameters), ())) for planned in plan.points}
    groups: dict[str, list[float]] = defaultdict(list)
    for planned in plan.points:
        if (seconds := own[planned.folder]) is not None:
            groups[planned.point.group].append(seconds)
    likely = {planned.folder: own[planned.folder] or _median(groups[planned.point.group]) for planned in plan.points}
    return {folder: seconds for folder, seconds in likely.items() if seconds is not None}


def estimate(wanted: Sequence[tuple[Plan, Planned]], budget: Budget) -> Estimate:
    """Time of the runs that are wanted, started in this order as the budget admits."""
    plans = {id(plan): durations(plan) for plan, _ in wanted}
    folders = {planned.folder: plan for plan, planned in wanted}
    known = [
        (Job(folder, {}, plan.profile.threads, math.inf), plans[id(plan)][folder])
        for folder, plan in folders.items()
        if folder in plans[id(plan)]
    ]
    return Estimate(len(folders), len(folders) - len(known), _elapsed(known, budget))


def in_words(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    for limit, unit, length in ((90, "s", 1), (5400, "min", 60), (math.inf, "h", 3600)):
        if seconds < limit:
            return f"{seconds / length:.2g} {unit}" if seconds < 10 * length else f"{seconds / length:.0f} {unit}"
    return "for ever"


def _elapsed(jobs: Sequence[tuple[Job, float]], budget: Budget) -> float:
    now, running = 0.0, list[tuple[float, int, Job]]()
    for number, (job, seconds) in enumerate(jobs):
        while not budget.admits(job, [other for _, _, other in running]):
            now = heapq.heappop(running)[0]
        heapq.heappush(running, (now + seconds, number, job))
    return max((end for end, _, _ in running), default=now)


def _earlier(runs: Path) -> dict[str, list[float]]:
    """Seconds of all runs of a study that ended well, by their parameters."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted(runs.glob(f"*/{RUN_FILE}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_bytes())
            if content["status"] == "ok" and math.isfinite(seconds := float(content["seconds"])):
                found[_key(content["parameters"])].append(seconds)
    return found


def _key(parameters: Mapping[str, Any]) -> str:
    return json.dumps(dict(parameters), sort_keys=True)


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None

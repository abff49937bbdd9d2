"""What running studies costs beside the runs themselves: a study's numbers."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from gradstudy.study import ledger
from gradstudy.study.catalog import find_study
from gradstudy.study.executor import Budget, count_cores
from gradstudy.study.memory import share
from gradstudy.study.outcome import Outcome
from gradstudy.study.plan import Plan, Planned, make_plan
from gradstudy.study.runner import Order, run_studies

_SLUG = "timed"
_NOTEBOOK = """# %% tags=["parameters"]
seed: int = 0
seconds: float = 0.0

# %%
import time

import gradstudy as gs

end = time.process_time() + seconds
while time.process_time() < end:
    pass
gs.record("value", seed)
"""

Row = dict[str, object]


def cost_of_jobs(runs: int, seconds: float, rounds: int) -> Row:
    """How many times faster two runs at a time are than one after another, on two cores.

    Args:
        runs: of a study whose notebook imports neither torch nor pandas.
        seconds: of processor time that each takes in its notebook.
        rounds: how often both are timed, in turn.

    Returns:
        `value`, `low`, `high`: median and quartiles over rounds of the ratio of running times; `n`, `unit`.
    """
    ratios = []
    for _ in range(rounds):
        one, two = (_timed(partial(_execute, runs, seconds, jobs)) for jobs in (1, 2))
        ratios.append(one / two)
    return _row(ratios, "times faster")


def cost_of_planning(runs: int, rounds: int) -> Row:
    """Seconds that `gradstudy plan` takes, from its start, for so many runs that are all cached.

    One run is executed; the others are copies of its folder under their own identities.

    Raises:
        RuntimeError: a run that should be cached is not.
    """
    with _workspace(runs, 0.0) as workspace:
        plan = make_plan(find_study(_SLUG, workspace), "quick", workspace)
        first = plan.points[0]
        _run(workspace, plan, [first], 1)
        entry = ledger.read_entry(first.folder)
        assert entry is not None
        for planned in plan.points[1:]:
            shutil.copytree(first.folder, planned.folder)
            details = {"evidence": entry.evidence, "started": None, "seconds": entry.seconds}
            ledger.write_entry(planned.folder, _asked(planned), Outcome("ok"), details)
        times = [_timed(lambda: _plan_all_cached(workspace, runs)) for _ in range(rounds)]
    return _row(times, "s")


def cost_of_scheduling(runs: int, rounds: int) -> Row:
    """Milliseconds a run that planning and executing take beside the run's own process, one run at a time.

    The baseline starts the same process for the same run by hand and waits for it.
    """
    overheads = []
    for _ in range(rounds):
        with _workspace(runs, 0.0) as ours, _workspace(runs, 0.0) as bare:
            together = _timed(partial(_run_all, ours, 1))
            plan = make_plan(find_study(_SLUG, bare), "quick", bare)
            for planned in plan.points:
                ledger.prepare(planned.folder)
            by_hand = _timed(partial(_all_by_hand, plan))
        overheads.append(1e3 * (together - by_hand) / runs)
    return _row(overheads, "ms a run")


class _Silence:
    """Tells nobody."""

    def begin(self, plans: Sequence[Plan], total: int) -> None:
        """Nothing."""

    def ended(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """Nothing, if all is well."""
        if outcome.status != "ok":
            raise RuntimeError(f"a run of the timed study ended {outcome.status}: {outcome.failure}")

    def again(self, plan: Plan, planned: Planned, outcome: Outcome) -> None:
        """A run that is tried again would count twice."""
        self.ended(plan, planned, outcome)


@contextmanager
def _workspace(runs: int, seconds: float) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gs-costs-") as place:
        folder = Path(place) / "studies" / _SLUG
        folder.mkdir(parents=True)
        (folder / "notebook.py").write_text(_NOTEBOOK, encoding="utf-8")
        grid = [{"name": "base", "set": {"seconds": seconds}, "over": {"seed": list(range(runs))}}]
        profile = {"threads": 1, "timeout": 120, "grid": grid}
        spec = {"title": "Timed", "question": "q", "method": "m", "profiles": {"quick": profile}}
        (folder / "study.yaml").write_text(json.dumps(spec), encoding="utf-8")  # JSON is YAML
        yield Path(place)


def _execute(runs: int, seconds: float, jobs: int) -> None:
    with _workspace(runs, seconds) as workspace:
        _run_all(workspace, jobs)


def _run_all(workspace: Path, jobs: int) -> None:
    order = Order("quick", budget=Budget(jobs=jobs, cores=jobs))
    run_studies([find_study(_SLUG, workspace)], workspace, order, _Silence())


def _run(workspace: Path, plan: Plan, points: Sequence[Planned], jobs: int) -> None:
    only = {planned.digest for planned in points}
    order = Order("quick", budget=Budget(jobs=jobs, cores=jobs), only=only)
    run_studies([plan.study], workspace, order, _Silence())


def _plan_all_cached(workspace: Path, runs: int) -> None:
    command = [sys.executable, "-m", "gradstudy.cli", "plan", _SLUG, "--json", "--workspace", str(workspace)]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    cached = sum(point["state"] == "cached" for point in said["runs"])
    if cached != runs:
        raise RuntimeError(f"{cached} of {runs} runs are cached")


def _asked(planned: Planned) -> dict[str, Any]:
    parameters = dict(planned.point.parameters)
    return {"study": _SLUG, "digest": planned.digest, "parameters": parameters, "data": {}, "threads": 1}


def _all_by_hand(plan: Plan) -> None:
    for planned in plan.points:
        _by_hand(plan, planned)


def _by_hand(plan: Plan, planned: Planned) -> None:
    text = {"notebook": plan.notebook.text, "library": None}
    limits = {"timeout": 120, "memory": share(1, count_cores()), "attempt": 1, "retries": 0, "lifeline": None}
    subprocess.run(
        [sys.executable, "-P", "-m", "gradstudy.study.child"],
        cwd=planned.folder,
        input=json.dumps({**_asked(planned), **text, **limits}).encode(),
        env=dict(os.environ),
        capture_output=True,
        check=True,
    )


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _row(values: Sequence[float], unit: str) -> Row:
    several = len(values) > 1
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if several else [values[0]] * 3
    return {"value": middle, "low": low, "high": high, "n": len(values), "unit": unit}

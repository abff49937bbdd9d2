"""A report's runs executed again, in a workspace of their own, and what they leave against what the report holds."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gradstudy.report import stored, tables, words
from gradstudy.report.assess import Records, assess
from gradstudy.report.verify import agreement
from gradstudy.report.verify.finding import Finding, Outcome
from gradstudy.report.verify.whole import Again
from gradstudy.study.executor import Budget
from gradstudy.study.plan import make_plan
from gradstudy.study.results import RUN_CHARACTERS, Results, collect
from gradstudy.study.runner import Order, Progress, run_studies

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6
"""Of the largest magnitude of a column: how far a number may be off that another machine has measured again."""


@dataclass(frozen=True)
class Execution:
    """How runs are executed again.

    Args:
        progress: who is told.
        tolerance: see `TOLERANCE`.
        budget: what runs at once.
    """

    progress: Progress
    tolerance: float = TOLERANCE
    budget: Budget = field(default_factory=Budget)


def of_report(again: Again, execution: Execution) -> Iterator[Finding]:
    """All runs of a report that ended well, its tables, and its verdicts on what they leave now."""
    wanted = _ended_well(again.stored.report)
    results = _executed(again, wanted, execution)
    yield _tables(again, wanted, results, tuple(again.stored.tables), execution.tolerance)
    yield _verdicts(again, wanted, results)


def of_figure(again: Again, names: Sequence[str], execution: Execution) -> Finding:
    """The runs whose rows are in some tables, and these tables."""
    held = {run for name in names for run in again.stored.tables[name]["run"]}
    wanted = _ended_well(again.stored.report) & held
    return _tables(again, wanted, _executed(again, wanted, execution), names, execution.tolerance)


def changes_of_plan(again: Again) -> tuple[int, int]:
    """How many of the report's runs the study as it is now asks for no longer, and how many others it asks for.

    Raises:
        GradstudyError: the study's files do not fit.
    """
    with tempfile.TemporaryDirectory(prefix="gradstudy-verify-") as folder:  # where no run is
        points = make_plan(again.study, again.stored.report["profile"], Path(folder)).points
    planned = {point.digest[:RUN_CHARACTERS] for point in points}
    listed = {run.digest for run in stored.runs(again.stored.report)}
    return len(listed - planned), len(planned - listed)


def _ended_well(report: Mapping[str, object]) -> set[str]:
    return {run.digest for run in stored.runs(report) if run.status == "ok"}


def _executed(again: Again, wanted: set[str], execution: Execution) -> Results:
    profile = again.stored.report["profile"]
    with tempfile.TemporaryDirectory(prefix="gradstudy-verify-") as folder:
        points = make_plan(again.study, profile, Path(folder)).points
        only = {planned.digest for planned in points if planned.digest[:RUN_CHARACTERS] in wanted}
        order = Order(profile, budget=execution.budget, only=only)
        run_studies([again.study], Path(folder), order, execution.progress)
        return collect(again.study, profile, Path(folder))


def _tables(again: Again, wanted: set[str], results: Results, names: Sequence[str], tolerance: float) -> Finding:
    places = list(_unlike_runs(wanted, results))
    done = {run.digest[:RUN_CHARACTERS] for run in results.runs if run.status == "ok"} & wanted
    off = 0.0
    for name in names if done else ():
        kept, now = (_recorded(source, name, again, done) for source in (again.stored.tables, results.tables))
        if name in again.study.spec.timings:
            kept, now = kept.select_dtypes(exclude="number"), now.select_dtypes(exclude="number")
        for distance, where in agreement.of_tables(kept, now, tolerance):
            off = max(off, distance)
            places += [f"{name}.{where}"] if distance == math.inf else []
    outcome = Outcome.DIFFERS if places else Outcome.TOLERATED if off else Outcome.IDENTICAL
    return Finding("runs", outcome, _summary(again, len(wanted), names, off, tolerance), tuple(places))


def _summary(again: Again, count: int, names: Sequence[str], off: float, tolerance: float) -> str:
    told = f"{words.count(count, 'run')} executed again, {words.count(len(names), 'table')} compared"
    if 0 < off < math.inf:
        told += f"; largest difference {off:.1e} of its column's largest magnitude, tolerance {tolerance:g}"
    lost = [run for run in stored.runs(again.stored.report) if run.status != "ok"]
    told += f"; {words.count(len(lost), 'run')} had not ended well" if lost else ""
    timed = [name for name in names if name in again.study.spec.timings]
    return told + (f"; the times in {', '.join(timed)} are not the same twice and not compared" if timed else "")


def _unlike_runs(wanted: set[str], results: Results) -> Iterator[str]:
    now = {run.digest[:RUN_CHARACTERS]: run for run in results.runs}
    for run in sorted(wanted):
        if run not in now:
            yield f"run {run} is planned no longer: study.yaml, notebook, lib.py or data are not those of the report"
        elif now[run].status != "ok":
            yield f"run {run} ended well in the report; now it is {now[run].status}: {now[run].error}"


def _recorded(source: Mapping[str, pd.DataFrame], name: str, again: Again, wanted: set[str]) -> pd.DataFrame:
    """What the runs recorded in a table, run by run, as csv gives it back."""
    import pandas as pd

    rows = again.stored.report["runs"]["list"]
    if name not in source:
        return pd.DataFrame(columns=["run"])
    whole = tables.read_back(source[name], rows)
    return whole[whole["run"].isin(wanted)].sort_values("run", kind="stable", ignore_index=True)


def _verdicts(again: Again, wanted: set[str], results: Results) -> Finding:
    """The claims on the new tables; runs that were not executed again are where the report has them."""
    fresh = {run.digest[:RUN_CHARACTERS]: run for run in results.runs}
    runs = tuple(
        fresh.get(run.digest, run) if run.digest in wanted else run for run in stored.runs(again.stored.report)
    )
    kept = {name: _recorded(results.tables, name, again, wanted) for name in results.tables}
    records = Records(results.profile, runs, kept)
    places = []
    for claim in again.stored.report["claims"]:
        verdict = assess(again.find_claim(claim["id"]), claim["groups"], records).verdict
        if verdict != claim["verdict"]:
            places.append(f"{claim['id']}: {claim['verdict']} in the report, {verdict} now")
    outcome = Outcome.DIFFERS if places else Outcome.IDENTICAL
    count = words.count(len(again.stored.report["claims"]), "claim")
    return Finding("verdicts", outcome, f"{count} decided on what they left", tuple(places))

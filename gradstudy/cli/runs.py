"""`plan`, `run` and `report`."""

from __future__ import annotations

import math
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradstudy.cli.options import (
    check_single,
    chosen,
    jobs_option,
    json_option,
    parameter_option,
    print_json,
    profile_option,
    studies_argument,
    width,
    workspace_option,
)
from gradstudy.errors import GradstudyError

if TYPE_CHECKING:
    from gradstudy.study.catalog import Study
    from gradstudy.study.executor import Opening
    from gradstudy.study.plan import Plan
    from gradstudy.study.runner import Order, Tally


@click.command()
@studies_argument
@profile_option("quick")
@parameter_option
@jobs_option
@workspace_option
@json_option
def plan(
    slugs: tuple[str, ...], profile: str, assignments: tuple[str, ...], jobs: int | None, workspace: Path, as_json: bool
) -> None:
    """Show for every run of a profile: new, cached, stale (and what changed), or how it failed, and the time it takes.

    The time is that of earlier runs with the same parameters, else of the same group.
    """
    from gradstudy.study.evidence import Present
    from gradstudy.study.plan import make_plan

    check_single(slugs, assignments)
    studies, present = chosen(slugs, profile, workspace), Present()
    plans = [make_plan(study, profile, workspace, assignments=assignments, present=present) for study in studies]
    for study in studies:
        _check_report(study, assignments)
    _tell_plans(plans, profile, jobs, as_json)


@click.command()
@studies_argument
@profile_option("quick")
@parameter_option
@jobs_option
@click.option(
    "--rerun", type=click.Choice(["failed", "stale", "all"]),
    help="Which earlier runs to repeat beside those that are new. [default: failed and stale ones]",
)  # fmt: skip
@click.option("--keep-going/--fail-fast", default=True, show_default=True, help="After a run has failed.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), callback=lambda ctx, parameter, value: _finite(value),
    help="Seconds a run. [default: the profile's]",
)  # fmt: skip
@click.option("--oversubscribe", is_flag=True, help="Allow jobs x threads to exceed the cores.")
@click.option(
    "--executor", type=click.Choice(["local", "dask"]), default="local", show_default=True,
    help="local: processes of this machine. dask: a dask cluster, by itself one of this machine.",
)  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS", help="A running dask scheduler, whose workers see this workspace.")
@click.option(
    "--strict", is_flag=True, help="Exit with 1 also when runs or their data are missing, or a figure failed."
)
@workspace_option
@json_option
def run(slugs: tuple[str, ...], workspace: Path, strict: bool, as_json: bool, **options: Any) -> None:
    """Run what is needed of STUDY... (default: all), then build the reports and print the claims."""
    from gradstudy.report import ledger
    from gradstudy.study.progress import progress
    from gradstudy.study.runner import run_studies
    from gradstudy.study.workspace import profile_reports

    # A scheduler's or a container's SIGTERM is an interrupt: runs are stopped in order and say so.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    order = _order(**options)
    check_single(slugs, order.assignments)
    studies = chosen(slugs, order.profile, workspace)
    with ExitStack() as holds:
        with progress() as told:
            tally = run_studies(
                studies,
                workspace,
                order,
                told,
                check=lambda study: _check_report(study, order.assignments),
                holds=holds,
            )
        try:
            reports = _build_reports(studies, order, workspace)
        except GradstudyError:
            # Hours of runs are told whatever becomes of a report, and so are the claims of the others.
            rows, _ = ledger.readable_rows(profile_reports(workspace, order.profile))
            _tell(tally, rows, None, [], workspace, as_json)
            raise
    undrawn = _undrawn(studies, reports)
    rows = ledger.rows(reports) if reports else []
    _tell(tally, rows, reports, undrawn, workspace, as_json)
    _tell_undrawn(undrawn)
    _tell_unmeasured(studies, reports)
    broken = any(figure["failed"] for figure in undrawn)
    sys.exit(1 if tally.failed or (strict and (tally.missing or broken)) else 0)


@click.command()
@studies_argument
@profile_option("standard")
@workspace_option
def report(slugs: tuple[str, ...], profile: str, workspace: Path) -> None:
    """Build the reports of a profile from the runs that are there."""
    from gradstudy.report.build import build_all
    from gradstudy.study.lock import check_free
    from gradstudy.study.plan import make_plan
    from gradstudy.study.runner import Tally
    from gradstudy.study.workspace import study_runs

    studies = chosen(slugs, profile, workspace)
    for study in studies:
        check_free(study_runs(workspace, study.slug))
    plans = [make_plan(study, profile, workspace) for study in studies]
    for plan in plans:
        if any(planned.state.kind != "cached" for planned in plan.points):
            click.echo(f"{plan.study.slug} ({profile}): {Tally((plan,), 0).summary(plan)}", err=True)
    if slugs and all(planned.state.kind == "new" for plan in plans for planned in plan.points):
        raise click.UsageError(
            f"no run of the {profile} profile of {', '.join(slugs)} is here, so there is nothing to report; "
            "name the profile that was run (--profile), or run this one"
        )
    reports = build_all(studies, profile, workspace)
    click.echo(reports)
    _tell_undrawn(_undrawn(studies, reports))
    _tell_unmeasured(studies, reports)


def _tell_plans(plans: list[Plan], profile: str, jobs: int | None, as_json: bool) -> None:
    from gradstudy.study.estimate import durations, estimate, in_words
    from gradstudy.study.executor import Budget, count_cores
    from gradstudy.study.progress import describe
    from gradstudy.study.runner import Order

    order = Order(profile, budget=Budget(jobs, count_cores()))
    wanted = [(plan, planned) for plan in plans for planned in plan.points if order.wants(planned.state)]
    likely = {folder: seconds for plan in plans for folder, seconds in durations(plan).items()}
    needed = estimate(wanted, order.budget)
    if as_json:
        rows = [
            {**row, "seconds": likely.get(planned.folder)}
            for plan in plans
            for row, planned in zip(_rows(plan), plan.points, strict=True)
        ]
        print_json({"runs": rows, "to do": needed.runs, "unknown": needed.unknown, "seconds": needed.seconds})
        return
    asked = {planned.folder for _, planned in wanted}
    for plan in plans:
        for planned in plan.points:
            known = planned.folder in asked and planned.folder in likely
            time = f" (about {in_words(likely[planned.folder])})" if known else ""
            click.echo(f"{describe(plan, planned)}: {planned.state}{time}")
    click.echo(needed)


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of seconds")
    return value


def _order(
    *, jobs: int | None, oversubscribe: bool, executor: str, scheduler: str | None, keep_going: bool, **options: Any
) -> Order:
    from gradstudy.study.executor import Budget, count_cores
    from gradstudy.study.runner import Order

    if scheduler and executor != "dask":
        raise click.UsageError("--scheduler is dask's: say --executor dask as well")
    # The cores of a cluster are those of its workers, which are asked.
    budget = Budget(jobs, None if scheduler else count_cores(), oversubscribe)
    return Order(budget=budget, executor=_opening(executor, scheduler), fail_fast=not keep_going, **options)


def _opening(executor: str, scheduler: str | None) -> Opening:
    if executor == "local":
        from gradstudy.study.local import local

        return local
    from functools import partial

    from gradstudy.study.cluster import cluster

    return partial(cluster, address=scheduler)


def _check_report(study: Study, assignments: tuple[str, ...]) -> None:
    if not assignments:
        from gradstudy.report.build import check

        check(study)


def _build_reports(studies: tuple[Study, ...], order: Order, workspace: Path) -> Path | None:
    if order.assignments:
        click.echo("no report: with -p these runs are not the profile that a report is of", err=True)
        return None
    from gradstudy.report.build import build_all

    return build_all(studies, order.profile, workspace)


def _undrawn(studies: tuple[Study, ...], reports: Path | None) -> list[dict[str, Any]]:
    from gradstudy.report.undrawn import undrawn

    return [figure for study in studies for figure in undrawn(reports / study.slug)] if reports else []


def _tell_undrawn(figures: list[dict[str, Any]]) -> None:
    for figure in figures:
        click.echo(f"figure {figure['figure']}: not drawn: {figure['reason']}", err=True)


def _tell_unmeasured(studies: tuple[Study, ...], reports: Path | None) -> None:
    from gradstudy.report.undrawn import unmeasured

    if reports is None:
        return
    for study in studies:
        for claim in unmeasured(reports / study.slug):
            click.echo(f"claim {claim['claim']} of {study.slug}: {claim['reason']}", err=True)


def _tell(
    tally: Tally,
    rows: list[dict[str, Any]],
    reports: Path | None,
    undrawn: list[dict[str, Any]],
    workspace: Path,
    as_json: bool,
) -> None:
    from gradstudy.report import ledger

    if as_json:
        runs = [row for plan in tally.plans for row in _rows(plan)]
        found = {"executed": tally.executed, "reports": str(reports or ""), "claims": rows, "undrawn": undrawn}
        print_json({"runs": runs, **found})
        return
    if rows:
        click.echo(ledger.as_text(rows, width()) + "\n")
    elif reports:
        click.echo(ledger.none(reports) + "\n")
    for plan in tally.plans:
        click.echo(f"{plan.study.slug} ({plan.name}): {tally.summary(plan)}")
    click.echo(f"runs: {workspace / 'runs'}")
    if reports and (reports / "index.html").is_file():
        click.echo(f"reports: {reports / 'index.html'}")
    if _only_standard_decides(tally, rows):
        click.echo("quick decides no claim; for verdicts: gradstudy run --profile standard")


def _only_standard_decides(tally: Tally, rows: list[dict[str, Any]]) -> bool:
    """Whether quick left every claim open of studies that have a standard profile to decide them."""
    decided = any(not row["verdict"].startswith("undecided") for row in rows)
    decided |= any("measure" in row["verdict"] for row in rows)  # nor would standard decide what cannot be measured
    claiming = [plan for plan in tally.plans if plan.study.spec.claims and "standard" in plan.study.spec.profiles]
    return bool(rows) and not decided and any(plan.name == "quick" for plan in claiming)


def _rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "study": plan.study.slug,
            "digest": planned.digest,
            "group": planned.point.group,
            "control": planned.point.control,
            "parameters": dict(planned.point.parameters),
            "state": planned.state.kind,
            "detail": planned.state.detail,
        }
        for planned in plan.points
    ]

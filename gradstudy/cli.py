"""The command line. Every command imports what it needs when it is called, so that `--help` is quick."""

from __future__ import annotations

import io
import json
import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradstudy.errors import (
    GradstudyError,
    OversubscribedError,
    ParameterError,
    ParametersCellError,
    StudyHeldError,
    StudySpecError,
    UnknownClaimError,
    UnknownFigureError,
    UnknownProfileError,
    UnknownStudyError,
)

if TYPE_CHECKING:
    from gradstudy.study.catalog import Study
    from gradstudy.study.plan import Plan
    from gradstudy.study.runner import Order, Tally

USAGE_ERRORS = (
    OversubscribedError,
    ParameterError,
    ParametersCellError,
    StudyHeldError,
    StudySpecError,
    UnknownClaimError,
    UnknownFigureError,
    UnknownProfileError,
    UnknownStudyError,
)


class _Commands(click.Group):
    """Prints gradstudy's own errors as their message; they are the explanation, a traceback would hide it."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal without σ shows its number
        try:
            return super().invoke(ctx)
        except GradstudyError as error:
            click.echo(f"gradstudy: {error}", err=True)
            ctx.exit(2 if isinstance(error, USAGE_ERRORS) else 1)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is stopped; a second one would only spoil the exit code
            click.echo("gradstudy: interrupted; what is finished is kept, `gradstudy run` goes on from there", err=True)
            ctx.exit(130)


def _workspace_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--workspace",
        type=click.Path(file_okay=False, path_type=Path),
        callback=lambda ctx, parameter, value: _find_workspace(value),
        help="Folder of studies/, runs/ and reports/. [default: $GRADSTUDY_WORKSPACE, else the current folder]",
    )(command)


def _profile_option(default: str) -> Callable[..., Any]:
    return click.option(
        "--profile", type=click.Choice(["quick", "standard", "paper"]), default=default, show_default=True,
        help="quick: seconds. standard: minutes, the committed reports. paper: the paper's own setting.",
    )  # fmt: skip


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_studies_argument = click.argument("slugs", metavar="[STUDY]...", nargs=-1)
_parameter_option = click.option(
    "-p", "assignments", metavar="NAME=VALUE", multiple=True, help="Set a parameter on every point of one STUDY."
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradstudy")
def main() -> None:
    """Measure what the chain rule does to gradients, decide the literature's claims on it, cite the result."""


@main.command("list")
@_workspace_option
@_json_option
def list_(workspace: Path, as_json: bool) -> None:
    """List the studies and their profiles."""
    from gradstudy.study.catalog import all_studies

    studies = all_studies(workspace)
    if as_json:
        _print_json([{"study": s.slug, "title": s.spec.title, "profiles": list(s.spec.profiles)} for s in studies])
        return
    for study in studies:
        click.echo(f"{study.slug}\n  {study.spec.title}\n  profiles: {', '.join(study.spec.profiles)}")


@main.command()
@_studies_argument
@_profile_option("quick")
@_parameter_option
@_workspace_option
@_json_option
def plan(slugs: tuple[str, ...], profile: str, assignments: tuple[str, ...], workspace: Path, as_json: bool) -> None:
    """Show for every run of a profile: new, cached, stale (and what changed), or how it failed."""
    from gradstudy.study.evidence import Present
    from gradstudy.study.plan import make_plan
    from gradstudy.study.progress import describe

    _check_single(slugs, assignments)
    studies, present = _chosen(slugs, profile, workspace), Present()
    plans = [make_plan(study, profile, workspace, assignments=assignments, present=present) for study in studies]
    for study in studies:
        _check_report(study, assignments)
    if as_json:
        _print_json([row for plan in plans for row in _rows(plan)])
        return
    for plan in plans:
        for planned in plan.points:
            click.echo(f"{describe(plan, planned)}: {planned.state}")


@main.command()
@_studies_argument
@_profile_option("quick")
@_parameter_option
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time. [default: as many as there are cores for]")
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
    "--strict", is_flag=True, help="Exit with 1 also when runs or their data are missing, or a figure failed."
)
@_workspace_option
@_json_option
def run(slugs: tuple[str, ...], workspace: Path, strict: bool, as_json: bool, **options: Any) -> None:
    """Run what is needed of STUDY... (default: all), then build the reports and print the claims."""
    from gradstudy.study.progress import progress
    from gradstudy.study.runner import run_studies

    # A scheduler's or a container's SIGTERM is an interrupt: runs are stopped in order and say so.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    order = _order(**options)
    _check_single(slugs, order.assignments)
    studies = _chosen(slugs, order.profile, workspace)
    with progress() as told:
        tally = run_studies(
            studies, workspace, order, told, check=lambda study: _check_report(study, order.assignments)
        )
    reports = _build_reports(studies, order, workspace)
    undrawn = _undrawn(studies, reports)
    _tell(tally, reports, undrawn, workspace, as_json)
    _tell_undrawn(undrawn)
    broken = any(figure["failed"] for figure in undrawn)
    sys.exit(1 if tally.failed or (strict and (tally.missing or broken)) else 0)


@main.command()
@click.argument("slug", metavar="STUDY")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="[default: STUDY.ipynb]")
@_parameter_option
@_workspace_option
def notebook(slug: str, output: Path | None, assignments: tuple[str, ...], workspace: Path) -> None:
    """Write the notebook of STUDY as .ipynb, to be opened in Jupyter."""
    from gradstudy.records import write_atomic
    from gradstudy.study.catalog import find_study
    from gradstudy.study.notebook import read_notebook, to_ipynb
    from gradstudy.study.parameters import parse_assignments

    target = output or Path(f"{slug}.ipynb")
    found = read_notebook(find_study(slug, workspace).notebook)
    if target.exists():
        raise click.UsageError(f"{target} is there already; choose another name with -o")
    write_atomic(target, to_ipynb(found.text, parse_assignments(found.schema, assignments)).encode())
    click.echo(target)


@main.command()
@_studies_argument
@_profile_option("standard")
@_workspace_option
def report(slugs: tuple[str, ...], profile: str, workspace: Path) -> None:
    """Build the reports of a profile from the runs that are there."""
    from gradstudy.report.build import build_all
    from gradstudy.study.plan import make_plan
    from gradstudy.study.runner import Tally

    studies = _chosen(slugs, profile, workspace)
    plans = [make_plan(study, profile, workspace) for study in studies]
    for plan in plans:
        if any(planned.state.kind != "cached" for planned in plan.points):
            click.echo(f"{plan.study.slug} ({profile}): {Tally((plan,), 0).summary(plan)}", err=True)
    reports = build_all(studies, profile, workspace)
    click.echo(reports)
    _tell_undrawn(_undrawn(studies, reports))


@main.command()
@_profile_option("standard")
@_workspace_option
@_json_option
def claims(profile: str, workspace: Path, as_json: bool) -> None:
    """Print the claims ledger: what the reports of a profile decide."""
    from gradstudy.report import ledger
    from gradstudy.study.workspace import profile_reports

    reports = profile_reports(workspace, profile)
    rows = ledger.rows(reports)
    if as_json:
        _print_json(rows)
    else:
        click.echo(ledger.as_text(rows, _width()) if rows else ledger.none(reports))


@main.command()
@click.argument("figure")
@_workspace_option
def cite(figure: str, workspace: Path) -> None:
    """Print BibTeX and a LaTeX snippet for FIGURE: an id (STUDY/NAME) or a PNG that gradstudy drew."""
    from gradstudy.report.cite import cite as cite_figure

    click.echo(cite_figure(figure, workspace))


@main.command()
@_workspace_option
@_json_option
def doctor(workspace: Path, as_json: bool) -> None:
    """Print versions, cores and threads, data sets found, workspace and studies."""
    from gradstudy.study.doctor import examine

    facts = examine(workspace)
    if as_json:
        _print_json(facts)
        return
    for name, fact in facts.items():
        if isinstance(fact, dict):
            click.echo("\n".join([f"{name}:", *(f"  {key}: {value}" for key, value in fact.items())]))
        else:
            click.echo(f"{name}: {', '.join(fact) if isinstance(fact, list) else fact}")


def _find_workspace(given: Path | None) -> Path:
    from gradstudy.study.workspace import find_workspace

    return find_workspace(given)


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of seconds")
    return value


def _check_single(slugs: tuple[str, ...], assignments: tuple[str, ...]) -> None:
    if assignments and len(slugs) != 1:
        raise click.UsageError("-p needs exactly one STUDY: parameters belong to a notebook")


def _chosen(slugs: tuple[str, ...], profile: str, workspace: Path) -> tuple[Study, ...]:
    """The studies named, or all that have the profile."""
    from gradstudy.study.catalog import find_studies

    studies = find_studies(slugs, workspace)
    having = tuple(study for study in studies if profile in study.spec.profiles)
    if slugs or not having:
        for study in studies:
            study.spec.profile(profile)  # says which there are
    return having


def _order(*, jobs: int | None, oversubscribe: bool, keep_going: bool, **options: Any) -> Order:
    from gradstudy.study.executor import Budget, count_cores
    from gradstudy.study.runner import Order

    budget = Budget(jobs, count_cores(), oversubscribe)
    return Order(budget=budget, fail_fast=not keep_going, **options)


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


def _tell(tally: Tally, reports: Path | None, undrawn: list[dict[str, Any]], workspace: Path, as_json: bool) -> None:
    from gradstudy.report import ledger

    rows = ledger.rows(reports) if reports else []
    if as_json:
        runs = [row for plan in tally.plans for row in _rows(plan)]
        found = {"executed": tally.executed, "reports": str(reports or ""), "claims": rows, "undrawn": undrawn}
        _print_json({"runs": runs, **found})
        return
    if reports:
        click.echo((ledger.as_text(rows, _width()) if rows else ledger.none(reports)) + "\n")
    for plan in tally.plans:
        click.echo(f"{plan.study.slug} ({plan.name}): {tally.summary(plan)}")
    click.echo(f"runs: {workspace / 'runs'}")
    if reports:
        click.echo(f"reports: {reports / 'index.html'}")
    if _only_standard_decides(tally, rows):
        click.echo("quick decides no claim; for verdicts: gradstudy run --profile standard")


def _only_standard_decides(tally: Tally, rows: list[dict[str, Any]]) -> bool:
    """Whether quick left every claim open of studies that have a standard profile to decide them."""
    decided = any(not row["verdict"].startswith("undecided") for row in rows)
    claiming = [plan for plan in tally.plans if plan.study.spec.claims and "standard" in plan.study.spec.profiles]
    return not decided and any(plan.name == "quick" for plan in claiming)


def _width() -> int:
    """Columns of the terminal within reason; elsewhere as many as a wide page has."""
    import shutil

    return min(max(shutil.get_terminal_size().columns, 80), 140) if sys.stdout.isatty() else 110


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


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1))


if __name__ == "__main__":
    main()

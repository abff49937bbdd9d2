"""`verify`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradstudy.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from gradstudy.report.verify.finding import Verification


@click.command()
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option(
    "--strength", type=click.Choice(["redraw", "recompute", "rerun"]), default="recompute", show_default=True,
    help="redraw: figures from their stored tables. recompute: of a report also estimates, verdicts, words, numbers "
    "and pages. rerun: also execute the runs again.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), help="Runs at a time. [default: as many as there are cores for]")
@click.option(
    "--tolerance", type=click.FloatRange(min=0, max=1), default=1e-6, show_default=True,
    help="How far a number may be off when run again, relative to the largest magnitude of its column.",
)  # fmt: skip
@workspace_option
@json_option
def verify(targets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Verify figures and reports; exit with 3 when one differs, with 1 when one could not be verified.

    TARGET is a figure (STUDY/FIGURE), a report (STUDY, or its folder), a folder of reports, or a PNG, SVG or PDF that
    gradstudy made, wherever it has got to: it says itself which figure of which report it is.
    """
    from gradstudy.report.verify import told
    from gradstudy.report.verify.finding import EXIT_CODES, worst

    # A scheduler's SIGTERM is an interrupt: runs are stopped in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = _verified(targets, told_as_text=not as_json, **options)
    if as_json:
        print_json([told.as_json(one) for one in found])
    else:
        click.echo(told.total(found))
    outcome = worst(one.outcome for one in found)
    if outcome in EXIT_CODES:
        click.get_current_context().exit(EXIT_CODES[outcome])


def _verified(
    targets: tuple[str, ...], strength: Any, jobs: int | None, tolerance: float, workspace: Path, told_as_text: bool
) -> list[Verification]:
    from gradstudy.report.verify import told
    from gradstudy.report.verify.executed import Execution
    from gradstudy.report.verify.target import verify as verified
    from gradstudy.study.executor import Budget, count_cores
    from gradstudy.study.progress import progress

    found = []
    with progress() as reporter:
        execution = Execution(reporter, tolerance, Budget(jobs, count_cores()))
        for target in targets:
            for one in verified(target, workspace, strength, execution):
                found.append(one)
                if told_as_text:
                    click.echo(told.as_text(one))
    return found

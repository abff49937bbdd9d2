"""`clean`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradstudy.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from gradstudy.study.clean import Leftover


@click.command()
@click.option("--yes", is_flag=True, help="Remove without asking.")
@workspace_option
@json_option
def clean(yes: bool, workspace: Path, as_json: bool) -> None:
    """Remove from runs/ and reports/ what no profile of a study and no report refers to, and say what before.

    That is: runs of other parameters or of notebooks as they were, earlier attempts, checkpoints of code that has
    changed, files of interrupted writes, reports that were being built when their builder was killed. Reports, and runs
    that a plan or a report refers to, stay. With --json it does not ask: without --yes it only says what.
    """
    from gradstudy.report.cited import cited_runs
    from gradstudy.study import clean as cleaning
    from gradstudy.study.catalog import all_studies

    with cleaning.held(workspace):
        found = cleaning.leftovers(all_studies(workspace), workspace, cited_runs(workspace))
        if not as_json:
            _tell(found, workspace)
        agreed = bool(found) and (yes or (not as_json and _asked(len(found))))
        if agreed:
            cleaning.remove(found)
    if as_json:
        rows = [
            {"path": str(one.path.relative_to(workspace)), "reason": one.reason, "bytes": one.bytes} for one in found
        ]
        print_json({"leftovers": rows, "removed": agreed})
    elif agreed:
        click.echo(f"removed {len(found)}")


def _tell(found: tuple[Leftover, ...], workspace: Path) -> None:
    for one in found:
        click.echo(f"{one.path.relative_to(workspace)}: {one.reason}, {one.bytes / 1e6:.1f} MB")
    click.echo(f"{len(found)} to remove, {sum(one.bytes for one in found) / 1e6:.1f} MB")


def _asked(count: int) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; --yes removes what is named, without asking")
    return click.confirm(f"Remove these {count}?", default=False, err=True)

"""`claims`."""

from __future__ import annotations

from pathlib import Path

import click

from gradstudy.cli.options import json_option, print_json, profile_option, width, workspace_option


@click.command()
@profile_option("standard")
@click.option(
    "--check", is_flag=True,
    help="Compare with what the runs in the workspace give now; exit with 1 when a verdict has changed.",
)  # fmt: skip
@workspace_option
@json_option
def claims(profile: str, check: bool, workspace: Path, as_json: bool) -> None:
    """Print the claims ledger: what the reports of a profile decide."""
    if check:
        _check(profile, workspace, as_json)
        return
    from gradstudy.report import ledger
    from gradstudy.study.workspace import profile_reports

    reports = profile_reports(workspace, profile)
    rows, broken = ledger.readable_rows(reports)
    if as_json:
        print_json(rows)
    else:
        click.echo(ledger.as_text(rows, width()) if rows else ledger.none(reports))
    if broken:  # the others' verdicts are told whatever has become of it
        raise broken[0]


def _check(profile: str, workspace: Path, as_json: bool) -> None:
    from gradstudy.report.drift import drift

    found = drift(profile, workspace)
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(found)
    if found.changes:
        click.get_current_context().exit(1)

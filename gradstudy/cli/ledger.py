"""`claims`."""

from __future__ import annotations

from pathlib import Path

import click

from gradstudy.cli.options import json_option, print_json, profile_option, width, workspace_option


@click.command()
@profile_option("standard")
@workspace_option
@json_option
def claims(profile: str, workspace: Path, as_json: bool) -> None:
    """Print the claims ledger: what the reports of a profile decide."""
    from gradstudy.report import ledger
    from gradstudy.study.workspace import profile_reports

    reports = profile_reports(workspace, profile)
    rows = ledger.rows(reports)
    if as_json:
        print_json(rows)
    else:
        click.echo(ledger.as_text(rows, width()) if rows else ledger.none(reports))

"""`cite`."""

from __future__ import annotations

from pathlib import Path

import click

from gradstudy.cli.options import workspace_option


@click.command()
@click.argument("figure")
@workspace_option
def cite(figure: str, workspace: Path) -> None:
    """Print BibTeX and a LaTeX snippet for FIGURE: an id (STUDY/NAME) or a PNG that gradstudy drew."""
    from gradstudy.report.cite import cite as cite_figure

    click.echo(cite_figure(figure, workspace))

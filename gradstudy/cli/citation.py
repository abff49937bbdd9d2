"""`cite`."""

from __future__ import annotations

from pathlib import Path

import click

from gradstudy.cli.options import workspace_option


@click.command()
@click.argument("target")
@click.option(
    "-o", "output", type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the figure, drawn from its stored table, as .pdf, .svg or .png.",
)  # fmt: skip
@workspace_option
def cite(target: str, output: Path | None, workspace: Path) -> None:
    """Print BibTeX and LaTeX for TARGET.

    TARGET is a figure (STUDY/FIGURE), a claim (CLAIM or STUDY/CLAIM), a whole report (STUDY), or a PNG, SVG or PDF that
    gradstudy made.
    """
    from gradstudy.report import cite as citing

    if output:
        _write(target, output, workspace)
    click.echo(citing.cite(target, workspace, output), nl=False)


def _write(target: str, output: Path, workspace: Path) -> None:
    from gradstudy.records import write_atomic
    from gradstudy.report import cite as citing
    from gradstudy.report.identity import KINDS

    kind = KINDS.get(output.suffix.lower())
    if kind is None:
        raise click.UsageError(f"-o {output}: the ending says the format, one of {', '.join(KINDS)}")
    if output.exists():
        raise click.UsageError(f"{output} is there already; choose another name with -o")
    write_atomic(output, citing.draw(target, workspace).file(kind))

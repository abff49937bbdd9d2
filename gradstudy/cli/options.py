"""What several commands take and print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gradstudy.study.catalog import Study


def workspace_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--workspace`, as the folder that it or its defaults name."""
    return click.option(
        "--workspace",
        type=click.Path(file_okay=False, path_type=Path),
        callback=lambda ctx, parameter, value: _find_workspace(value),
        help="Folder of studies/, runs/ and reports/. [default: $GRADSTUDY_WORKSPACE, else the current folder]",
    )(command)


def profile_option(default: str) -> Callable[..., Any]:
    """`--profile`."""
    return click.option(
        "--profile", type=click.Choice(["quick", "standard", "paper"]), default=default, show_default=True,
        help="quick: seconds. standard: minutes, the committed reports. paper: the paper's own setting.",
    )  # fmt: skip


jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), help="Runs at a time. [default: as many as there are cores for]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
studies_argument = click.argument("slugs", metavar="[STUDY]...", nargs=-1)
parameter_option = click.option(
    "-p", "assignments", metavar="NAME=VALUE", multiple=True, help="Set a parameter on every point of one STUDY."
)


def check_single(slugs: tuple[str, ...], assignments: tuple[str, ...]) -> None:
    """Refuse `-p` without the one study whose parameters it sets."""
    if assignments and len(slugs) != 1:
        raise click.UsageError("-p needs exactly one STUDY: parameters belong to a notebook")


def chosen(slugs: tuple[str, ...], profile: str, workspace: Path) -> tuple[Study, ...]:
    """The studies named, or all that have the profile."""
    from gradstudy.study.catalog import find_studies

    studies = find_studies(slugs, workspace)
    having = tuple(study for study in studies if profile in study.spec.profiles)
    if slugs or not having:
        for study in studies:
            study.spec.profile(profile)  # says which there are
    return having


def width() -> int:
    """Columns of the terminal within reason; elsewhere as many as a wide page has."""
    import shutil

    return min(max(shutil.get_terminal_size().columns, 80), 140) if sys.stdout.isatty() else 110


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1))


def _find_workspace(given: Path | None) -> Path:
    from gradstudy.study.workspace import find_workspace

    return find_workspace(given)

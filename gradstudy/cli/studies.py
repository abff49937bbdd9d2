"""`list`, `init`, `notebook` and `doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from gradstudy.cli.options import json_option, parameter_option, print_json, profile_option, workspace_option


@click.command("list")
@workspace_option
@json_option
def list_(workspace: Path, as_json: bool) -> None:
    """List the studies and their profiles."""
    from gradstudy.study.catalog import all_studies

    studies = all_studies(workspace)
    if as_json:
        print_json([{"study": s.slug, "title": s.spec.title, "profiles": list(s.spec.profiles)} for s in studies])
        return
    for study in studies:
        click.echo(f"{study.slug}\n  {study.spec.title}\n  profiles: {', '.join(study.spec.profiles)}")


@click.command()
@click.argument("slug", metavar="NAME")
@workspace_option
def init(slug: str, workspace: Path) -> None:
    """Begin a study of your own: studies/NAME in the workspace, whole and running, to be changed."""
    from gradstudy.study.beginning import begin

    folder = begin(slug, workspace)
    click.echo(folder)
    click.echo(
        f"Put your model into lib.py, what is kept into notebook.py, then\n"
        f"  gradstudy run {slug}          # runs, report, claims\n"
        f"  gradstudy cite {slug}/decay   # a figure of its report\n"
        f"  gradstudy verify {slug}       # draws and decides it again, and compares",
        err=True,
    )


@click.command()
@click.argument("slug", metavar="STUDY")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="[default: STUDY.ipynb]")
@parameter_option
@profile_option("quick")
@workspace_option
def notebook(slug: str, output: Path | None, assignments: tuple[str, ...], profile: str, workspace: Path) -> None:
    """Write the notebook of STUDY as .ipynb, to be opened in Jupyter.

    `papermill --engine gradstudy STUDY.ipynb out.ipynb` then keeps a run of it, with the profile's threads and data.
    """
    from gradstudy.records import write_atomic
    from gradstudy.study.catalog import find_study
    from gradstudy.study.notebook import read_notebook, to_ipynb
    from gradstudy.study.parameters import parse_assignments

    target = output or Path(f"{slug}.ipynb")
    study = find_study(slug, workspace)
    study.spec.profile(profile)
    found = read_notebook(study.notebook)
    origin = {"study": slug, "profile": profile}
    if target.exists():
        raise click.UsageError(f"{target} is there already; choose another name with -o")
    given = parse_assignments(found.schema, assignments)
    write_atomic(target, to_ipynb(found.text, given, origin).encode())
    click.echo(target)


@click.command()
@workspace_option
@json_option
def doctor(workspace: Path, as_json: bool) -> None:
    """Print versions, cores and threads, data sets found, workspace and studies."""
    from gradstudy.study.doctor import examine

    facts = examine(workspace)
    if as_json:
        print_json(facts)
        return
    for name, fact in facts.items():
        if isinstance(fact, dict):
            click.echo("\n".join([f"{name}:", *(f"  {key}: {value}" for key, value in fact.items())]))
        else:
            click.echo(f"{name}: {', '.join(fact) if isinstance(fact, list) else fact}")

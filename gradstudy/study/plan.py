"""What a profile of a study would run, and what of it is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradstudy.study.catalog import Study
from gradstudy.study.data import declared
from gradstudy.study.evidence import Present
from gradstudy.study.grid import Point, points
from gradstudy.study.identity import Data, code_of, identity
from gradstudy.study.ledger import State, state
from gradstudy.study.notebook import Notebook, read_notebook
from gradstudy.study.parameters import parse_assignments
from gradstudy.study.spec import Profile
from gradstudy.study.workspace import run_folder


@dataclass(frozen=True)
class Planned:
    """A point, its run's identity and where the run stands."""

    point: Point
    digest: str
    folder: Path
    state: State


@dataclass(frozen=True)
class Plan:
    """The points of a study's profile, in grid order.

    Args:
        study: the study.
        name: of the profile.
        profile: threads, timeout, groups.
        notebook: as it was read for the identities.
        data: declared data sets.
        overrides: parameters that were set on every point; empty for the profile as it is written.
        points: in the order of study.yaml.
    """

    study: Study
    name: str
    profile: Profile
    notebook: Notebook
    data: Data
    overrides: Mapping[str, Any]
    points: tuple[Planned, ...]


def make_plan(
    study: Study, profile: str, workspace: Path, *, assignments: Sequence[str] = (), present: Present | None = None
) -> Plan:
    """Plan of a profile; everything that study.yaml and the notebook can have wrong is found here.

    Args:
        study: the study.
        profile: its name.
        workspace: where the runs lie.
        assignments: `name=value` texts, set on every point.
        present: code and versions as they are, shared between plans to look each up once.
    """
    chosen = study.spec.profile(profile)
    notebook = read_notebook(study.notebook)
    overrides = parse_assignments(notebook.schema, assignments)
    data = declared(chosen.data, study.slug)
    code, present = code_of(notebook), present or Present()

    def planned(point: Point) -> Planned:
        digest = identity(code, point.parameters, data, chosen.threads)
        folder = run_folder(workspace, study.slug, digest)
        return Planned(point, digest, folder, state(folder, present))

    found = tuple(planned(point) for point in points(chosen, notebook.schema, overrides))
    return Plan(study, profile, chosen, notebook, data, overrides, found)

"""Points of a profile: the product of each group's axes, and its controls."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradstudy.errors import ParameterError, StudySpecError
from gradstudy.study.parameters import Schema, coerce
from gradstudy.study.spec import Control, Group, Profile


@dataclass(frozen=True)
class Point:
    """A group's point, or a control's: `group` is then the group that the control is like.

    Args:
        group: the group's name.
        control: the control's name, empty for a point of the grid itself.
        parameters: every parameter of the notebook, coerced.
    """

    group: str
    control: str
    parameters: Mapping[str, Any]


def points(profile: Profile, schema: Schema, overrides: Mapping[str, Any] | None = None) -> tuple[Point, ...]:
    """Points of a profile in the order of study.yaml, groups before controls.

    Args:
        profile: groups and controls.
        schema: parameters of the notebook.
        overrides: set on every point. Axes that are overridden collapse, and a control that plants an overridden
            parameter is left out: there would be no difference left to find.

    Raises:
        StudySpecError: a parameter or value that the notebook does not take, a point twice in a group, or a control
            that changes nothing.
    """
    given = coerce_some(schema, overrides or {})
    groups = {group.name: tuple(_group_points(group, schema, given)) for group in profile.grid}
    grid = [point for found in groups.values() for point in found]
    controls = [
        point
        for control in profile.controls
        if not control.plant.keys() & given.keys()
        for point in _control_points(control, groups[control.like], schema)
    ]
    return tuple(grid + controls)


def coerce_some(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given parameters alone, coerced."""
    resolved = coerce(schema, given)
    return {name: resolved[name] for name in given}


def _group_points(group: Group, schema: Schema, overrides: Mapping[str, Any]) -> Iterator[Point]:
    seen: set[str] = set()
    for values in itertools.product(*group.over.values()):
        axes = dict(zip(group.over, values, strict=True))
        parameters = _coerce(f"group {group.name}", schema, {**group.set, **axes}) | dict(overrides)
        key = json.dumps(parameters)
        if key not in seen:
            seen.add(key)
            yield Point(group.name, "", parameters)
        elif not overrides:
            raise _refused(f"group {group.name}: the point {axes} twice", "counts one run as two replicates")


def _control_points(control: Control, like: Sequence[Point], schema: Schema) -> list[Point]:
    planted = [_plant(control, point, schema) for point in like]
    if len({json.dumps(dict(point.parameters)) for point in planted}) < len(planted):
        raise _refused(
            f"control {control.name}: {control.plant} makes one of several points of group {control.like}",
            "counts one run as two replicates",
        )
    return planted


def _plant(control: Control, point: Point, schema: Schema) -> Point:
    parameters = _coerce(f"control {control.name}", schema, {**point.parameters, **control.plant})
    if json.dumps(parameters) == json.dumps(point.parameters):
        raise _refused(
            f"control {control.name}: {control.plant} is what group {point.group} has already",
            "a control without a planted cause shows nothing",
        )
    return Point(point.group, control.name, parameters)


def _coerce(where: str, schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return coerce(schema, given)
    except ParameterError as error:
        raise StudySpecError(
            f"{where}: {error.came}", needed=error.needed, why=error.why, remedy=error.remedy
        ) from error


def _refused(came: str, why: str) -> StudySpecError:
    return StudySpecError(came, needed="points that differ", why=why, remedy="correct study.yaml; nothing was run")

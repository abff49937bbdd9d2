"""study.yaml: what a study asks, claims and runs."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gradstudy.errors import StudySpecError, UnknownProfileError
from gradstudy.study import yaml12

ProfileName = Literal["quick", "standard", "paper"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


# Why a key's value is held to what its model says; the last name of the place decides.
_WHY = {
    "timeout": "a run is ended after so many seconds; otherwise it would end at once, or never",
    "memory": "a run that takes more megabytes is ended as `oom`; under 256, not even Python and a kernel start",
    "threads": "threads are pinned in the run's process and are part of the run's identity",
    "name": "groups and controls are known by their names in tables, claims and reports",
    "plant": "a control differs from its group in exactly one planted cause",
    "grid": "the groups say what is run",
    "over": "an axis is the list of the values that a parameter takes",
    "authors": "whoever cites the study names them",
    "year": "whoever cites the study dates it by it",
    "[key]": "a profile is chosen by its name, with --profile",
}


class _Misfit(ValueError):  # noqa: N818 - told as a StudySpecError, which knows the file
    """Parts of a study.yaml that do not fit together."""

    def __init__(self, came: str, *, needed: str, why: str) -> None:
        self.needed, self.why = needed, why
        super().__init__(came)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Group(_Model):
    """Points of a grid: fixed parameters, and the product of the axes."""

    name: Name
    set: dict[str, Any] = {}
    over: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _set_or_over(self) -> Group:
        if both := sorted(self.set.keys() & self.over.keys()):
            raise _Misfit(
                f"{', '.join(both)}: a parameter stands in `set` or in `over`, not in both",
                needed=f"{', '.join(both)} in one of the two",
                why="one of its values would be dropped silently",
            )
        return self


class Control(_Model):
    """The points of a group with one parameter planted."""

    name: Name
    like: str
    plant: Annotated[dict[str, Any], Field(min_length=1, max_length=1)]


class Profile(_Model):
    """What is run at one expense: seconds, minutes, or a cluster's hours."""

    threads: Annotated[int, Field(ge=1)] = 1
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    memory: Annotated[int, Field(ge=256)] | None = None
    data: list[str] = []
    grid: Annotated[list[Group], Field(min_length=1)]
    controls: list[Control] = []

    @model_validator(mode="after")
    def _names_fit(self) -> Profile:
        names = Counter([group.name for group in self.grid] + [control.name for control in self.controls])
        if twice := [name for name, count in names.items() if count > 1]:
            raise _Misfit(
                f"{', '.join(twice)}: every group and control needs a name of its own",
                needed="names that differ",
                why="tables and claims tell groups and controls apart by their names",
            )
        groups = {group.name for group in self.grid}
        for control in self.controls:
            if control.like not in groups:
                raise _Misfit(
                    f"control {control.name} is like {control.like}, which is no group of this profile",
                    needed=f"`like` one of: {', '.join(sorted(groups))}",
                    why="a control's points are those of the group it is like, with one cause planted",
                )
        return self


class StudySpec(_Model):
    """A whole study.yaml."""

    title: Text
    question: Text
    method: Text
    sources: list[str] = []
    claims: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    data: list[str] = []
    timings: list[str] = []
    authors: list[Text] = []
    year: Annotated[int, Field(ge=1000, le=9999)] | None = None
    profiles: Annotated[dict[ProfileName, Profile], Field(min_length=1)]

    @model_validator(mode="after")
    def _claims_fit(self) -> StudySpec:
        groups = {group.name for profile in self.profiles.values() for group in profile.grid}
        for claim, names in self.claims.items():
            if missing := sorted(set(names) - groups):
                raise _Misfit(
                    f"claim {claim} is decided on {', '.join(missing)}, a group of no profile",
                    needed=f"groups out of: {', '.join(sorted(groups))}",
                    why="without their runs the claim would stay undecided for ever",
                )
        return self

    def profile(self, name: str) -> Profile:
        """The profile of that name."""
        for known, profile in self.profiles.items():
            if known == name:
                return profile
        raise UnknownProfileError(
            f"the profile {name!r}",
            needed=f"one of: {', '.join(self.profiles)}",
            why="a profile says which points are run",
            remedy="choose one with --profile, or add it to study.yaml",
        )


def read_spec(path: Path) -> StudySpec:
    """Specification in a study.yaml.

    Raises:
        StudySpecError: naming the file, the key and what is allowed there.
    """
    try:
        return StudySpec.model_validate(yaml12.load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise _refused(path, [_explain(problem) for problem in error.errors()]) from error
    except OSError as error:
        unread = _Misfit(
            str(error), needed="a file that can be read", why="it says what the study asks, claims and runs"
        )
        raise _refused(path, [unread]) from error
    except ValueError as error:  # a UnicodeDecodeError is one too
        unread = _Misfit(
            str(error),
            needed="YAML 1.2 in UTF-8, every key once, without anchors, aliases and tags",
            why="the file cannot be read, or could be read in two ways",
        )
        raise _refused(path, [unread]) from error


def _explain(problem: Any) -> _Misfit:
    place = ".".join(map(str, problem["loc"])) or "the file"
    match problem["type"]:
        case "extra_forbidden":
            return _unknown_key(place, problem["loc"])
        case "missing":
            return _Misfit(f"{place}: this key is needed", needed=place, why="nothing else says what is meant")
        case "value_error" if isinstance(misfit := problem["ctx"]["error"], _Misfit):
            return _Misfit(f"{place}: {misfit}", needed=misfit.needed, why=misfit.why)
    names = (part for part in reversed(problem["loc"]) if part in _WHY)
    why = _WHY.get(next(names, ""), "a value of another kind would be taken for something that was not meant")
    came = f"{place}: {shorten(json.dumps(problem['input'], default=repr), 80)}"
    return _Misfit(came, needed=f"{place}: {problem['msg']}", why=why)


def _unknown_key(place: str, location: tuple[int | str, ...]) -> _Misfit:
    allowed = _keys_at(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    return _Misfit(
        f"{place}: unknown key{f', did you mean {close[0]}?' if close else ''}",
        needed=f"one of: {', '.join(allowed)}",
        why="a key that is not understood would change nothing, silently",
    )


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    kinds: dict[str, type[_Model]] = {"grid": Group, "controls": Control, "profiles": Profile}
    model = next((kinds[key] for key in reversed(location) if isinstance(key, str) and key in kinds), StudySpec)
    return list(model.model_fields)


def _refused(path: Path, misfits: Sequence[_Misfit]) -> StudySpecError:
    return StudySpecError(
        f"{path}: {'; '.join(map(str, misfits))}",
        needed="; ".join(dict.fromkeys(misfit.needed for misfit in misfits)),
        why="; ".join(dict.fromkeys(misfit.why for misfit in misfits)),
        remedy="correct the file; nothing was run",
    )

"""study.yaml: what a study asks, claims and runs."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gradstudy.errors import StudySpecError, UnknownProfileError
from gradstudy.study import yaml12

ProfileName = Literal["quick", "standard", "paper"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


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
            raise ValueError(f"{', '.join(both)}: a parameter stands in `set` or in `over`, not in both")
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
    data: list[str] = []
    grid: Annotated[list[Group], Field(min_length=1)]
    controls: list[Control] = []

    @model_validator(mode="after")
    def _names_fit(self) -> Profile:
        names = Counter([group.name for group in self.grid] + [control.name for control in self.controls])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"{', '.join(twice)}: every group and control needs a name of its own")
        groups = {group.name for group in self.grid}
        for control in self.controls:
            if control.like not in groups:
                raise ValueError(f"control {control.name} is like {control.like}, which is no group of this profile")
        return self


class StudySpec(_Model):
    """A whole study.yaml."""

    title: Text
    question: Text
    method: Text
    sources: list[str] = []
    claims: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    data: list[str] = []
    profiles: Annotated[dict[ProfileName, Profile], Field(min_length=1)]

    @model_validator(mode="after")
    def _claims_fit(self) -> StudySpec:
        groups = {group.name for profile in self.profiles.values() for group in profile.grid}
        for claim, names in self.claims.items():
            if missing := sorted(set(names) - groups):
                raise ValueError(f"claim {claim} is decided on {', '.join(missing)}, a group of no profile")
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
        raise _refused(path, "; ".join(_explain(problem) for problem in error.errors())) from error
    except (OSError, ValueError) as error:  # a UnicodeDecodeError is a ValueError
        raise _refused(path, str(error)) from error


def _explain(problem: Any) -> str:
    place = ".".join(map(str, problem["loc"])) or "the file"
    if problem["type"] == "extra_forbidden":
        allowed = _keys_at(problem["loc"][:-1])
        close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        return f"{place}: unknown key (allowed: {', '.join(allowed)}{f'; did you mean {close[0]}?' if close else ''})"
    if problem["type"] == "missing":
        return f"{place}: this key is needed"
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    kinds: dict[str, type[_Model]] = {"grid": Group, "controls": Control, "profiles": Profile}
    model = next((kinds[key] for key in reversed(location) if isinstance(key, str) and key in kinds), StudySpec)
    return list(model.model_fields)


def _refused(path: Path, came: str) -> StudySpecError:
    return StudySpecError(
        f"{path}: {came}",
        needed="the keys of docs/architecture.md, `study.yaml`",
        why="a key that is not understood would change nothing, silently",
        remedy="correct the file; nothing was run",
    )

"""The form of report.json: what may stand in one is checked before anything of it is used.

A report's folder can be anybody's. Names of studies, tables and figures become paths, so they have the form of names;
files are where their names say and nowhere else; links lead to the web.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gradstudy.errors import ReportError
from gradstudy.report import edition

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\W\d]\w*$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]*$")]
Number = float | Literal["NaN", "Infinity", "-Infinity"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


Made = Mapping[str, tuple[str, ...]]
"""Kind of prose to the parts that it has."""


class _Prose(_Part):
    """A piece of prose, which has what its kind is made of."""

    made: ClassVar[Made]
    kind: str

    @model_validator(mode="after")
    def _has_what_it_is_made_of(self) -> Self:
        if self.kind not in self.made:
            raise ValueError(f"prose of the kind {self.kind!r}")
        if missing := set(self.made[self.kind]) - self.model_fields_set:
            raise ValueError(f"a {self.kind} without {', '.join(sorted(missing))}")
        return self


class _Span(_Prose):
    made: ClassVar[Made] = {
        "text": ("text",), "code": ("text",), "break": (), "emphasis": ("spans",), "strong": ("spans",),
        "link": ("spans", "href"),
    }  # fmt: skip
    text: str = ""
    spans: list[_Span] = []
    href: Annotated[str, StringConstraints(pattern=r"^(https?:|mailto:|[^:]*$)")] = ""


class _Block(_Prose):
    made: ClassVar[Made] = {
        "paragraph": ("spans",), "heading": ("spans",), "code": ("text",), "rule": (), "quote": ("blocks",),
        "list": ("items", "ordered"),
    }  # fmt: skip
    text: str = ""
    spans: list[_Span] = []
    blocks: list[_Block] = []
    items: list[list[_Block]] = []
    ordered: bool = False


class _Estimate(_Part):
    condition: str
    value: Number
    low: Number
    high: Number
    n: int
    unit: str
    text: str


class _Control(_Part):
    name: str
    plants: str
    expected: str
    found: str
    as_planted: bool
    estimates: list[_Estimate]
    runs: str


class _Region(_Part):
    low: Number
    high: Number
    text: str


class _Effect(_Part):
    text: str
    n: str
    condition: str
    conditions: int


class _Claim(_Part):
    id: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$")]
    statement: str
    source: str
    source_status: str
    kind: str
    setting: str
    region: _Region
    replicate: str
    groups: list[str]
    verdict: str
    reason: str
    effect: _Effect
    estimates: list[_Estimate]
    controls: list[_Control]
    controls_text: str
    runs: str


class _Figure(_Part):
    name: Name
    id: str
    title: str
    tables: list[Name]
    caption: list[_Block]
    alt: str
    width: float
    png: str
    svg: str
    missing: str

    @model_validator(mode="after")
    def _where_its_name_says(self) -> Self:
        for kind, place in (("png", self.png), ("svg", self.svg)):
            if place not in ("", f"figures/{self.name}.{kind}"):
                raise ValueError(f"the {kind} of {self.name} is not where its name says")
        return self


class _Table(_Part):
    name: Name
    file: str
    rows: int
    sha256: Digest

    @model_validator(mode="after")
    def _where_its_name_says(self) -> Self:
        if self.file != f"tables/{self.name}.csv":
            raise ValueError(f"the file of {self.name} is not where its name says")
        return self


class _Run(_Part):
    run: Digest
    group: str
    control: str
    status: str
    error: str
    parameters: dict[str, Any]
    text: str


class _Evidence(_Part):
    modules: dict[str, str]
    versions: dict[str, str]


class _Usual(_Part):
    name: str
    value: Any
    text: str


class _Group(_Part):
    group: str
    control: str
    text: str


class _Runs(_Part):
    text: str
    usual: list[_Usual] = []  # not in schema 1
    groups: list[_Group]
    differences: dict[str, _Evidence] = {}  # not in schema 1
    runs: list[_Run] = Field(alias="list")


class _Source(_Part):
    key: Annotated[str, StringConstraints(pattern=r"^[\w:.+-]+$")]
    text: str
    url: Annotated[str, StringConstraints(pattern=r"^(https?://.*)?$")]
    bibtex: str


class _Outcome(_Part):
    verdict: str
    claims: list[str]


class _Report(_Part):
    schema_: Literal[1, 2] = Field(alias="schema")
    study: Slug
    profile: Literal["quick", "standard", "paper"]
    title: str
    authors: list[str] = []
    year: int | None = None
    question: list[_Block]
    method: list[_Block]
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
    version: str
    summary: list[_Outcome]
    claims: list[_Claim]
    figures: list[_Figure]
    sources: list[_Source]
    tables: list[_Table]
    runs: _Runs
    evidence: _Evidence
    drawn_with: dict[str, str]
    stamp: Digest

    @model_validator(mode="after")
    def _has_what_its_schema_has(self) -> Self:
        if self.schema_ > 1 and not {"usual", "differences"} <= self.runs.model_fields_set:
            raise ValueError("runs without what is usual to them, or without their differences")
        return self


def run_rows(runs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a report's `runs`, each with all its parameters.

    The value that most runs have stands once, under `usual`; reports of schema 1 have every value in every row.
    """
    usual = {parameter["name"]: parameter["value"] for parameter in runs.get("usual", ())}
    return [{**row, "parameters": {**usual, **row["parameters"]}} for row in runs["list"]]


def load(path: Path) -> dict[str, Any]:
    """Content of one report.json, every run with all its parameters.

    Raises:
        ReportError: it is cut off, of another edition's form, or of none that gradstudy writes.
    """
    name = "/".join(path.parts[-3:])
    try:
        return parse(path.read_bytes(), name)
    except OSError as error:
        raise _refused(name, f"cannot be read ({error})") from error


def parse(content: bytes, name: str) -> dict[str, Any]:
    """As `load`, of bytes; `name` is told when they are refused."""
    try:
        report = json.loads(content)
        if report["schema"] in edition.READABLE:
            _Report.model_validate(report)
            return {**report, "runs": {**report["runs"], "list": run_rows(report["runs"])}}
        came = f"is of schema {report['schema']!r}"
    except ValidationError as error:
        first = error.errors()[0]
        came = f"does not fit: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        came = f"cannot be read ({error})"
    raise _refused(name, came)


def _refused(name: str, came: str) -> ReportError:
    return ReportError(
        f"{name} {came}",
        needed=f"a report of schema {edition.SCHEMA}, as gradstudy writes it",
        why="its claims and figures would be missing from the ledger without a word",
        remedy="remove its folder, then `gradstudy run` or `gradstudy report`",
    )

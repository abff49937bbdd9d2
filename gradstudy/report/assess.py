"""Claims on the records: the claim's own runs, its controls, and what they say together.

A claim is decided only on all of its runs, when all used the same code and every control came out as planted. A
measure that cannot be computed leaves it undecided, with the reason in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gradstudy.claims.claim import Claim, Control, Estimate, Verdict, decide
from gradstudy.report import words
from gradstudy.study.evidence import differing
from gradstudy.study.results import RUN_CHARACTERS

if TYPE_CHECKING:
    import pandas as pd

    from gradstudy.study.results import RunSummary

# Modules and versions that a verdict's obstacle names; all of them are in report.json.
_NAMED = 3


@dataclass(frozen=True)
class Runs:
    """How the runs that a measurement rests on ended."""

    ok: int
    failed: int
    missing: int

    @classmethod
    def of(cls, runs: Iterable[RunSummary]) -> Runs:
        """Counts of the runs by how they ended."""
        ends = [run.status for run in runs]
        ok, missing = ends.count("ok"), ends.count("missing") + ends.count("no-data")
        return cls(ok, len(ends) - ok - missing, missing)

    @property
    def whole(self) -> bool:
        """Whether every run of the plan is there."""
        return self.failed == self.missing == 0

    def __str__(self) -> str:
        lost = [f"{self.failed} failed"] * bool(self.failed) + [f"{self.missing} missing"] * bool(self.missing)
        return ", ".join([words.count(self.ok, "run"), *lost])


@dataclass(frozen=True)
class Measured:
    """What a measure gave on some runs.

    Args:
        estimates: what it gave.
        error: why there are none.
        silent: how many ok runs had no row for it.
        seen: table to the runs whose rows in it the measure was given.
    """

    estimates: tuple[Estimate, ...] = ()
    error: str = ""
    silent: int = 0
    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ControlOutcome:
    """A control, what was found on its runs and how they ended; `found` is empty when nothing could be measured."""

    control: Control
    measured: Measured
    found: str
    runs: Runs

    @property
    def as_planted(self) -> bool:
        """Whether the control gave the verdict that was planted."""
        return self.found == self.control.expect.value


@dataclass(frozen=True)
class Assessment:
    """A claim with all that its verdict rests on.

    Args:
        claim: the claim.
        groups: the groups of the study on which it is decided.
        verdict: a verdict, or "undecided: ..." with what stands in the way.
        reason: the verdict in words.
        measured: the estimates on the claim's own runs.
        controls: one outcome a control.
        runs: how the claim's own runs ended.
    """

    claim: Claim
    groups: tuple[str, ...]
    verdict: str
    reason: str
    measured: Measured
    controls: tuple[ControlOutcome, ...]
    runs: Runs


@dataclass(frozen=True)
class Records:
    """What a profile's runs left: how each ended, and the tables."""

    profile: str
    runs: tuple[RunSummary, ...]
    tables: Mapping[str, pd.DataFrame]


class MissingRecordsError(KeyError):
    """A measure asked for a table of which there are no rows."""


class _Rows(dict[str, "pd.DataFrame"]):
    """Tables cut to some rows, which know whose rows were asked for; those without a row are not there."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        super().__init__(tables)
        self.seen: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        table = super().__getitem__(name)
        self.seen[name] = tuple(sorted(set(table["run"])))
        return table

    def __missing__(self, name: str) -> pd.DataFrame:
        raise MissingRecordsError(name)


def assess(claim: Claim, groups: Collection[str], records: Records) -> Assessment:
    """The claim decided on the rows of its groups, with its controls."""
    own = [run for run in records.runs if not run.control and run.group in groups]
    measured = _measure(claim, _own_rows(records.tables, groups), own)
    controls = tuple(_control(claim, control, records) for control in claim.controls)
    runs = Runs.of({run.digest: run for run in own}.values())
    found = decide(claim, measured.estimates)
    obstacle = (
        _own_obstacle(measured, runs)
        or _control_obstacle(controls, records.profile)
        or _group_obstacle(groups, own)
        or _code_obstacle(claim, own, records.runs)
    )
    verdict = f"undecided: {obstacle}" if obstacle else found.value
    reason = _reason(claim, measured.estimates, found) if measured.estimates else measured.error
    return Assessment(claim, tuple(groups), verdict, reason, measured, controls, runs)


def deciding(claim: Claim, estimates: tuple[Estimate, ...]) -> Estimate | None:
    """The estimate on which the verdict hangs: the farthest outside, or the best witness of an existence claim."""
    if not estimates:
        return None
    choose = max if claim.kind == "existence" else min
    return choose(estimates, key=claim.region.margin)


def kind_in_words(claim: Claim, estimates: tuple[Estimate, ...]) -> str:
    """How the verdict is meant; a theorem says how far the search for a witness against it went."""
    if claim.kind == "theorem":
        size = sum(estimate.n for estimate in estimates)
        return f"theorem, search of size {size}" if estimates else "theorem"
    return claim.kind


def _own_rows(tables: Mapping[str, pd.DataFrame], groups: Collection[str]) -> _Rows:
    def wanted(table: pd.DataFrame) -> pd.Series[bool]:
        own = table["group"].isin(list(groups)) & (table["control"] == "")
        # Groups may share a run, which is one replicate all the same.
        first = table[own].groupby("run")["group"].transform("first")
        return own & (table["group"] == first.reindex(table.index))

    return _filled(tables, wanted)


def _filled(tables: Mapping[str, pd.DataFrame], wanted: Callable[[pd.DataFrame], pd.Series[bool]]) -> _Rows:
    cut = ((name, table.loc[wanted(table)].reset_index(drop=True)) for name, table in tables.items())
    return _Rows({name: rows for name, rows in cut if len(rows)})


def _measure(claim: Claim, rows: _Rows, runs: Iterable[RunSummary]) -> Measured:
    if not rows:
        return Measured(error="no records")
    try:
        estimates = tuple(claim.measure(rows))
    except MissingRecordsError as missing:
        return Measured(error=f"no records in table {missing.args[0]!r}")
    except (Exception, SystemExit) as error:
        # The report is still worth having; the row says what went wrong, and the claim stays undecided.
        return Measured(error=f"measure failed ({words.raised(error, rows)})")
    if not estimates:
        return Measured(error="no records")
    silent = {run.digest[:RUN_CHARACTERS] for run in runs if run.status == "ok"}.difference(*rows.seen.values())
    return Measured(estimates, silent=len(silent), seen=dict(sorted(rows.seen.items())))


def _control(claim: Claim, control: Control, records: Records) -> ControlOutcome:
    runs = [run for run in records.runs if run.control == control.name]
    measured = _measure(claim, _filled(records.tables, lambda table: table["control"] == control.name), runs)
    found = _in_every_condition(claim, measured.estimates) if measured.estimates else ""
    return ControlOutcome(control, measured, found, Runs.of(runs))


def _own_obstacle(measured: Measured, runs: Runs) -> str:
    if measured.error.startswith("no records"):
        return "no records"
    if measured.error:
        return "measure failed"
    return _part(measured, runs)


def _control_obstacle(controls: tuple[ControlOutcome, ...], profile: str) -> str:
    for outcome in controls:
        name = outcome.control.name
        if outcome.found and not outcome.as_planted:
            return f"control {name} came out {outcome.found}"
        if outcome.measured.error.startswith("measure failed"):
            return f"control {name} could not be measured"
    absent = [outcome for outcome in controls if not outcome.found]
    if absent:
        # The full set of controls belongs to standard; quick may be too small to hold them.
        return f"control {absent[0].control.name} not run" if profile == "standard" else "controls in standard"
    for outcome in controls:
        if part := _part(outcome.measured, outcome.runs):
            return f"control {outcome.control.name} has {part}"
    return ""


def _part(measured: Measured, runs: Runs) -> str:
    """What is not there of the runs that a measurement should rest on."""
    if not runs.whole:
        return f"only {runs}"
    return f"{words.count(measured.silent, 'run')} without records for it" if measured.silent else ""


def _group_obstacle(groups: Collection[str], own: Iterable[RunSummary]) -> str:
    absent = [group for group in groups if group not in {run.group for run in own}]
    return f"no runs of {', '.join(absent)} in this profile" if absent else ""


def _code_obstacle(claim: Claim, own: Iterable[RunSummary], runs: Iterable[RunSummary]) -> str:
    planted = {control.name for control in claim.controls}
    used = [run.evidence for run in (*own, *(run for run in runs if run.control in planted)) if run.evidence]
    names = differing(used)
    more = ", ..." if len(names) > _NAMED else ""
    return f"its runs differ in {', '.join(names[:_NAMED])}{more}" if names else ""


def _reason(claim: Claim, estimates: tuple[Estimate, ...], found: Verdict) -> str:
    inside = sum(claim.region.contains(estimate) for estimate in estimates)
    outside = sum(claim.region.excludes(estimate) for estimate in estimates)
    asked = words.region(claim.region)
    total = len(estimates)
    if any(math.isnan(estimate.low) or math.isnan(estimate.high) for estimate in estimates):
        return "An estimate is not a number."
    if claim.kind == "existence":
        return f"{words.count(inside, 'witness', 'witnesses')} {asked} among {total}."
    if found is Verdict.SUPPORTED:
        return f"The whole interval lies {asked}{_each(total)}."
    if found is Verdict.REFUTED:
        return f"The whole interval lies outside, not {asked}{_some(outside, total)}."
    return f"The interval reaches across the border: asked for is {asked}{_some(total - inside, total)}."


def _each(total: int) -> str:
    return f", in each of {total} conditions" if total > 1 else ""


def _some(part: int, total: int) -> str:
    return f", in {part} of {total} conditions" if total > 1 else ""


def _in_every_condition(claim: Claim, estimates: tuple[Estimate, ...]) -> str:
    """The verdict on a control's runs; a violation planted in every condition must be found in every one."""
    found = decide(claim, estimates)
    alone = {decide(claim, (estimate,)) for estimate in estimates}
    return found.value if alone == {found} else f"{found.value} in part only"

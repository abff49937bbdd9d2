"""What is to be verified, found by its name, its folder or its file, and how strongly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Literal

from gradstudy.errors import GradstudyError, UnknownFigureError
from gradstudy.report import citable, edition, identity, stored, study_claims
from gradstudy.report.citable import Citable
from gradstudy.report.identity import Identity
from gradstudy.report.metadata import UnreadableError
from gradstudy.report.verify import drawn, executed, pages, whole
from gradstudy.report.verify.executed import Execution
from gradstudy.report.verify.finding import Finding, Outcome, Verification
from gradstudy.report.verify.whole import Again
from gradstudy.study.catalog import find_study
from gradstudy.study.evidence import Present, changes

Strength = Literal["redraw", "recompute", "rerun"]


def verify(target: str, workspace: Path, strength: Strength, execution: Execution) -> Iterator[Verification]:
    """Verify what a target names; each strength includes those before it.

    Args:
        target: a folder of reports or of one, a PNG, SVG or PDF of ours, or an id as `gradstudy cite` takes.
        workspace: whose studies draw and decide, and among whose reports ids and files are looked up.
        strength: `redraw` figures from their tables; `recompute` estimates, verdicts and all else in the report's
            folder; `rerun` the runs.
        execution: how runs are executed again.

    Raises:
        UnknownFigureError: nothing goes by that name, or the file is not one of ours.
        GradstudyError: a report.json, a study or a claim of it cannot be read or found.
    """
    if identity.is_file_name(target):
        yield _file(Path(target), workspace, strength, execution)
        return
    folders = _folders(Path(target))
    if not folders:
        found = citable.find(target, workspace)
        if found.figure:
            yield _figure(found, workspace, strength, execution)
            return
        folders = [found.folder]
    for folder in folders:
        try:
            yield _report(folder, workspace, strength, execution)
        except GradstudyError as error:
            if len(folders) == 1:
                raise
            # One that cannot be read, or whose study is not here, must not keep the others from being verified.
            yield _stopped(folder, error)
    if Path(target).is_dir():
        yield from _indices(Path(target), folders)


def _folders(path: Path) -> list[Path]:
    """The reports in a folder: itself, those of a profile, or those of all profiles."""
    folder = path.parent if path.name == "report.json" else path
    found = [place for depth in ("", "[!.]*/", "*/[!.]*/") for place in folder.glob(f"{depth}report.json")]
    return sorted({place.parent for place in found})


def _report(folder: Path, workspace: Path, strength: Strength, execution: Execution) -> Verification:
    tables = whole.tables_kept(folder)
    study, profile = folder.name, folder.parent.name
    if tables.outcome is not Outcome.IDENTICAL:
        return _spoilt(f"{study} ({profile})", tables)
    again = _again(folder, workspace)
    report = again.stored.report
    findings = [tables, whole.redrawn(again), *_decided(again, strength, execution)]
    subject = f"{report['study']} ({report['profile']}): {report['runs']['text']}"
    return _verification(subject, findings, again, strength)


def _decided(again: Again, strength: Strength, execution: Execution) -> Iterator[Finding]:
    """What a report says beside its figures."""
    if strength != "redraw":
        yield from whole.recomputed(again)
    if strength == "rerun":
        yield from executed.of_report(again, execution)


def _stopped(folder: Path, error: GradstudyError) -> Verification:
    """Nobody knows: its study is not here or broken. One that cannot be read itself is told by its tables' finding."""
    finding = Finding("report", Outcome.UNVERIFIED, type(error).__name__, (str(error),))
    return Verification(f"{folder.name} ({folder.parent.name})", (finding,))


def _indices(target: Path, folders: Sequence[Path]) -> Iterator[Verification]:
    """The pages over all reports of a profile, of those profiles that are asked for as a whole."""
    for profile in sorted({folder.parent for folder in folders} - {target.parent}):
        finding = pages.of_index(profile)
        if finding is not None:
            yield Verification(f"index of profile {profile.name}", (finding,))


def _figure(found: Citable, workspace: Path, strength: Strength, execution: Execution) -> Verification:
    """A figure of a report: its files there."""
    subject, kept = _subject(found.identity, found), whole.tables_kept(found.folder)
    if kept.outcome is not Outcome.IDENTICAL:
        return _spoilt(subject, kept)
    again = _again(found.folder, workspace)
    findings = [whole.redrawn(again, only=found.figure["name"])]
    findings += _runs_of(found, again, strength, execution)
    return _verification(subject, findings, again, strength)


def _spoilt(subject: str, tables: Finding) -> Verification:
    return Verification(subject, (tables,), ("nothing was drawn or decided on such tables",))


def _file(path: Path, workspace: Path, strength: Strength, execution: Execution) -> Verification:
    """A lone file: the figure or report that it says it is."""
    content = identity.content_of(path)
    said = identity.identity_of(content, path.name)
    found = _said(said, workspace)
    if found.identity.id != said.id:
        part, what = ("PDF", "another report.json") if said.of_report else ("picture", "other tables")
        where = f"{said.id} is of {what} than {found.identity.id}, which is in {_place(found)}"
        return Verification(f"{path}: {said.name}", (Finding(part, Outcome.DIFFERS, "its id", (where,)),))
    kept = whole.tables_kept(found.folder)
    if kept.outcome is not Outcome.IDENTICAL:
        return _spoilt(f"{path}: {_subject(said, found)}", kept)
    again = _again(found.folder, workspace)
    if said.of_report:
        outcome, place = pages.of_pdf(content, again.stored)
        findings = [Finding("PDF", outcome, "set again from report.json", (place,) if place else ())]
        findings += [whole.redrawn(again)]
        findings += _decided(again, strength, execution)
    else:
        findings = [_picture(content, found, again), *_runs_of(found, again, strength, execution)]
    return _verification(f"{path}: {_subject(said, found)}", findings, again, strength)


def _picture(content: bytes, found: Citable, again: Again) -> Finding:
    kind = identity.kind_of(content)
    (picture,) = again.drawn(found.figure["name"])
    try:
        outcome, place = drawn.compared(content, kind, picture)
    except UnreadableError as error:
        outcome, place = Outcome.DIFFERS, f"it {error}"
    return Finding("picture", outcome, f"drawn again as {kind.upper()}, compared by pixels", (place,) if place else ())


def _runs_of(found: Citable, again: Again, strength: Strength, execution: Execution) -> list[Finding]:
    return [executed.of_figure(again, found.figure["tables"], execution)] if strength == "rerun" else []


def _said(said: Identity, workspace: Path) -> Citable:
    """The figure or report of that id in the workspace, else one of that name."""
    readable, broken = citable.everything(workspace)
    known = [one for one in readable if not one.claim and one.identity.name == said.name]
    if not any(one.identity.id == said.id for one in known):
        citable.check_read(broken, said.study)
    if not known:
        raise UnknownFigureError(
            f"{said.id} in no report of {workspace / 'reports'}",
            needed="the report that it is from, with its tables",
            why="a picture is verified by drawing it again from its stored tables",
            remedy="name the workspace that has the report (--workspace), such as a clone of the study's repository",
        )
    return min(known, key=lambda one: one.identity.id != said.id)


def _again(folder: Path, workspace: Path) -> Again:
    # Whose code draws and decides is the verifier's choice: a folder that was sent may bring studies of its own.
    kept = stored.read(folder)
    study = find_study(kept.report["study"], workspace)
    claims = cache(partial(study_claims.finder, study))  # a study's claims.py is executed only to decide claims
    return Again(kept, study, lambda claim_id: claims()(claim_id))


def _verification(subject: str, findings: Sequence[Finding], again: Again, strength: Strength) -> Verification:
    return Verification(subject, tuple(findings), _notes(again, strength), _changed(again))


def _changed(again: Again) -> str:
    try:
        gone, new = executed.changes_of_plan(again)
    except GradstudyError as error:
        return f"the study has changed: it cannot be planned any more ({error.came})"
    told = [f"{gone} of {len(again.stored.report['runs']['list'])} runs are planned no longer"] if gone else []
    told += [f"{new} are planned that the report does not have"] if new else []
    return f"the study has changed: {', '.join(told)} (study.yaml, notebook, lib.py or data)" if told else ""


def _notes(again: Again, strength: Strength) -> tuple[str, ...]:
    """What has changed since the report was made, which may be why it differs."""
    report = again.stored.report
    libraries = {"gradstudy": edition.version(), **edition.libraries()}
    then = {"gradstudy": report["version"], **report["drawn_with"]}
    drawn_with = [f"{name} {then.get(name)} -> {now}" for name, now in libraries.items() if then.get(name) != now]
    measured_with = changes(report["evidence"], Present()) if strength == "rerun" else ()
    notes = (("drawn", drawn_with), ("measured", measured_with))
    return tuple(f"changed since it was {what}: {_listed(names)}" for what, names in notes if names)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _subject(said: Identity, found: Citable) -> str:
    what = "report" if said.of_report else "figure"
    return f"{what} {said.id} of {_place(found)}: {found.report['runs']['text']}"


def _place(found: Citable) -> str:
    return "/".join(found.folder.parts[-3:])

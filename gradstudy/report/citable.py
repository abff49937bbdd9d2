"""What a workspace's reports hold that can be cited or verified, and by which names it is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradstudy.errors import ReportError, UnknownFigureError
from gradstudy.report import form, prose, report_id
from gradstudy.report.identity import Identity


@dataclass(frozen=True)
class Citable:
    """A report, one of its figures or one of its claims.

    Args:
        names: by any of which it is found.
        identity: of the figure, else of the report.
        folder: the report's.
        report: content of report.json.
        figure: the figure's row in it; empty for a report or a claim.
        claim: the claim's row in it; empty for a report or a figure.
    """

    names: tuple[str, ...]
    identity: Identity
    folder: Path
    report: Mapping[str, Any]
    figure: Mapping[str, Any] = field(default_factory=dict)
    claim: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> str:
        """Why a figure has no picture; empty when it has."""
        return str(self.figure.get("missing", ""))


def find(target: str, workspace: Path) -> Citable:
    """What goes by that name: STUDY, STUDY/FIGURE, STUDY/CLAIM or CLAIM, with `@digest` behind the study's or figure's.

    What several profiles have is taken of standard, and of one that could draw it.

    Raises:
        UnknownFigureError: nothing does, two things do, or it is a figure that could not be drawn.
        ReportError: the report that it is from, or may be from, is cut off or of another edition's form.
    """
    known, broken = everything(workspace)
    found = sorted((one for one in known if target in one.names), key=lambda one: bool(one.missing))
    if not found:
        study = target.partition("/")[0].partition("@")[0]
        named = "/" in target or "@" in target or study in broken  # else it is a claim of whichever study
        check_read(broken, study if named else "")
        raise _unknown(target, known, workspace / "reports")
    if not _is_standard(found[0].folder):  # which would come before it
        check_read(broken, found[0].identity.study)
    if len(meant := {one.names[0].partition("@")[0] for one in found}) > 1 or _twice(found):
        raise _ambiguous(target, sorted(meant))
    if found[0].missing:
        raise _undrawn(found[0])
    return found[0]


def everything(workspace: Path) -> tuple[list[Citable], dict[str, ReportError]]:
    """All reports, figures and claims in `reports/`, the profile standard first; by study what cannot be read, and why.

    One report that is cut off must not keep those of other studies from being cited or verified.
    """
    places = (workspace / "reports").glob("*/[!.]*/report.json")
    known, broken = list[Citable](), dict[str, ReportError]()
    for folder in sorted((path.parent for path in places), key=lambda folder: (not _is_standard(folder), folder)):
        try:
            known += of_report(folder)
        except ReportError as error:
            broken.setdefault(folder.name, error)
    return known, broken


def _is_standard(folder: Path) -> bool:
    return folder.parent.name == "standard"


def check_read(broken: Mapping[str, ReportError], study: str) -> None:
    """Refuse what a study's report that cannot be read may change; without a study, any such report.

    Raises:
        ReportError: why it cannot be read.
    """
    for name, error in broken.items():
        if study in ("", name):
            raise error


def of_report(folder: Path) -> Iterator[Citable]:
    """The report in a folder, its figures and its claims."""
    report, whole = form.load(folder / "report.json"), report_id.identity(folder)
    study = report["study"]
    yield Citable((study, whole.id), whole, folder, report)
    for figure in report["figures"]:
        words = prose.plain(figure["caption"])
        own = Identity(figure["id"], figure["title"], words, report["version"], report["date"]).by(report)
        yield Citable((own.name, own.id), own, folder, report, figure=figure)
    for claim in report["claims"]:
        yield Citable((f"{study}/{claim['id']}", claim["id"]), whole, folder, report, claim=claim)


def _twice(found: list[Citable]) -> bool:
    return any(one.claim for one in found) and any(one.figure for one in found)


def _ambiguous(target: str, meant: list[str]) -> UnknownFigureError:
    return UnknownFigureError(
        f"{target!r} is more than one thing: {', '.join(meant)}",
        needed="one figure, claim or report",
        why="another than the one meant could be cited",
        remedy="say STUDY/CLAIM; a claim that is called like a figure has to be renamed",
    )


def _undrawn(found: Citable) -> UnknownFigureError:
    profile = found.report["profile"]
    return UnknownFigureError(
        f"figure {found.identity.id!r}, which the report of profile {profile} lists as not drawn: {found.missing}",
        needed="a figure that was drawn",
        why="there is no picture to cite",
        remedy=f"mend it, then `gradstudy report {found.identity.study} --profile {profile}`",
    )


def _unknown(target: str, known: list[Citable], reports: Path) -> UnknownFigureError:
    study = target.partition("/")[0]
    figures = sorted({one.identity.name for one in known if one.figure and not one.missing})
    own = [name for name in figures if name.partition("/")[0] == study]
    studies = sorted({one.identity.study for one in known})
    named = f"figures of {study}: {', '.join(own)}" if own else f"studies: {', '.join(studies)}"
    return UnknownFigureError(
        f"no figure, claim or report {target!r}",
        needed=f"STUDY, STUDY/FIGURE or a claim; {named}" if known else f"a report, and there is none in {reports}",
        why="only what has an identity can be cited or verified",
        remedy="correct the id; `gradstudy claims` lists the claims, a report's page its figures"
        if known
        else "name the workspace (--workspace), or build reports: gradstudy run",
    )

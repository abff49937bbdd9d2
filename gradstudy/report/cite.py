"""Citing a figure: BibTeX and a LaTeX snippet, by id or from a PNG that has left its report."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradstudy.errors import UnknownFigureError
from gradstudy.report import edition, ledger, pictures, prose
from gradstudy.report.latex import latex
from gradstudy.report.pictures import Identity
from gradstudy.study.catalog import is_shipped

# A study that did not come with gradstudy has an author of its own, whom only its reader knows.
_FILL_AUTHOR, _FILL_YEAR = "FILL IN: author of the study", "FILL IN: year"
# Signs of a file's name that mean something to TeX.
_UNREADABLE = re.compile(r"[%#$&~^{}\\]")


@dataclass(frozen=True)
class _Listed:
    """A figure of a report: who it is, its file as LaTeX finds it, the profile, and why there is no picture."""

    identity: Identity
    file: str
    profile: str
    missing: str


def cite(figure: str, workspace: Path) -> str:
    """BibTeX entry and LaTeX snippet of a figure.

    Args:
        figure: `study/function`, optionally with `@digest`, or the path of a PNG that gradstudy drew.
        workspace: where `reports/` is; not needed for a PNG.

    Raises:
        UnknownFigureError: no report has the figure, it could not be drawn, or the picture is not one of ours.
        ReportError: a report.json is cut off, or of another edition's form.
    """
    path = Path(figure)
    if path.suffix.lower() == ".png":
        return _citation(pictures.identity_of(_existing(path)), path.name)
    if path.suffix.lower() in (".svg", ".pdf"):
        raise _not_png(path)
    reports = workspace / "reports"
    # A figure that one profile could not draw may be drawn in another.
    listed = sorted(_listed(reports), key=lambda found: bool(found.missing))
    for found in listed:
        if figure in (found.identity.id, found.identity.id.partition("@")[0]):
            if found.missing:
                raise _undrawn(found)
            return _citation(found.identity, found.file)
    raise _unknown(figure, [found.identity.id for found in listed if not found.missing], reports)


def bibtex(figure_id: str, title: str, version: str, date: str) -> str:
    """The BibTeX entry of a figure; author and year of a study that did not come with gradstudy are left to fill in."""
    name, _, digest = figure_id.partition("@")
    key = re.sub(r"[^A-Za-z0-9]+", "-", f"gradstudy-{name}-{digest[:6]}").strip("-")
    ours = is_shipped(name.partition("/")[0])
    fields = {
        "author": f"{{{edition.AUTHOR if ours else _FILL_AUTHOR}}}",
        "title": f"{{{latex(title)}}}",
        "year": date[:4] if ours else _FILL_YEAR,
        "version": latex(version),
        "howpublished": f"Figure drawn with gradstudy {latex(version)}",
        "note": rf"Figure id \texttt{{{latex(figure_id)}}}",
    }
    body = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items())
    return f"@misc{{{key},\n{body}}}"


def _citation(identity: Identity, file: str) -> str:
    entry = bibtex(identity.id, identity.title, identity.version, identity.date)
    key = entry[len("@misc{") : entry.index(",")]
    return f"{entry}\n\n{_snippet(identity, file, key)}\n"


def _snippet(identity: Identity, file: str, key: str) -> str:
    readable = _UNREADABLE.sub("-", file)
    rename = () if readable == file else ("% rename the picture as below: LaTeX does not find it by its own name",)
    return "\n".join(
        (
            r"% needs \usepackage{graphicx}",
            *rename,
            r"\begin{figure}",
            r"  \centering",
            rf"  \includegraphics[width=\columnwidth]{{{readable}}}",
            rf"  \caption{{{latex(identity.caption)} From~\cite{{{key}}}.}}",
            rf"  \label{{fig:{key}}}",
            r"\end{figure}",
        )
    )


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    raise UnknownFigureError(
        f"no file {path}",
        needed="a PNG that gradstudy drew, or an id such as study/figure",
        why="there is nothing to cite",
        remedy="correct the path",
    )


def _not_png(path: Path) -> UnknownFigureError:
    png = path.with_suffix(".png")
    beside = f"`gradstudy cite {shlex.quote(str(png))}`, the same figure" if png.is_file() else "take the report's PNG"
    return UnknownFigureError(
        f"{path}",
        needed="the PNG of the figure, or an id such as study/figure",
        why="only the PNG holds all that a citation says",
        remedy=f"{beside}, or cite by id",
    )


def _listed(reports: Path) -> Iterator[_Listed]:
    found = sorted(reports.glob("*/[!.]*/report.json"), key=lambda path: (path.parts[-3] != "standard", path.parts))
    for path in found:
        report = ledger.load(path)
        for figure in report["figures"]:
            words = prose.plain(figure["caption"])
            yield _Listed(
                Identity(figure["id"], figure["title"], words, report["version"], report["date"]),
                (path.relative_to(reports.parent).parent / figure["png"]).as_posix(),
                report["profile"],
                figure["missing"],
            )


def _undrawn(found: _Listed) -> UnknownFigureError:
    return UnknownFigureError(
        f"figure {found.identity.id!r}, which the report of profile {found.profile} lists as not drawn: "
        f"{found.missing}",
        needed="a figure that was drawn",
        why="there is no picture to cite",
        remedy=f"mend it, then `gradstudy report {found.identity.id.partition('/')[0]} --profile {found.profile}`",
    )


def _unknown(figure: str, known: list[str], reports: Path) -> UnknownFigureError:
    names = sorted({figure_id.partition("@")[0] for figure_id in known})
    return UnknownFigureError(
        f"figure {figure!r}",
        needed=f"one of {', '.join(names)}" if names else f"a figure of a report, and there is none in {reports}",
        why="only a figure with an identity can be cited",
        remedy="correct the id" if names else "name the workspace (--workspace), or build reports: gradstudy run",
    )

"""Citing: BibTeX and LaTeX for a figure, a claim or a report, by name or from a file that has left its report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from gradstudy.errors import UnknownFigureError
from gradstudy.report import bibtex, citable, identity, numbers
from gradstudy.report.citable import Citable
from gradstudy.report.gallery import Picture
from gradstudy.report.identity import Identity
from gradstudy.report.latex import latex

# Signs of a file's name that mean something to TeX, or to nobody.
_UNREADABLE = re.compile(r"[%#$&~^{}\\\x00-\x1f\x7f]")


def cite(target: str, workspace: Path, picture: Path | None = None) -> str:
    """BibTeX entries and LaTeX.

    Args:
        target: `study/figure`, `study/claim`, `claim` or `study`, a figure or a study optionally with `@digest`, or
            the path of a PNG, SVG or PDF that gradstudy made.
        workspace: where `reports/` is; not needed for a file.
        picture: the file that a figure's LaTeX includes, if not the one named or the report's PNG.

    Raises:
        UnknownFigureError: nothing goes by that name, the figure could not be drawn, or the file is not one of ours.
        ReportError: a report.json is cut off, or of another edition's form.
    """
    if identity.is_file_name(target):
        found = identity.read(Path(target))
        return _report(found) if found.of_report else _figure(found, str(picture or Path(target).name))
    named = citable.find(target, workspace)
    place = named.folder.relative_to(workspace)
    if named.claim:
        return _claim(named, place)
    if named.figure:
        return _figure(named.identity, str(picture or (place / named.figure["png"]).as_posix()))
    return _report(named.identity, _macros(named.folder, place))


def draw(target: str, workspace: Path) -> Picture:
    """The figure that `target` names, drawn again from its stored tables, to be saved in any format.

    Raises:
        UnknownFigureError: it is no figure, or of no report in the workspace.
        ReportError: a table is gone, or not the one that the report was made from.
    """
    from gradstudy.report.redraw import draw_again
    from gradstudy.study.catalog import find_study

    name = identity.read(Path(target)).id if identity.is_file_name(target) else target
    found = citable.find(name, workspace)
    if not found.figure:
        raise UnknownFigureError(
            f"{target}, which is no figure",
            needed="STUDY/FIGURE",
            why="only a figure can be drawn",
            remedy="leave out -o, or name one of the study's figures",
        )
    study = find_study(found.identity.study, workspace)
    return draw_again(found.folder, study.folder, found.identity.name.partition("/")[2])


def _figure(found: Identity, file: str) -> str:
    readable = _UNREADABLE.sub("-", file)
    notes = [r"% needs \usepackage{graphicx}"]
    if readable.lower().endswith(".svg"):
        readable = f"{readable[:-4]}.pdf"
        notes.append(f"% LaTeX reads no SVG; this writes the PDF: gradstudy cite {found.name} -o {readable}")
    elif readable != file:
        notes.append("% rename the picture as below: LaTeX does not find it by its own name")
    key = bibtex.key(found)
    return _joined(
        bibtex.entry(found),
        "\n".join(
            (
                *notes,
                r"\begin{figure}",
                r"  \centering",
                rf"  \includegraphics[width=\columnwidth]{{{readable}}}",
                rf"  \caption{{{latex(found.caption)} From~\cite{{{key}}}.}}",
                rf"  \label{{fig:{key}}}",
                r"\end{figure}",
            )
        ),
    )


def _report(found: Identity, macros: str = "") -> str:
    return _joined(bibtex.entry(found), f"{macros}``{latex(found.title)}''~\\cite{{{bibtex.key(found)}}}")


def _claim(found: Citable, place: Path) -> str:
    claim = found.claim
    title = f"{claim['id']} ({claim['verdict']}): {claim['statement']}"
    own = replace(found.identity, title=title)
    key, _, where = claim["source"].partition(": ")
    papers = [source["bibtex"] for source in found.report["sources"] if source["key"] == key]
    cited = rf"\cite[{{{latex(where)}}}]{{{key}}}" if papers else latex(claim["source"])
    # Only what was read there stands in the source; the words of other claims are the study's.
    source = f" ({latex(claim['source_status'])}; see~{cited})"
    if claim["source_status"].startswith("read"):
        source = f"~{cited}" if papers else f" ({cited})"
    sentence = (
        f"Claim {latex(claim['id'])}, ``{latex(claim['statement'].rstrip('.'))}''{source}, "
        f"comes out {latex(claim['verdict'])}~\\cite{{{bibtex.key(own, claim['id'])}}}{_effect(found)}."
    )
    return _joined(bibtex.entry(own, claim["id"]), *papers, _macros(found.folder, place) + sentence)


def _effect(found: Citable) -> str:
    effect = found.claim["effect"]
    if not effect["text"]:
        return ""
    words = f": {latex(effect['text'])}, n = {latex(effect['n'])}"
    if effect["conditions"] > 1:
        words += f" ({latex(effect['condition'])}, the deciding one of {effect['conditions']} conditions)"
    return words


def _macros(folder: Path, place: Path) -> str:
    if not (folder / numbers.TEX).is_file():  # a report of an edition that did not write it
        return ""
    return f"% every number as a macro: \\input{{{(place / numbers.TEX).as_posix()}}}\n"


def _joined(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"

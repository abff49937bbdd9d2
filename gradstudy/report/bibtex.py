"""BibTeX entries of what gradstudy has made: a figure, a report, a claim decided in a report."""

from __future__ import annotations

import re

from gradstudy.report import edition
from gradstudy.report.identity import Identity
from gradstudy.report.latex import latex
from gradstudy.study.catalog import is_shipped

# A study that did not come with gradstudy has an author of its own, whom only its study.yaml and its reader know.
_FILL_AUTHOR, _FILL_YEAR = "FILL IN: author of the study", "FILL IN: year"


def key(identity: Identity, claim: str = "") -> str:
    """The key of the entry."""
    name, _, digest = identity.id.partition("@")
    return re.sub(r"[^A-Za-z0-9]+", "-", f"gradstudy-{name}-{claim}-{digest[:6]}").strip("-")


def entry(identity: Identity, claim: str = "") -> str:
    """The entry; author and year of a study that did not come with gradstudy are its own, or left to fill in.

    Args:
        identity: of a figure or a report.
        claim: id of the claim that is cited, of those in the report; the title is the identity's all the same.
    """
    what = f"Claim {claim} decided" if claim else "Report written" if identity.of_report else "Figure drawn"
    fields = {
        "author": _authors(identity),
        "title": f"{{{latex(identity.title)}}}",
        "year": _year(identity),
        "version": latex(identity.version),
        "howpublished": f"{latex(what)} with gradstudy {latex(identity.version)}",
        "note": _note(identity),
    }
    body = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items())
    return f"@misc{{{key(identity, claim)},\n{body}}}"


def _authors(identity: Identity) -> str:
    if is_shipped(identity.study):
        return f"{{{edition.AUTHOR}}}"
    # BibTeX takes a name in braces as it is; others it takes apart at commas, and names at the word "and".
    names = [f"{{{latex(name)}}}" if re.search(r"\band\b", name) else latex(name) for name in identity.authors]
    return " and ".join(names) or f"{{{_FILL_AUTHOR}}}"


def _year(identity: Identity) -> str:
    if is_shipped(identity.study):
        return latex(identity.date[:4]) or _FILL_YEAR
    return str(identity.year or _FILL_YEAR)


def _note(identity: Identity) -> str:
    name = rf"\texttt{{{latex(identity.id)}}}"
    return f"Report id {name}: {latex(identity.caption)}" if identity.of_report else f"Figure id {name}"

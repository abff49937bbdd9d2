"""A report's folder against all that follows from its tables: figures, words, claims, numbers, pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gradstudy.claims.claim import Claim
from gradstudy.errors import ReportError, UnknownFigureError
from gradstudy.report import (
    content,
    edition,
    figure_functions,
    form,
    gallery,
    numbers,
    report_id,
    stored,
    tables,
    words,
)
from gradstudy.report.assess import Assessment, assess
from gradstudy.report.gallery import Picture
from gradstudy.report.metadata import UnreadableError
from gradstudy.report.stored import Stored
from gradstudy.report.verify import agreement, drawn, pages
from gradstudy.report.verify.finding import Finding, Outcome, worst
from gradstudy.study.catalog import Study
from gradstudy.study.results import Results

# Parts of report.json, by what a reader would call them; `figures` are told with their pictures.
_PARTS = {
    "claims": ("claims", "summary"),
    "words": ("title", "authors", "year", "question", "method", "sources"),
    "list of runs": ("runs", "tables"),
}


@dataclass(frozen=True)
class Again:
    """A report made again from its own tables, by the study's and gradstudy's code as they are now."""

    stored: Stored
    study: Study
    find_claim: Callable[[str], Claim]

    def drawn(self, only: str) -> tuple[Picture, ...]:
        """The figure of that name, drawn again; all when it is empty."""
        if not only:
            return gallery.draw_all(self.study.folder, self.stored.shelf)
        return (gallery.draw(figure_functions.find(self.study.folder, only), self.stored.shelf),)

    @cached_property
    def assessments(self) -> tuple[Assessment, ...]:
        """Its claims, decided again."""
        claims = self.study.spec.claims.items()
        return tuple(assess(self.find_claim(claim), groups, self.stored.records) for claim, groups in claims)

    @cached_property
    def report(self) -> dict[str, Any]:
        """Its report.json without figures; what a report is told and cannot compute (date, evidence) is as it was."""
        kept = self.stored.report
        results = Results(self.study, kept["profile"], stored.runs(kept), self.stored.tables, kept["evidence"])
        files = {table["name"]: (self.stored.folder / table["file"]).read_bytes() for table in kept["tables"]}
        material = content.Material(results, self.assessments, (), files, self.stored.tables, kept["stamp"])
        again = form.parse(content.as_bytes(content.report(material)), kept["study"])
        return again | {part: kept[part] for part in ("version", "date", "drawn_with")}

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """Its numbers.json."""
        kept, identity = self.stored, report_id.identity(self.stored.folder)
        named = numbers.numbers(kept.report, self.assessments, kept.tables, identity)
        return dict(json.loads(content.as_bytes(named)))


def redrawn(again: Again, only: str = "") -> Finding:
    """Its figures, or only one: each file's pixels, and the words beside them."""
    kept = {figure["name"]: figure for figure in again.stored.report["figures"]}
    made = {picture.entry["name"]: picture for picture in again.drawn(only)}
    outcomes, places = [], []
    for name in [only] if only else dict.fromkeys((*kept, *made)):
        for outcome, place in _figure(again, kept.get(name), made.get(name)):
            outcomes.append(outcome)
            places += [f"{name}: {place}"] if place else []
    drawn_ones = sum(picture.drawing is not None for picture in made.values())
    summary = f"{words.count(drawn_ones, 'figure')} drawn again, PNG and SVG compared by pixels"
    return Finding("figures", worst(outcomes), summary, tuple(places))


def recomputed(again: Again) -> Iterator[Finding]:
    """Its claims, its words and its list of runs, from its tables and the study; its numbers and pages."""
    yield from (_part(again, part) for part in ("claims", "words"))
    schema = again.stored.report["schema"]
    if schema != edition.SCHEMA:
        place = (
            "its list of runs, numbers and pages cannot be made again; build it again, or verify it with its edition"
        )
        yield Finding("form", Outcome.DIFFERS, f"schema {schema} instead of {edition.SCHEMA}", (place,))
        return
    yield _part(again, "list of runs")
    yield numbers_kept(again)
    yield pages.compared(again.stored)


def _part(again: Again, part: str) -> Finding:
    kept, names = again.stored.report, _PARTS[part]
    said, found = ({name: of[name] for name in names if name in of} for of in (kept, again.report))
    same = agreement.of_contents(said, found)
    return Finding(part, same.outcome, _recomputed(part, kept, same.largest), same.where)


def tables_kept(folder: Path) -> Finding:
    """Its tables, each of the sha256 in report.json; a ReportError of one that is not is told as a difference."""
    try:
        found = tables.of_report(folder)
    except ReportError as error:
        return Finding("tables", Outcome.DIFFERS, "each against its sha256 in report.json", (error.came,))
    return Finding("tables", Outcome.IDENTICAL, f"{words.count(len(found), 'table')} of the sha256 in report.json")


def _figure(again: Again, kept: Mapping[str, Any] | None, made: Picture | None) -> Iterator[tuple[Outcome, str]]:
    if kept is None or made is None:
        where = "in the report, but not in figures.py" if made is None else "in figures.py, but not in the report"
        yield Outcome.DIFFERS, where
        return
    same = agreement.of_contents(kept, json.loads(content.as_bytes(made.entry)))
    if same.where:
        yield Outcome.DIFFERS, "; ".join(same.where)
    if made.drawing is not None and not kept["missing"]:
        for kind in gallery.KEPT:
            try:
                file = (again.stored.folder / kept[kind]).read_bytes()
                outcome, place = drawn.compared(file, kind, made)
            except (UnknownFigureError, UnreadableError, OSError) as error:
                outcome, place = Outcome.DIFFERS, getattr(error, "came", None) or str(error)
            yield outcome, f"{kind.upper()}: {place}" if place else ""


def _recomputed(part: str, kept: Mapping[str, Any], largest: float) -> str:
    counted = {
        "claims": f"{words.count(len(kept['claims']), 'claim')} decided again on the tables",
        "words": "title, question, method and sources against study.yaml",
        "list of runs": f"{words.count(len(kept['runs']['list']), 'run')} counted again",
    }[part]
    return f"{counted} (off by up to {largest:.0e}, tolerance {agreement.RECOMPUTED:g})" if largest else counted


def numbers_kept(again: Again) -> Finding:
    """Its numbers.json against its tables, its numbers.tex against its numbers.json."""
    summary = f"{numbers.JSON} and {numbers.TEX}"
    files = [again.stored.folder / name for name in (numbers.JSON, numbers.TEX)]
    if absent := [file.name for file in files if not file.is_file()]:
        return Finding("numbers", Outcome.DIFFERS, summary, (f"{' and '.join(absent)} not there",))
    try:
        kept = json.loads(files[0].read_bytes())
        tex = numbers.as_tex(kept)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Finding("numbers", Outcome.DIFFERS, summary, (f"{numbers.JSON} cannot be read ({error})",))
    same = agreement.of_contents(kept, again.numbers)
    places = (*same.where, *([f"{numbers.TEX} is not that of {numbers.JSON}"] * (tex != files[1].read_bytes())))
    return Finding("numbers", Outcome.DIFFERS if places else same.outcome, summary, tuple(places))

"""The claims of all reports by the papers that their sources name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradstudy.report import references

VERDICTS = ("SUPPORTED", "REFUTED", "INCONCLUSIVE", "undecided")
"""Verdicts in the order in which they are told."""

_OF_NONE = "Of no paper in the references"


@dataclass(frozen=True)
class Row:
    """A claim as a study decided it.

    Args:
        claim: its row in report.json.
        study: the study's name.
        papers: keys of the papers that its source names, the one it is taken from first.
    """

    claim: Mapping[str, Any]
    study: str
    papers: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict without what stands in its way."""
        return str(self.claim["verdict"]).partition(":")[0]


@dataclass(frozen=True)
class Paper:
    """A paper and the claims that are taken from it.

    Args:
        key: of its BibTeX entry; empty for claims of no paper in the references.
        label: authors, year and title.
        rows: the claims whose source names it first, by the numbers in their ids.
        named: how many claims name it.
    """

    key: str
    label: str
    rows: tuple[Row, ...]
    named: int


@dataclass(frozen=True)
class Ledger:
    """All claims of a profile.

    Args:
        papers: the papers that claims name, oldest first; claims of none at the end.
        verdicts: verdict to the number of claims that have it, in the order of `VERDICTS`.
    """

    papers: tuple[Paper, ...]
    verdicts: Mapping[str, int]


def ledger(reports: Sequence[Mapping[str, Any]]) -> Ledger:
    """The claims in the contents of several report.json."""
    sources = {source["key"]: source for report in reports for source in report["sources"]}
    rows = sorted((row for report in reports for row in _rows(report)), key=_by_number)
    named = Counter(key for row in rows for key in row.papers or ("",))
    labels = {key: references.label(sources[key]) if key else ("", _OF_NONE) for key in named}
    papers = (
        Paper(key, labels[key][1], tuple(row for row in rows if (*row.papers, "")[0] == key), named[key])
        for key in sorted(named, key=lambda key: (not key, labels[key], key))
    )
    return Ledger(tuple(papers), dict(sorted(Counter(row.verdict for row in rows).items(), key=_place)))


def _rows(report: Mapping[str, Any]) -> Iterator[Row]:
    keys = [source["key"] for source in report["sources"]]
    for claim in report["claims"]:
        yield Row(claim, report["study"], _named(claim["source"], keys))


def _named(source: str, keys: Iterable[str]) -> tuple[str, ...]:
    found = {key: re.search(rf"(?<!\w){re.escape(key)}(?!\w)", source) for key in keys}
    places = {key: place.start() for key, place in found.items() if place}
    return tuple(sorted(places, key=places.__getitem__))


def _by_number(row: Row) -> tuple[list[tuple[int, str, str]], str]:
    pieces = re.findall(r"0*(\d+)|(\D+)", row.claim["id"])
    return [(len(digits), digits, text) for digits, text in pieces], row.study


def _place(counted: tuple[str, int]) -> tuple[int, str]:
    verdict, _ = counted
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS), verdict

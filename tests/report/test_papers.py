"""Oracle: hand-made reports whose ledger is written out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from gradstudy.report import ledger, papers, references

COMMITTED = Path(__file__).parents[2] / "reports" / "standard"


def report(study: str, *claims: tuple[str, str, str], sources: tuple[str, ...] = ("yang2019", "he2015")) -> Any:
    rows = [{"id": name, "source": source, "verdict": verdict} for name, source, verdict in claims]
    return {"study": study, "claims": rows, "sources": references.cited(sources)}


def told(found: papers.Ledger) -> dict[str, list[str]]:
    return {paper.key: [f"{row.study}/{row.claim['id']}" for row in paper.rows] for paper in found.papers}


def test_claims_stand_under_the_paper_named_first_the_oldest_at_the_top():
    reports = [
        report("b", ("Y2", "yang2019: Eq. 1", "SUPPORTED"), ("X", "he2015: Fig. 1; yang2019: Eq. 2", "REFUTED")),
        report("a", ("Y10", "yang2019", "undecided: a control failed"), ("Z", "worked out here", "SUPPORTED")),
    ]
    found = papers.ledger(reports)
    assert told(found) == {"he2015": ["b/X"], "yang2019": ["b/Y2", "a/Y10"], "": ["a/Z"]}
    assert [(paper.key, paper.named) for paper in found.papers] == [("he2015", 1), ("yang2019", 3), ("", 1)]
    assert found.papers[-1].label == "Of no paper in the references"
    assert list(found.verdicts.items()) == [("SUPPORTED", 2), ("REFUTED", 1), ("undecided", 1)]


def test_a_key_within_another_is_not_named():
    (paper,) = papers.ledger(
        [report("a", ("H", "he2015init: Eq. 1", "SUPPORTED"), sources=("he2015", "he2015init"))]
    ).papers
    assert paper.key == "he2015init"
    assert paper.rows[0].papers == ("he2015init",)


def test_verdicts_and_ids_of_no_known_form_lose_nothing():
    ids = ["1" * 5000, "P10", "P2", "x²", "P2a"]
    (paper,) = papers.ledger([report("a", *((name, "he2015", "MAYBE") for name in ids))]).papers
    assert [row.claim["id"] for row in paper.rows] == ["P2", "P2a", "P10", "x²", "1" * 5000]
    assert papers.ledger([]) == papers.Ledger((), {})


def test_every_committed_claim_is_in_it_once_and_under_a_paper():
    reports = [content for content, _ in ledger.load_all(COMMITTED)]
    found = papers.ledger(reports)
    rows = [(row.study, row.claim["id"]) for paper in found.papers for row in paper.rows]
    assert Counter(rows) == Counter(
        (content["study"], claim["id"]) for content in reports for claim in content["claims"]
    )
    assert all(paper.key for paper in found.papers)
    assert sum(found.verdicts.values()) == len(rows) > 50

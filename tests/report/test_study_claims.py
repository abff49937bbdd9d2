"""Claims and sources of a study's own.

Oracle: the files as they are written here.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradstudy.claims import registry
from gradstudy.errors import ReportError, UnknownClaimError
from gradstudy.report import references
from gradstudy.report.study_claims import check, finder

ONE = """
from gradstudy.claims.claim import Claim, Region

CLAIMS = (Claim("{id}", "mine: here", "computed here", "rate", "s.", "s.", Region(0, 1), "network", lambda t: (), ()),)
"""


def test_own_claims_stand_beside_gradstudys(study):
    (study.folder / "claims.py").write_text(ONE.format(id="made-up-1"))
    find = finder(study)
    assert find("made-up-1").source == "mine: here"
    name = next(iter(registry.known()))
    assert find(name) is registry.known()[name]
    with pytest.raises(UnknownClaimError, match=r"claims\.py"):
        find("made-up-2")


def test_a_claim_rests_on_what_its_study_names(study):
    path = study.folder / "claims.py"
    spec = study.spec.model_copy(update={"sources": ["mine"]})
    study = replace(study, spec=spec)
    path.write_text(ONE.format(id="made-up-1"))
    check(finder(study)("made-up-1"), study)
    path.write_text(ONE.format(id="made-up-1").replace("mine: here", "other: here"))
    with pytest.raises(ReportError, match="other: here"):
        check(finder(study)("made-up-1"), study)
    control = '(__import__("gradstudy.claims.claim", fromlist=["Control"]).Control("nowhere", "p", "REFUTED"),)'
    path.write_text(ONE.format(id="made-up-1").replace("lambda t: (), ()", f"lambda t: (), {control}"))
    with pytest.raises(ReportError, match="nowhere"):
        check(finder(study)("made-up-1"), study)


def test_an_id_of_gradstudys_is_taken(study):
    (study.folder / "claims.py").write_text(ONE.format(id=next(iter(registry.known()))))
    with pytest.raises(UnknownClaimError, match=r"made-up/claims\.py"):
        finder(study)


@pytest.mark.parametrize("text", ["", "CLAIMS = 1\n", "CLAIMS = ('P1',)\n", "1 / 0\n", "raise SystemExit(0)\n"])
def test_a_file_without_claims_is_refused(study, text):
    (study.folder / "claims.py").write_text(text)
    with pytest.raises(ReportError, match=r"made-up/claims\.py"):
        finder(study)


ENTRY = "@misc{{{key},\n  author = {author},\n  title = {{On gradients}},\n  year = {{2026}},\n}}\n"


@pytest.mark.parametrize(
    ("author", "text"),
    [("{Noether, Emmy and Hopf, Heinz}", "Noether, E. and Hopf, H. (2026). On gradients."),
     ("{Emmy Noether}", "Noether, E. (2026). On gradients."), ("{{ACME}}", "ACME (2026). On gradients.")],
)  # fmt: skip
def test_own_sources(tmp_path, author, text):
    (tmp_path / "references.bib").write_text(ENTRY.format(key="own2026", author=author))
    own, shipped = references.cited(["own2026", "bengio1994"], tmp_path)
    assert own["text"] == text
    assert own["bibtex"].startswith("@misc{own2026,")
    assert shipped == references.cited(["bengio1994"])[0]


def test_a_key_that_is_taken_is_refused(tmp_path):
    (tmp_path / "references.bib").write_text(ENTRY.format(key="bengio1994", author="{Noether, Emmy}"))
    with pytest.raises(ReportError, match="bengio1994"):
        references.cited(["bengio1994"], tmp_path)


def test_an_entry_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "references.bib").write_text('@misc{own2026,\n  author = "Noether, Emmy",\n}\n')
    with pytest.raises(ReportError, match="with the line 'author = "):
        references.cited(["own2026"], tmp_path)

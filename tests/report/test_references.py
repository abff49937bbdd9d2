"""Oracle: the title pages of the papers, as written out in the expected lines."""

from __future__ import annotations

import re

import pytest

from gradstudy.errors import ReportError
from gradstudy.report import references

KEYS = re.findall(r"^@\w+\{(.+),$", references.FILE.read_text(encoding="utf-8"), re.MULTILINE)


def test_a_line_to_read():
    (entry,) = references.cited(["hochreiter1997"])
    assert entry["text"] == (
        "Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. Neural Computation, 9(8):1735–1780."
    )
    assert entry["url"] == "https://doi.org/10.1162/neco.1997.9.8.1735"
    assert entry["bibtex"].startswith("@article{hochreiter1997,")
    assert entry["bibtex"].endswith("}")


@pytest.mark.parametrize("key", KEYS)
def test_every_entry_reads_well(key: str):
    (entry,) = references.cited([key])
    assert not set("{}\\") & set(entry["text"])
    assert ".." not in entry["text"]
    assert re.search(r"\(\d{4}\)\. \S", entry["text"])


def test_what_a_paper_is_called_in_a_list():
    names = {key: references.label(references.cited([key])[0]) for key in ("hochreiter1997", "gers2000", "neychev2019")}
    assert names["hochreiter1997"] == ("1997", "Hochreiter and Schmidhuber (1997), Long short-term memory")
    assert names["gers2000"] == ("2000", "Gers et al. (2000), Learning to forget: Continual prediction with LSTM")
    assert names["neychev2019"][1].startswith("Neychev (2019), ")
    own = "@misc{x,\n  Author = {Ada Lovelace and {Analytical}},\n  title = {Notes},\n  year = {1843},\n}"
    assert references.label({"key": "x", "bibtex": own}) == ("1843", "Lovelace and Analytical (1843), Notes")
    for bibtex in ("", "nothing of BibTeX", "@misc{x,\n  year = {1900},\n}"):
        assert references.label({"key": "x", "bibtex": bibtex}) == ("", "x")


def test_all_that_are_needed_are_there():
    pascanu, others = {"pascanu2012", "pascanu2013"}, {"bengio1994", "hochreiter1997", "boulanger2012"}
    assert pascanu | others | {"he2015", "he2016", "neychev2019"} <= set(KEYS)
    assert len(KEYS) == len(set(KEYS))


def test_an_unknown_key_is_refused():
    with pytest.raises(ReportError, match="pascanu2013"):
        references.cited(["nobody1900"])

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


def own(folder, text):
    """A line to read of every key asked for, from a study's own file."""
    (folder / "references.bib").write_bytes(text.encode())
    return lambda *keys: [entry["text"] for entry in references.cited(keys, folder)]


GOOD = "@article{two2021,\n  author = {Two, Bea},\n  title = {Second},\n  year = {2021},\n}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "@article{one2020,\n  author = {One, A},\n  title = {First},\n  year = {2020}}\n",
            "each a line of its own",
        ),
        (
            "@article{one2020,\n  author = {One, A},\n  title = {First},\n  year = {2020},\n",
            "each a line of its own",
        ),
        ("@article(one2020,\n  author = {One, A},\n)\n", "each a line of its own"),
        ("@article{one2020,\n  author = {One, A}, title = {First},\n  year = {2020},\n}\n", "with the line 'author"),
        ("@article{one2020,\n  author = {One, A},\n  journal = jmlr,\n}\n", "with the line 'journal = jmlr,'"),
        ("@article{one2020,\n  author = {One, A},\n  journal = {A\n  B},\n}\n", "with the line 'journal = {A'"),
        ("@article{one2020,\n  author = {One, A},\n  author = {Two, B},\n}\n", "a field twice"),
        ('@article{one2020,\n  author = "One, A",\n}\n', "with the line 'author"),
        ("@article{one2020,\n  author = {One, A},\n}\n", "without a readable title, year"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_entry_of_another_form_is_refused_and_takes_nothing_from_the_next(tmp_path, text, says, end):
    lines = own(tmp_path, (text + "\n" + GOOD).replace("\n", end))
    assert lines("two2021") == ["Two, B. (2021). Second."]
    with pytest.raises(ReportError, match=re.escape(says)):
        lines("one2020")


@pytest.mark.parametrize("text", ["", "% nothing yet\n", "@comment{x,\n  year = {2020},\n}\n"])
def test_a_file_without_entries_adds_none(tmp_path, text):
    assert own(tmp_path, text)("hochreiter1997") == [references.cited(["hochreiter1997"])[0]["text"]]


def test_what_stands_between_entries_changes_none(tmp_path):
    text = "% mine\n@string{jmlr = {J}}\n@comment{ignored}\n" + GOOD + "that was @article{two}\n"
    assert own(tmp_path, text)("two2021") == ["Two, B. (2021). Second."]


def test_a_key_of_two_entries_is_refused(tmp_path):
    with pytest.raises(ReportError, match="two2021 more than once"):
        own(tmp_path, GOOD + GOOD.replace("Second", "Third"))("two2021")

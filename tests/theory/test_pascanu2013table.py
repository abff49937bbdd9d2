"""Rows of the paper's table.

Oracle: the dossier's own sentences about it: clipping helps on every pair, and with Omega Piano-midi goes 6.81 -> 7.01.
"""

from __future__ import annotations

import pytest

from gradstudy.theory.pascanu2013table import published, setting


@pytest.mark.parametrize("music", ["nottingham", "piano-midi", "musedata"])
def test_clipping_helps_on_every_pair(music):
    table = published(music).query("source == 'pascanu2013'").pivot(index="split", columns="arm", values="nats")
    assert list(table.index) == ["test", "train"]
    assert (table["SGD-C"] < table["SGD"]).all()
    assert set(published(music).query("source == 'pascanu2013'")["source_status"]) == {"read"}


def test_the_exception_and_the_other_version():
    piano = published("piano-midi").set_index(["arm", "split"])["nats"]
    assert (piano["SGD-C", "train"], piano["SGD-CR", "train"]) == (6.81, 7.01)
    other = published("nottingham").query("source == 'pascanu2012'")
    assert other["nats"].tolist() == [3.24, 3.46]
    assert set(other["source_status"]) == {"second-hand"}
    assert "pascanu2012" not in set(published("piano-midi")["source"])


def test_settings_are_those_of_the_notes():
    assert [(s.hidden, s.alpha) for s in map(setting, ("nottingham", "piano-midi", "musedata", "jsb"))] == [
        (300, 0.5),
        (300, 0.5),
        (400, 0.1),
        (300, 0.5),
    ]


def test_sets_that_the_paper_has_not_have_no_rows():
    assert published("jsb").empty
    assert list(published("jsb").columns) == list(published("nottingham").columns)

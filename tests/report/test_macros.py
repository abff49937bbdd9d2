"""Oracles: names written out by hand; TeX's rule that a control word is letters only."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradstudy.report.macros import camel, distinct


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("L13a", "LOneThreeA"),
        ("spectral-conditions", "SpectralConditions"),
        ("ρ = 0.8", "RhoZeroPointEight"),
        ("relu, σ_w = 1.2", "ReluSigmaWOnePointTwo"),
        ("x₁ = -2", "XOneMinusTwo"),
        ("−0.5 to +1", "MinusZeroPointFiveToPlusOne"),
        ("lstm, default, adding, after", "LstmDefaultAddingAfter"),
        ("basic-tanh", "BasicTanh"),
        ("default RNN", "DefaultRNN"),
        ("}\\input{x} % 中", "InputX"),
        ("", ""),
    ],
)
def test_a_text_as_letters(text: str, name: str):
    assert camel(text) == name


@given(st.text())
def test_any_text_is_letters_that_tex_takes_as_one_word(text: str):
    assert re.fullmatch("[A-Za-z]*", camel(text))


def test_names_that_are_alike_are_told_apart_in_their_order():
    assert list(distinct(["a", "b", "a", "aB", "a"])) == ["a", "b", "aB", "aBB", "aC"]
    assert len(set(distinct(["x"] * 2000))) == 2000


@given(st.lists(st.sampled_from(["", "B", "BB", "x", "xB", "xC", "xBB"])))
def test_no_two_names_are_alike_and_each_begins_with_its_own(names: list[str]):
    own = list(distinct(names))
    assert len(set(own)) == len(names)
    assert all(one.startswith(name) for one, name in zip(own, names, strict=True))

"""Oracle: LaTeX's list of special characters, and the commands of its mathematical signs."""

from __future__ import annotations

import pytest

from gradstudy.report.latex import latex


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("a_b & 50 % of #1", r"a\_b \& 50 \% of \#1"),
        (r"\a{b}$^~", r"\textbackslash{}a\textbraceleft{}b\textbraceright{}\$\textasciicircum{}\textasciitilde{}"),
        ("<b>|", r"\textless{}b\textgreater{}\textbar{}"),
        ("σ₁ ≤ 1/γ", r"\ensuremath{\sigma}\ensuremath{_{1}} \ensuremath{\le} 1/\ensuremath{\gamma}"),
        ("−1.3×10⁻⁹", r"\ensuremath{-}1.3\ensuremath{\times}10\ensuremath{^{-9}}"),
        ("x₁²ᵗ", r"x\ensuremath{_{1}}\ensuremath{^{2t}}"),
        ("one\n\ntwo\x1b[2J\u202e", "one two?[2J?"),
        ("plain words, n = 20.", "plain words, n = 20."),
    ],
)
def test_text_as_latex(text: str, source: str):
    assert latex(text) == source


@pytest.mark.parametrize("text", ["a { b", "} b {", "\\{"])
def test_braces_are_balanced_as_bibtex_counts_them(text: str):
    depth = 0
    for sign in latex(text):  # with or without a backslash before it
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0


def test_the_signs_of_the_reports_are_all_translated(synthetic):
    assert latex(synthetic.SIGNS).isascii()

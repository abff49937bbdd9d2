"""Oracles: the id in report.json; the PNG's own text keys; LaTeX's list of special characters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from gradstudy.errors import ReportError, UnknownFigureError
from gradstudy.report.cite import bibtex, cite
from gradstudy.report.latex import latex


@pytest.fixture
def growth(report: Path) -> str:
    return json.loads((report / "report.json").read_text(encoding="utf-8"))["figures"][0]["id"]


def test_a_figure_is_cited_by_its_id(workspace: Path, growth: str):
    text = cite("made-up/growth", workspace)
    assert text == cite(growth, workspace)
    assert text.startswith("@misc{gradstudy-made-up-growth-")
    for part in ("version = {0.1.0}", latex(growth)):
        assert part in text
    assert r"\includegraphics[width=\columnwidth]{reports/standard/made-up/figures/growth.png}" in text


def test_only_a_study_that_came_with_gradstudy_is_credited_to_its_developers(report: Path, workspace: Path):
    own = cite("made-up/growth", workspace)
    assert "author = {{FILL IN: author of the study}}" in own
    assert "year = {FILL IN: year}" in own
    shipped = bibtex("spectral-conditions/growth@0123456789ab", "Growth", "0.1.0", "2026-01-02")
    assert "author = {{the gradstudy developers}}" in shipped
    assert "year = {2026}" in shipped
    with Image.open(report / "figures" / "growth.png") as picture:
        picture.load()
        assert "Author" not in picture.text


def test_a_lone_png_knows_what_it_is(workspace: Path, report: Path, tmp_path: Path, growth: str):
    lone = tmp_path / "from-a-talk.png"
    shutil.copy(report / "figures" / "growth.png", lone)
    text = cite(str(lone), tmp_path)
    assert latex(growth) in text
    assert text.replace("from-a-talk.png", "reports/standard/made-up/figures/growth.png") == cite(growth, workspace)


def test_nothing_in_the_caption_is_a_command_of_latex(workspace: Path):
    text = cite("made-up/growth", workspace)
    caption = next(line for line in text.splitlines() if r"\caption" in line)
    assert r"\textless{}b\textgreater{}each" in caption
    assert r"\#import ''evil.typ''" in caption
    assert "Its table holds 12 runs" in caption


def test_an_unknown_figure_is_refused_with_the_known_ids(workspace: Path, tmp_path: Path):
    with pytest.raises(UnknownFigureError, match="made-up/growth, made-up/spectrum"):
        cite("made-up/shrinkage", workspace)
    with pytest.raises(UnknownFigureError) as caught:
        cite("made-up/growth", tmp_path)
    assert f"there is none in {tmp_path / 'reports'}" in str(caught.value)


def test_a_figure_that_was_not_drawn_is_refused_with_the_report_s_reason(workspace: Path):
    with pytest.raises(UnknownFigureError, match="not drawn: no records in 1 table never_recorded"):
        cite("made-up/absent", workspace)


def test_an_outdated_digest_is_not_taken_for_the_figure(workspace: Path):
    with pytest.raises(UnknownFigureError):
        cite("made-up/growth@000000000000", workspace)


def test_a_picture_without_our_metadata_is_refused(tmp_path: Path):
    Figure().savefig(tmp_path / "theirs.png")
    (tmp_path / "text.png").write_text("not a picture")
    for name in ("theirs.png", "text.png"):
        with pytest.raises(UnknownFigureError, match="without gradstudy's metadata"):
            cite(str(tmp_path / name), tmp_path)
    with pytest.raises(UnknownFigureError, match="no file"):
        cite(str(tmp_path / "gone.png"), tmp_path)


def test_an_svg_is_refused_with_the_png_beside_it(report: Path, tmp_path: Path):
    svg = report / "figures" / "growth.svg"
    with pytest.raises(UnknownFigureError) as caught:
        cite(str(svg), tmp_path)
    assert f"gradstudy cite {svg.with_suffix('.png')}" in caught.value.remedy
    with pytest.raises(UnknownFigureError, match="take the report's PNG, or cite by id"):
        cite(str(tmp_path / "alone.svg"), tmp_path)


def test_a_report_that_cannot_be_read_is_named(tmp_path: Path):
    broken = tmp_path / "reports" / "standard" / "other" / "report.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    with pytest.raises(ReportError, match=r"standard/other/report\.json"):
        cite("other/figure", tmp_path)


def test_a_name_that_latex_cannot_read_is_replaced_and_told(report: Path, tmp_path: Path):
    lone = tmp_path / "50 % of {a}#1.png"
    shutil.copy(report / "figures" / "growth.png", lone)
    text = cite(str(lone), tmp_path)
    assert r"{50 - of -a--1.png}" in text
    assert "% rename the picture" in text

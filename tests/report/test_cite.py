"""Oracles: the ids and words in report.json; the PNG's own text keys; LaTeX's special characters; LaTeX, if there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from gradstudy.errors import ReportError, UnknownFigureError
from gradstudy.report.bibtex import entry
from gradstudy.report.build import build_all
from gradstudy.report.cite import cite, draw
from gradstudy.report.identity import Identity
from gradstudy.report.latex import latex
from gradstudy.report.verify.executed import Execution
from gradstudy.report.verify.finding import Outcome
from gradstudy.report.verify.target import verify
from gradstudy.study.catalog import Study, find_study
from gradstudy.study.progress import Lines


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
    shipped = entry(Identity("spectral-conditions/growth@0123456789ab", "Growth", "", "0.1.0", "2026-01-02"))
    assert "author = {{the gradstudy developers}}" in shipped
    assert "year = {2026}" in shipped
    with Image.open(report / "figures" / "growth.png") as picture:
        picture.load()
        assert "Author" not in picture.text


def test_a_study_s_own_authors_and_year_are_those_of_its_study_yaml(synthetic, study: Study, tmp_path: Path):
    spec = {**synthetic.SPEC, "authors": ["Ada Example", "Groups and Rings Ltd", "B. & C."], "year": 2031}
    (study.folder / "study.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    own = find_study("made-up", tmp_path)
    synthetic.leave_runs(own, tmp_path)
    build_all([own], "standard", tmp_path)
    page = (tmp_path / "reports" / "standard" / "made-up" / "index.html").read_text(encoding="utf-8")
    for target in ("made-up/growth", "made-up", "made-up/M1"):
        text = cite(target, tmp_path)
        assert r"author = {Ada Example and {Groups and Rings Ltd} and B. \& C.}" in text
        assert "year = {2031}" in text
    assert "author = {Ada Example and {Groups and Rings Ltd} and B. \\&amp; C.}" in page
    (verified,) = verify("made-up", tmp_path, "recompute", Execution(Lines()))
    assert verified.outcome is Outcome.IDENTICAL


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_lone_file_knows_what_it_is(own: Path, tmp_path: Path, growth: str, kind: str):
    lone = tmp_path / f"from-a-talk.{kind}"
    lone.write_bytes(draw(growth, own).file(kind))
    text = cite(str(lone), tmp_path)
    assert latex(growth) in text
    if kind == "svg":
        hint, text = text.partition("% LaTeX reads no SVG")[2].partition("\n")[0], text.replace(".pdf}", ".svg}")
        assert hint.endswith("gradstudy cite made-up/growth -o from-a-talk.pdf")
        text = "\n".join(line for line in text.splitlines() if "LaTeX reads no SVG" not in line) + "\n"
    same = text.replace(f"from-a-talk.{kind}", "reports/standard/made-up/figures/growth.png")
    assert same == cite(growth, own)


def test_a_figure_is_drawn_again_to_be_included(own: Path, report: Path):
    assert draw("made-up/growth", own).file("png") == (report / "figures" / "growth.png").read_bytes()
    assert "{figure.pdf}" in cite("made-up/growth", own, Path("figure.pdf"))
    for no_figure in ("made-up", "M1"):
        with pytest.raises(UnknownFigureError, match="which is no figure"):
            draw(no_figure, own)


def test_a_report_is_cited_by_its_study_and_from_its_pdf(workspace: Path, report: Path, tmp_path: Path):
    text = cite("made-up", workspace)
    digest = hashlib.sha256((report / "report.json").read_bytes()).hexdigest()[:12]
    assert text == cite(f"made-up@{digest}", workspace)
    for part in (
        f"@misc{{gradstudy-made-up-{digest[:6]},",
        rf"Report id \texttt{{made-up@{digest}}}: profile standard, 24 runs",
        r"\input{reports/standard/made-up/numbers.tex}",
    ):
        assert part in text
    shutil.copy(report / "report.pdf", tmp_path / "mailed.pdf")
    lone = cite(str(tmp_path / "mailed.pdf"), tmp_path)
    assert lone.split("\n\n")[0] == text.split("\n\n")[0]


def own_copy(workspace: Path, folder: Path, claim: dict) -> Path:
    """The workspace with its first claim changed."""
    shutil.copytree(workspace, folder / "forged")
    file = folder / "forged" / "reports" / "standard" / "made-up" / "report.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["claims"][0] |= claim
    file.write_text(json.dumps(content), encoding="utf-8")
    return folder / "forged"


def test_a_claim_is_cited_with_its_verdict_its_effect_and_its_paper(workspace: Path, report: Path, tmp_path: Path):
    text = cite("M1", workspace)
    assert text == cite("made-up/M1", workspace)
    claim = json.loads((report / "report.json").read_text(encoding="utf-8"))["claims"][0]
    entries, sentence = text.rpartition("% every number")[::2]
    assert "title = {{M1 (SUPPORTED): The product grows" in entries
    assert "@inproceedings{pascanu2013," in entries
    assert r"\cite[{Eq. 6-7}]{pascanu2013}, comes out SUPPORTED~\cite{gradstudy-made-up-M1-" in sentence
    assert f": {latex(claim['effect']['text'])}, n = 6 (activation tanh, the deciding one of 2 conditions)." in sentence
    # What was not read there is not put into the source's mouth.
    forged = own_copy(workspace, tmp_path, {"source_status": "computed here"})
    assert r" (computed here; see~\cite[{Eq. 6-7}]{pascanu2013}), comes out SUPPORTED" in cite("M1", forged)
    undecided = cite("M4", workspace)
    assert "comes out undecided: no records~" in undecided


def test_a_report_of_part_of_the_runs_is_cited_as_such(synthetic, tmp_path: Path):
    synthetic.build_report(tmp_path, synthetic.Recipe(failed=2))
    for target in ("made-up", "M1"):
        assert "profile standard, 22 runs, 2 failed}" in cite(target, tmp_path)


def test_a_claim_of_two_studies_is_refused_without_its_study(workspace: Path, tmp_path: Path):
    for study in ("made-up", "other"):
        folder = tmp_path / "reports" / "standard" / study
        shutil.copytree(workspace / "reports" / "standard" / "made-up", folder)
        text = (folder / "report.json").read_text(encoding="utf-8")
        (folder / "report.json").write_text(text.replace('"study": "made-up"', f'"study": "{study}"'), encoding="utf-8")
    with pytest.raises(UnknownFigureError, match="more than one thing: made-up/M1, other/M1"):
        cite("M1", tmp_path)
    assert "gradstudy-other-M1-" in cite("other/M1", tmp_path)


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
    with pytest.raises(UnknownFigureError, match="without gradstudy's metadata"):
        cite(str(tmp_path / "theirs.png"), tmp_path)
    with pytest.raises(UnknownFigureError, match="no file"):
        cite(str(tmp_path / "gone.png"), tmp_path)


@pytest.mark.parametrize("target", ["../../etc/passwd", "made-up/../../x", "/etc/passwd", "made-up/", "\x1b[2J", ""])
def test_a_name_that_would_be_a_path_is_only_unknown(workspace: Path, target: str):
    with pytest.raises(UnknownFigureError) as caught:
        cite(target, workspace)
    assert "\x1b" not in str(caught.value)


def test_a_broken_report_stops_what_it_may_hold_and_nothing_else(own: Path, growth: str):
    before = cite("made-up/growth", own)
    for profile, study in (("standard", "broken"), ("quick", "made-up")):
        (own / "reports" / profile / study).mkdir(parents=True)
        (own / "reports" / profile / study / "report.json").write_text("{")
    assert cite("made-up/growth", own) == before
    assert cite(growth, own) == before
    for target in ("broken", "broken/growth", "broken@0123", "T9"):
        with pytest.raises(ReportError, match=r"standard/broken/report\.json cannot be read"):
            cite(target, own)
    for target in ("other/growth", "other@0123", "other/growth@0123"):
        with pytest.raises(UnknownFigureError):
            cite(target, own)
    # What quick has as well is not taken for what standard has.
    shutil.copytree(own / "reports" / "standard" / "made-up", own / "reports" / "quick" / "made-up", dirs_exist_ok=True)
    (own / "reports" / "standard" / "made-up" / "report.json").write_text("{")
    with pytest.raises(ReportError, match=r"standard/made-up/report\.json cannot be read"):
        cite("made-up/growth", own)


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


FORGED = "}} \\input{/etc/passwd} \\write18{rm -rf x} % $ ^^M \n\n\\end{document} #1 ~ & _"


def test_forged_words_are_text_to_latex_and_bibtex():
    forged = Identity("spectral-conditions/a@0123456789ab", FORGED, FORGED, "0.1.0", "}\\in")
    text = entry(forged)
    body = text[text.index("title") :]
    bare = re.sub(r"\\(?:text[a-z]+\{\}|texttt|[$&#%_])", "", body)
    assert "\\" not in bare
    depth = 0
    for sign in text:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0


def pdflatex(folder: Path, body: str) -> None:
    (folder / "x.tex").write_text(
        r"\documentclass{article}\usepackage{graphicx}\begin{document}" + body + r"\end{document}", encoding="utf-8"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "-no-shell-escape", "x.tex"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert said.returncode == 0, said.stdout[-2000:]
    assert "Missing character" not in (folder / "x.log").read_text(errors="replace")


WITH_LATEX = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="needs LaTeX: apt-get install --no-install-recommends texlive-latex-base"
)


@pytest.mark.needs_latex
@WITH_LATEX
def test_latex_sets_every_citation(own: Path):
    parts = [cite(target, own).rstrip().split("\n\n") for target in ("made-up/growth", "made-up", "M1", "M2", "M4")]
    snippets = [part for text in parts for part in text if not part.startswith("@")]
    entries = {part.partition(",")[0]: part for text in parts for part in text if part.startswith("@")}
    (own / "x.bib").write_text("\n".join(entries.values()), encoding="utf-8")
    body = "\n\n".join(snippets) + r"\bibliographystyle{plain}\bibliography{x}"
    pdflatex(own, body)
    subprocess.run(["bibtex", "x"], cwd=own, check=True, capture_output=True)
    pdflatex(own, body)


@pytest.mark.needs_latex
@WITH_LATEX
def test_latex_sets_forged_words(tmp_path: Path):
    pdflatex(tmp_path, latex(FORGED) + r"\begin{figure}\caption{" + latex(FORGED) + r"}\end{figure}")

"""Oracles: the bytes of a second build in another process; the words that went in; the report that was there before."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gradstudy import records
from gradstudy.errors import ReportError, StorageError
from gradstudy.report.undrawn import undrawn
from gradstudy.report.workshop import replacing


def files(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def in_process(script: Path, folder: Path, seed: str) -> None:
    folder.mkdir()
    environment = os.environ | {"PYTHONHASHSEED": seed, "HOME": str(folder), "TZ": f"UTC{seed}"}
    subprocess.run([sys.executable, str(script), str(folder)], env=environment, cwd=folder, check=True)


class Text(HTMLParser):
    """What a browser would show as text, and the tags it would make."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.tags = "", []

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def page(path: Path) -> Text:
    parser = Text()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_two_builds_give_the_same_bytes(report: Path, tmp_path: Path):
    script = Path(__file__).with_name("synthetic.py")
    for seed in ("1", "2"):
        in_process(script, tmp_path / seed, seed)
    built = [files(tmp_path / seed / "reports" / "standard" / "made-up") for seed in ("1", "2")]
    assert built[0] == built[1] == files(report)
    assert {"report.json", "report.pdf", "index.html", "tables/rates.csv", "figures/growth.png"} <= built[0].keys()


def test_the_date_is_that_of_the_edition_or_of_source_date_epoch(synthetic, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    folder = synthetic.build_report(tmp_path)
    assert json.loads((folder / "report.json").read_text())["date"] == "1970-01-02"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    with pytest.raises(ReportError, match="seconds since 1970"):
        synthetic.build_report(tmp_path)


def test_hostile_text_is_text_on_the_page(synthetic, report: Path):
    seen = page(report / "index.html")
    assert seen.words.count(synthetic.HOSTILE) >= 4  # title, question, statement, setting
    assert "Growth of the product for <b>each</b> seed" in seen.words
    assert not {tag for tag, _ in seen.tags} & {"link", "iframe", "i"}
    assert [tag for tag, _ in seen.tags].count("script") == 1, "ours, and none beside it"
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]
    assert all((report / attributes["src"]).is_file() for tag, attributes in seen.tags if tag == "img")
    assert all(attributes.get("alt") for tag, attributes in seen.tags if tag == "img")


def test_the_pdf_has_pages_and_an_end(report: Path):
    content = (report / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type/Page/") >= 3
    assert content.rstrip().endswith(b"%%EOF")


@pytest.mark.needs_poppler
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="no pdftotext: apt-get install poppler-utils")
def test_hostile_text_is_text_in_the_pdf(synthetic, report: Path):
    command = ["pdftotext", "-raw", str(report / "report.pdf"), "-"]
    words = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    packed = "".join(words.split()).replace("\u200b", "")
    for text in (synthetic.HOSTILE, synthetic.SIGNS, "#emph[product]", '#import"evil.typ"', "Its table holds 12 runs"):
        assert "".join(text.split()) in packed, text


def test_no_folder_of_this_machine_is_in_the_report(report: Path, workspace: Path):
    for path in report.rglob("*"):
        assert path.is_dir() or str(workspace).encode() not in path.read_bytes(), path


def test_the_report_says_what_its_figures_are_made_of(report: Path):
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    growth, spectrum, absent = content["figures"]
    assert [figure["name"] for figure in content["figures"]] == ["growth", "spectrum", "absent"]
    assert growth["id"].startswith("made-up/growth@")
    assert growth["caption"][0]["spans"][-1]["text"].endswith(
        "Its table holds 12 runs and 12 control runs; all 24 runs of the standard profile finished."
    )
    assert spectrum["width"] == pytest.approx(7.16)
    assert absent["missing"] == "no records in 1 table never_recorded (recorded: rates, spectra)"
    assert {table["name"]: table["rows"] for table in content["tables"]} == {"rates": 24, "spectra": 480}


def test_a_caption_counts_the_runs_that_are_not_there(synthetic, tmp_path: Path):
    folder = synthetic.build_report(tmp_path, synthetic.Recipe(failed=2))
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    words = content["figures"][0]["caption"][0]["spans"][-1]["text"]
    assert words.endswith(
        "Its table holds 10 runs and 12 control runs; of the standard profile's 24 runs 2 failed and 0 are missing."
    )
    assert content["claims"][0]["verdict"] == "undecided: only 10 runs, 2 failed"
    assert content["runs"]["list"][0]["error"] == "ValueError: boom"


@pytest.mark.parametrize(
    ("breakage", "error"),
    [
        ("def growth(rates):\n    return 1\n", "returned a int"),
        ("raise OSError('no such file')", "figures.py raised OSError"),
        ("def growth(:", "figures.py raised SyntaxError"),
        ("import sys\nsys.exit(0)\n", "figures.py raised SystemExit"),
    ],
)
def test_a_failed_build_keeps_the_old_report(synthetic, tmp_path: Path, breakage: str, error: str):
    target = synthetic.build_report(tmp_path)
    before = files(target.parent)
    study = synthetic.write_study(tmp_path / "studies" / "made-up")
    (study.folder / "figures.py").write_text(breakage)
    with pytest.raises(ReportError, match=error):
        synthetic.build(synthetic.results(study), synthetic.CLAIMS.__getitem__, target, "1" * 64)
    assert files(target.parent) == before


def test_a_full_disk_keeps_the_old_report(synthetic, tmp_path: Path, monkeypatch):
    target = synthetic.build_report(tmp_path)
    before = files(target.parent)

    def full(path: Path, content: bytes) -> None:
        if path.suffix == ".pdf":
            raise records.storage_error(path, OSError(errno.ENOSPC, "No space left on device"))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    monkeypatch.setattr("gradstudy.report.build.write_atomic", full)
    with pytest.raises(StorageError, match="disk is full"):
        synthetic.build_report(tmp_path)
    assert files(target.parent) == before


def test_a_figure_that_cannot_be_drawn_is_listed_with_the_reason(synthetic, tmp_path: Path):
    target = synthetic.build_report(tmp_path)
    study = synthetic.write_study(tmp_path / "studies" / "made-up")
    (study.folder / "figures.py").write_text("def growth(rates):\n    open('/no/such/folder/file')\n")
    synthetic.build(synthetic.results(study), synthetic.CLAIMS.__getitem__, target, "1" * 64)
    (figure,) = json.loads((target / "report.json").read_text(encoding="utf-8"))["figures"]
    reason = "FileNotFoundError: [Errno 2] No such file or directory: '…/file'"
    assert figure["missing"] == reason
    assert undrawn(target) == [{"figure": "made-up/growth", "reason": reason, "failed": True}]


def test_a_column_that_is_not_there_is_told_beside_those_that_are(synthetic, tmp_path: Path):
    target = synthetic.build_report(tmp_path)
    study = synthetic.write_study(tmp_path / "studies" / "made-up")
    (study.folder / "figures.py").write_text("def growth(rates):\n    rates['speed']\n")
    synthetic.build(synthetic.results(study), synthetic.CLAIMS.__getitem__, target, "1" * 64)
    (figure,) = undrawn(target)
    assert figure["reason"] == ("KeyError: 'speed'; rates has run, group, control, activation, seed, gain, size, rate")


def test_a_figure_without_records_is_not_drawn_but_has_not_failed(report: Path, tmp_path: Path):
    reason = "no records in 1 table never_recorded (recorded: rates, spectra)"
    assert undrawn(report) == [{"figure": "made-up/absent", "reason": reason, "failed": False}]
    assert undrawn(tmp_path) == []


@pytest.mark.parametrize("at", [1, 2])
def test_an_interrupt_while_reports_are_swapped_costs_none(tmp_path: Path, monkeypatch, at: int):
    target = tmp_path / "study"
    with replacing(target) as folder:
        (folder / "file").write_text("former")
    calls, rename = [], Path.rename

    def interrupted(self: Path, to: Path) -> Path:
        calls.append(to)
        moved = rename(self, to)
        if len(calls) == at:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing(target) as folder:
        (folder / "file").write_text("new")
    assert (target / "file").read_text() == {1: "former", 2: "new"}[at]
    assert list(tmp_path.iterdir()) == [target]


def test_signs_that_no_font_has_and_headings_cost_no_report(synthetic, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(synthetic.SPEC, "title", "中文 😀")
    monkeypatch.setitem(synthetic.SPEC, "question", "# First\n\ntext\n\n#### Deep\n\n中")
    assert (synthetic.build_report(tmp_path) / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_the_pdf_is_tagged_for_those_who_cannot_see_it(report: Path):
    assert b"pdfuaid" in (report / "report.pdf").read_bytes()


def test_a_figure_that_exits_ends_nothing_else(synthetic, tmp_path: Path):
    target = synthetic.build_report(tmp_path)
    study = synthetic.write_study(tmp_path / "studies" / "made-up")
    (study.folder / "figures.py").write_text("def growth(rates):\n    raise SystemExit(0)\n")
    synthetic.build(synthetic.results(study), synthetic.CLAIMS.__getitem__, target, "1" * 64)
    (figure,) = json.loads((target / "report.json").read_text(encoding="utf-8"))["figures"]
    assert figure["missing"] == "SystemExit: 0"

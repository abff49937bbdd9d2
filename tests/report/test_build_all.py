"""Oracles: modification times and loaded modules of a second build; the stamp against edits of each kind of input."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gradstudy.errors import ReportError
from gradstudy.report import inputs, ledger
from gradstudy.report.build import build_all
from gradstudy.report.inputs import stamp
from gradstudy.study.catalog import Study, find_study
from gradstudy.study.ledger import write_entry
from gradstudy.study.outcome import Failure, Outcome
from gradstudy.study.plan import make_plan


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_reports_and_index_are_built_from_runs(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    folder = build_all([study], "standard", tmp_path)
    assert folder == tmp_path / "reports" / "standard"
    assert {path.name for path in folder.iterdir()} == {"index.html", "made-up"}
    rows = ledger.rows(folder)
    assert rows[0]["verdict"] == "SUPPORTED"
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert 'href="made-up/index.html"' in index
    pictures = re.findall(r'<img src="([^"]+)"', index)
    assert pictures
    assert all((folder / picture).is_file() for picture in pictures)
    assert index.count("<script") == 1, "ours, and none beside it"


def test_another_profile_than_standard_says_that_the_method_is_not_its_own(synthetic, study: Study, tmp_path: Path):
    note = "This is the quick profile: smaller and shorter runs of the same notebook; the method describes the standard"
    for profile, times_said in (("standard", 0), ("quick", 1)):
        synthetic.leave_runs(study, tmp_path, profile=profile)
        folder = build_all([study], profile, tmp_path)
        for page in (folder / "index.html", folder / "made-up" / "index.html", folder / "made-up" / "report.json"):
            assert page.read_text(encoding="utf-8").count(note) == times_said, page


def test_a_method_without_a_standard_profile_is_that_of_the_profile_itself(synthetic, study: Study, tmp_path: Path):
    spec = {**synthetic.SPEC, "profiles": {"quick": synthetic.SPEC["profiles"]["quick"]}}
    (study.folder / "study.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    alone = find_study("made-up", tmp_path)
    synthetic.leave_runs(alone, tmp_path, profile="quick")
    report = build_all([alone], "quick", tmp_path) / "made-up" / "report.json"
    assert "the method describes" not in report.read_text(encoding="utf-8")


def test_nothing_is_built_twice_and_pandas_is_not_even_loaded(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    folder = build_all([study], "standard", tmp_path)
    before = times(folder)
    code = (
        "import sys; from pathlib import Path; from gradstudy.report.build import build_all\n"
        "from gradstudy.study.catalog import find_study\n"
        "workspace = Path(sys.argv[1]); build_all([find_study('made-up', workspace)], 'standard', workspace)\n"
        "assert not {'pandas', 'matplotlib', 'typst', 'torch'} & sys.modules.keys(), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert times(folder) == before


def test_a_run_again_with_the_same_records_gives_the_same_report(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    first = stamp(study, "standard", tmp_path)
    synthetic.leave_runs(study, tmp_path, seconds=99.0)
    assert stamp(study, "standard", tmp_path) == first


def test_the_stamp_sees_every_input(synthetic, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synthetic.leave_runs(study, tmp_path)
    stamps = [stamp(study, "standard", tmp_path)]
    planned = make_plan(study, "standard", tmp_path).points[0]
    request = {"study": study.slug, "digest": planned.digest, "parameters": dict(planned.point.parameters)}
    failed = Outcome("failed", Failure("ValueError", "boom"))
    write_entry(planned.folder, request, failed, {"evidence": None, "started": 0.0, "seconds": 1.0})
    stamps.append(stamp(study, "standard", tmp_path))
    with (study.folder / "figures.py").open("a") as file:
        file.write("\n# changed\n")
    stamps.append(stamp(study, "standard", tmp_path))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    stamps.append(stamp(study, "standard", tmp_path))
    monkeypatch.setattr("gradstudy.__version__", "9.9.9")
    stamps.append(stamp(study, "standard", tmp_path))
    assert len(set(stamps)) == len(stamps)


def test_a_study_without_runs_keeps_the_report_that_is_there(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    folder = build_all([study], "standard", tmp_path)
    before = times(folder)
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    build_all([study], "standard", tmp_path)
    assert times(folder) == before
    assert stamp(study, "standard", tmp_path) == stamp(study, "paper", tmp_path) == ""


def test_a_broken_report_is_built_again(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    report = build_all([study], "standard", tmp_path) / "made-up" / "report.json"
    whole = report.read_bytes()
    report.write_bytes(whole[:100])
    build_all([study], "standard", tmp_path)
    assert report.read_bytes() == whole
    assert json.loads(whole)["stamp"] == stamp(study, "standard", tmp_path)


def test_one_study_whose_report_cannot_be_built_keeps_no_other_waiting(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    shutil.copytree(study.folder, tmp_path / "studies" / "a-first")
    first = find_study("a-first", tmp_path)
    synthetic.leave_runs(first, tmp_path)
    (first.folder / "figures.py").write_text("import nothing_of_that_name\n")
    broken = tmp_path / "reports" / "standard" / "b-broken"
    broken.mkdir(parents=True)
    (broken / "report.json").write_text("{")
    with pytest.raises(ReportError, match="nothing_of_that_name") as raised:
        build_all([first, study], "standard", tmp_path)
    (other,) = raised.value.__notes__
    assert "standard/b-broken/report.json cannot be read" in other
    assert (tmp_path / "reports" / "standard" / "made-up" / "report.pdf").is_file()
    index = (tmp_path / "reports" / "standard" / "index.html").read_text(encoding="utf-8")
    assert 'href="made-up/index.html"' in index
    assert "a-first" not in index


def test_a_report_that_cannot_be_read_is_named(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    folder = build_all([study], "standard", tmp_path)
    other = folder / "other"
    other.mkdir()
    for content in ("{", '{"schema": 0}', "[]"):
        (other / "report.json").write_text(content)
        with pytest.raises(ReportError, match=r"standard/other/report\.json"):
            ledger.rows(folder)


@pytest.mark.parametrize(
    "name", ["figures/growth.svg", "figures/growth.png", "tables/rates.csv", "report.pdf", "numbers.tex"]
)
def test_a_report_that_lost_a_file_is_built_again(synthetic, study: Study, tmp_path: Path, name: str):
    synthetic.leave_runs(study, tmp_path)
    lost = build_all([study], "standard", tmp_path) / "made-up" / name
    whole = lost.read_bytes()
    lost.unlink()
    build_all([study], "standard", tmp_path)
    assert lost.read_bytes() == whole


def test_an_index_over_a_report_that_lost_its_figure_is_refused_by_name(synthetic, study: Study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    folder = build_all([study], "standard", tmp_path)
    (folder / "made-up" / "figures" / "growth.png").unlink()
    with pytest.raises(ReportError, match=r"figures/growth\.png of the report made-up"):
        build_all([], "standard", tmp_path)


@pytest.mark.parametrize("source", ["records.py", "study/results.py", "report/assess.py", "claims/claim.py"])
def test_the_stamp_sees_the_code_that_reads_and_decides(
    synthetic, study: Study, tmp_path: Path, monkeypatch, source: str
):
    synthetic.leave_runs(study, tmp_path)
    package = tmp_path / "package"
    shutil.copytree(inputs._PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(inputs, "_PACKAGE", package)
    before = stamp(study, "standard", tmp_path)
    (package / source).write_text((package / source).read_text() + "\n")
    assert stamp(study, "standard", tmp_path) != before

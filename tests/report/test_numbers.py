"""Oracles: the estimates in report.json; the rows of the stored tables; TeX's syntax, and LaTeX itself where it is."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gradstudy.report import form
from gradstudy.report.latex import latex

ESTIMATE = re.compile(r"\\gsestimate\{([A-Za-z]+)\}" + 5 * r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
DEFINED = re.compile(r"\\gsdefine\{([A-Za-z]+)\}\{((?:[^{}]|\{[^{}]*\})*)\}")


@pytest.fixture
def numbers(report: Path) -> dict:
    return json.loads((report / "numbers.json").read_text(encoding="utf-8"))


def lines(folder: Path) -> list[str]:
    return (folder / "numbers.tex").read_text(encoding="utf-8").splitlines()


def rows_of(claims: list[dict]) -> list[dict]:
    groups = [group for claim in claims for group in (claim, *claim["controls"])]
    return [row for group in groups for row in group["estimates"]]


def test_every_estimate_of_the_report_is_there_exactly(report: Path, numbers: dict):
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    kept, own = rows_of(content["claims"]), rows_of(numbers["claims"])
    assert len(kept) == 8  # two claims, their own two conditions and those of a control
    for one, other in zip(kept, own, strict=True):
        for part in ("condition", "value", "low", "high", "n", "unit"):
            assert other[part] == one[part]
    assert [claim["verdict"] for claim in numbers["claims"]] == [claim["verdict"] for claim in content["claims"]]
    assert numbers["runs"] == {"name": "MadeUpRuns", "planned": 24, "finished": 24}
    digest = hashlib.sha256((report / "report.json").read_bytes()).hexdigest()[:12]
    assert numbers["report"] == f"made-up@{digest}"


def test_every_number_leads_to_the_rows_it_is_made_of(report: Path, numbers: dict):
    claim = numbers["claims"][0]
    control = claim["controls"][0]
    with (report / "tables" / "rates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for records, planted in ((claim["records"], ""), (control["records"], "no-growth")):
        sha256 = hashlib.sha256((report / "tables" / "rates.csv").read_bytes()).hexdigest()
        assert records["tables"] == {"rates": sha256}
        assert records["runs"] == sorted(row["run"] for row in rows if row["control"] == planted)
    activation = {run["run"]: run["parameters"]["activation"] for run in runs(report)}
    relu = [
        float(row["rate"])
        for row in rows
        if row["run"] in claim["records"]["runs"] and activation[row["run"]] == "relu"
    ]
    assert claim["estimates"][0]["value"] == pytest.approx(sum(relu) / len(relu), rel=1e-12)
    nothing = numbers["claims"][3]
    assert nothing["records"] == {"tables": {}, "runs": []}


def runs(report: Path) -> list[dict]:
    return form.load(report / "report.json")["runs"]["list"]


def test_a_caption_is_there_with_its_figure_its_tables_and_its_runs(report: Path, numbers: dict):
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    drawn = [figure for figure in content["figures"] if not figure["missing"]]
    assert [row["figure"] for row in numbers["captions"]] == [figure["id"] for figure in drawn]
    growth = numbers["captions"][0]
    assert growth["name"] == "MadeUpGrowthCaption"
    assert growth["records"]["tables"] == {"rates": digest_of(report / "tables" / "rates.csv")}
    assert len(growth["records"]["runs"]) == 24
    assert rf"\gsdefine{{MadeUpGrowthCaption}}{{{latex(growth['caption'])}}}" in lines(report)
    assert numbers["measured"] == []  # a study with claims says its numbers in them


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_study_without_claims_has_the_estimates_that_it_recorded():
    own = Path(__file__).parents[2] / "reports" / "standard" / "cost-of-running"
    with (own / "tables" / "costs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    named = json.loads((own / "numbers.json").read_text(encoding="utf-8"))["measured"]
    for part in ("value", "low", "high", "n"):
        assert [row[part] for row in named] == [float(row[part]) for row in rows]
    assert [row["records"]["runs"] for row in named] == [[row["run"]] for row in rows]
    assert [row["unit"] for row in named] == [row["unit"] for row in rows]
    assert len({row["name"] for row in named}) == len(rows)


def test_the_macros_are_the_numbers_as_the_report_prints_them(report: Path):
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    found = [match.groups() for line in lines(report) if (match := ESTIMATE.fullmatch(line))]
    for row, (name, value, low, high, n, text) in zip(rows_of(content["claims"]), found, strict=True):
        assert text == latex(row["text"]) == f"{value} ({low} to {high}) nats per step"
        assert n == "6"
        assert name.startswith("MadeUpM")
    names = [name for name, *_ in found]
    assert names[:3] == [
        "MadeUpMOneAtActivationRelu",
        "MadeUpMOneAtActivationTanh",
        "MadeUpMOneControlNoGrowthAtActivationRelu",
    ]
    assert len(set(names)) == len(names)
    defined = dict(match.groups() for line in lines(report) if (match := DEFINED.fullmatch(line)))
    assert defined["MadeUpRunsPlanned"] == "24"
    assert defined["MadeUpMOneVerdict"] == "SUPPORTED"
    assert defined["MadeUpMThreeVerdict"] == "undecided: measure failed"


def test_every_line_is_a_comment_or_a_definition(report: Path):
    head = [line for line in lines(report) if line.startswith((r"\providecommand", r"  \gsdefine"))]
    assert len(head) == 3
    for line in lines(report):
        assert not line or line in head or line[0] == "%" or ESTIMATE.fullmatch(line) or DEFINED.fullmatch(line), line


def test_conditions_alike_hostile_or_not_finite_have_names_and_lines_of_their_own(synthetic, tmp_path: Path):
    from dataclasses import replace

    Estimate = synthetic.Estimate
    given = (
        Estimate(1.0, 0.5, 1.5, 3, "nats", "a: 0.31 for 0.30"),
        Estimate(2.0, 1.5, 2.5, 3, "nats", "a; 0.1"),
        Estimate(float("inf"), 1.0, float("inf"), 3, "}\\input{x}", "}\\input{x}\n\\evil\r\u2028\\evil % 中"),
        Estimate(float("nan"), float("nan"), float("nan"), 0, "", ""),
    )
    claim = replace(synthetic.M1, measure=lambda tables: (len(tables["rates"]), given)[1], controls=())
    folder = synthetic.build_report(tmp_path, find=lambda name: replace(claim, id=name))
    test_every_line_is_a_comment_or_a_definition(folder)
    names = [match[1] for line in lines(folder) if (match := ESTIMATE.fullmatch(line))]
    assert names[:4] == ["MadeUpMOneAtA", "MadeUpMOneAtAB", "MadeUpMOneAtInputXEvilEvil", "MadeUpMOneAt"]
    rows = json.loads((folder / "numbers.json").read_text())["claims"][0]["estimates"]
    assert (rows[2]["value"], rows[3]["value"]) == ("Infinity", "NaN")
    if shutil.which("pdflatex"):
        compiled(folder)


def test_another_profile_s_names_are_its_own(synthetic, tmp_path: Path):
    study = synthetic.write_study(tmp_path / "studies" / "made-up")
    target = tmp_path / "reports" / "quick" / "made-up"
    synthetic.build(synthetic.results(study, profile="quick"), synthetic.CLAIMS.__getitem__, target, "0" * 64)
    assert any(line.startswith(r"\gsestimate{QuickMadeUpMOneAtActivationRelu}") for line in lines(target))


def compiled(folder: Path) -> None:
    tex = (folder / "numbers.tex").read_text(encoding="utf-8")
    names = [f"{name}{end}" for name in re.findall(r"^\\gsestimate\{(\w+)", tex, re.M) for end in ENDS]
    names += re.findall(r"^\\gsdefine\{(\w+)", tex, re.M)
    uses = "".join(rf"\gs{name}{{}}\par " for name in names)
    document = rf"\documentclass{{article}}\begin{{document}}\input{{numbers}}{uses}\end{{document}}"
    (folder / "x.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "-no-shell-escape", "x.tex"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert said.returncode == 0, said.stdout[-2000:]


ENDS = ("Value", "Low", "High", "N", "Text")

WITH_LATEX = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="needs LaTeX: apt-get install --no-install-recommends texlive-latex-base"
)


@pytest.mark.needs_latex
@WITH_LATEX
def test_latex_knows_every_macro_and_refuses_a_second_meaning(report: Path, tmp_path: Path):
    folder = tmp_path / "report"
    shutil.copytree(report, folder)
    compiled(folder)
    path = folder / "numbers.tex"
    path.write_text(path.read_text(encoding="utf-8") + "\\gsdefine{MadeUpRunsPlanned}{25}\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="already defined"):
        compiled(folder)

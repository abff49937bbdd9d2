"""Oracles: a report left as it was built, and copies of it in each of which one thing was forged by hand."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gradstudy.cli import main
from gradstudy.errors import ReportError, UnknownFigureError, UnknownStudyError
from gradstudy.report import form, ledger, page
from gradstudy.report.build import build_all
from gradstudy.report.cite import draw
from gradstudy.report.verify import target, whole
from gradstudy.report.verify.executed import Execution
from gradstudy.report.verify.finding import Outcome, Verification
from gradstudy.report.verify.target import Strength, verify
from gradstudy.report.verify.told import as_json, as_text, total
from gradstudy.study.progress import Lines

PLACE = Path("reports") / "standard" / "made-up"


def verified(name: object, workspace: Path, strength: Strength = "recompute") -> Verification:
    (found,) = verify(str(name), workspace, strength, Execution(Lines()))
    return found


def findings(verification: Verification) -> dict[str, Outcome]:
    return {finding.part: finding.outcome for finding in verification.findings}


def places(verification: Verification, part: str) -> str:
    return "; ".join(next(finding for finding in verification.findings if finding.part == part).places)


def forge(report: Path, **parts: Any) -> None:
    """Change report.json, and its tables' digests to what lies in the folder."""
    path = report / "report.json"
    content = json.loads(path.read_text(encoding="utf-8")) | parts
    for table in content["tables"]:
        table["sha256"] = hashlib.sha256((report / table["file"]).read_bytes()).hexdigest()
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def test_a_report_is_identical_in_all_its_parts_by_any_of_its_names(own: Path):
    found = verified("made-up", own)
    assert found.outcome is Outcome.IDENTICAL, as_text(found)
    assert list(findings(found)) == ["tables", "figures", "claims", "words", "list of runs", "numbers", "pages"]
    for name in (own / PLACE, own / PLACE / "report.json", own / "reports", own / "reports" / "standard"):
        found = verified(name, own, "redraw")
        assert findings(found) == {"tables": Outcome.IDENTICAL, "figures": Outcome.IDENTICAL}
        assert found.subject == "made-up (standard): 24 runs"


def test_a_study_that_has_changed_since_is_told_beside_a_report_that_is_identical(synthetic, study, tmp_path: Path):
    synthetic.leave_runs(study, tmp_path)
    build_all([study], "standard", tmp_path)
    assert verified("made-up", tmp_path).changed == ""
    notebook = study.folder / "notebook.py"
    notebook.write_text(notebook.read_text() + "\nanother = 1\n")
    for name in ("made-up", "made-up/growth", tmp_path / PLACE / "figures" / "growth.png"):
        found = verified(name, tmp_path)
        assert found.outcome is Outcome.IDENTICAL
        assert found.changed.startswith("the study has changed: 8 of 8 runs are planned no longer")
        assert found.changed in as_text(found)
        assert found.changed in as_json(found)["notes"]
    notebook.write_text(notebook.read_text().replace("\nanother = 1\n", ""))
    assert verified("made-up", tmp_path).changed == ""
    spec = yaml.safe_load((study.folder / "study.yaml").read_text())
    spec["profiles"]["standard"]["grid"].append({"name": "further", "set": {"seed": 99}})
    (study.folder / "study.yaml").write_text(yaml.safe_dump(spec))
    assert verified("made-up", tmp_path).changed.startswith(
        "the study has changed: 1 are planned that the report does not"
    )
    notebook.write_text("seed = 1\n")
    assert verified("made-up", tmp_path).changed.startswith("the study has changed: it cannot be planned any more (")


def test_nothing_is_written(own: Path):
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}
    verified("made-up", own)
    verified(own / PLACE / "figures" / "growth.svg", own)
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*")} == before


def test_a_report_of_part_of_its_runs_is_identical_and_says_so(synthetic, own: Path):
    synthetic.build_report(own, synthetic.Recipe(failed=2))
    found = verified("made-up", own)
    assert found.outcome is Outcome.IDENTICAL
    assert found.subject == "made-up (standard): 22 runs, 2 failed"


def test_runs_that_differ_in_their_code_leave_the_same_verdict(synthetic, own: Path):
    from dataclasses import replace

    study = synthetic.write_study(own / "studies" / "made-up")
    results = synthetic.results(study)
    evidence = [{"modules": {"gradstudy.a": "same", "gradstudy.b": str(n % 2)}, "versions": {}} for n in range(24)]
    runs = tuple(replace(run, evidence=one) for run, one in zip(results.runs, evidence, strict=True))
    synthetic.build(replace(results, runs=runs), synthetic.CLAIMS.__getitem__, own / PLACE, "0" * 64)
    content = json.loads((own / PLACE / "report.json").read_text(encoding="utf-8"))
    assert content["claims"][0]["verdict"] == "undecided: its runs differ in gradstudy.b"
    assert verified("made-up", own).outcome is Outcome.IDENTICAL
    content["runs"]["differences"] = {}
    forge(own / PLACE, runs=content["runs"])
    assert "M1].verdict: undecided: its runs differ in gradstudy.b in the report" in places(
        verified("made-up", own), "claims"
    )


def test_a_table_that_is_not_the_report_s_ends_it(own: Path):
    path = own / PLACE / "tables" / "rates.csv"
    path.write_text(path.read_text().replace(",0.2", ",0.3", 1))
    found = verified("made-up", own)
    assert findings(found) == {"tables": Outcome.DIFFERS}
    assert "tables/rates.csv of the report made-up" in places(found, "tables")


@pytest.mark.parametrize("name", ["made-up/growth", "png", "report.pdf"])
def test_so_it_does_of_a_figure_and_of_a_lone_file(own: Path, tmp_path: Path, name: str):
    for lone, file in (("png", "figures/growth.png"), ("report.pdf", "report.pdf")):
        shutil.copy(own / PLACE / file, tmp_path / Path(file).name)
        name = str(tmp_path / Path(file).name) if name == lone else name
    path = own / PLACE / "tables" / "rates.csv"
    path.write_text(path.read_text().replace(",0.2", ",0.3", 1))
    assert findings(verified(name, own)) == {"tables": Outcome.DIFFERS}


def test_one_that_cannot_be_read_does_not_keep_others_from_being_verified(own: Path):
    shutil.copytree(own / PLACE, own / PLACE.parent / "gone")
    forge(own / PLACE.parent / "gone", study="gone")
    (own / PLACE.parent / "broken").mkdir()
    (own / PLACE.parent / "broken" / "report.json").write_text("{")
    found = list(verify(str(own / "reports"), own, "redraw", Execution(Lines())))
    # Of a report whose study is not here nobody knows whether it is what was written.
    assert [one.outcome for one in found] == [Outcome.DIFFERS, Outcome.UNVERIFIED, Outcome.IDENTICAL]
    assert [one.subject.split()[0] for one in found] == ["broken", "gone", "made-up"]
    assert "UnknownStudyError" in as_text(found[1])
    assert total(found) == "2 verified, 1 not: 1 identical, 1 different"
    assert total(found[1:2]) == "0 verified, 1 not"
    (own / PLACE.parent / "broken" / "report.json").unlink()
    said = CliRunner().invoke(main, ["verify", str(own / "reports"), "--workspace", str(own), "--strength", "redraw"])
    assert said.exit_code == 1
    assert "not verified" in said.output


def test_a_study_whose_claims_cannot_be_imported_here_verifies_nothing(own: Path):
    shutil.copytree(own / PLACE, own / "reports" / "quick" / "made-up")
    (own / "studies" / "made-up" / "claims.py").write_text("import nothing_of_that_name\n")
    found = list(verify(str(own / "reports"), own, "recompute", Execution(Lines())))
    assert [one.outcome for one in found] == [Outcome.UNVERIFIED] * 2
    assert "nothing_of_that_name" in places(found[0], "report")


def test_the_page_over_all_reports_is_set_again(own: Path):
    index = own / PLACE.parent / "index.html"
    index.write_bytes(page.index_page(ledger.load_all(index.parent), "standard"))
    for name in (own / "reports", own / "reports" / "standard"):
        assert [one.outcome for one in verify(str(name), own, "redraw", Execution(Lines()))] == [Outcome.IDENTICAL] * 2
    index.write_text(index.read_text().replace("SUPPORTED", "REFUTED"))
    *_, found = verify(str(own / "reports"), own, "redraw", Execution(Lines()))
    assert "index.html is not that of the reports beside it" in places(found, "pages")
    assert verified(own / PLACE, own, "redraw").outcome is Outcome.IDENTICAL


def test_a_forged_table_with_its_digest_gives_other_figures_and_estimates(own: Path):
    path = own / PLACE / "tables" / "rates.csv"
    row = path.read_text().splitlines()[1]
    path.write_text(path.read_text().replace(row, row.rpartition(",")[0] + ",0.5"))
    forge(own / PLACE)
    found = findings(verified("made-up", own))
    assert [part for part, outcome in found.items() if outcome is Outcome.DIFFERS] == [
        "figures", "claims", "numbers", "pages",
    ]  # fmt: skip


def test_a_table_that_report_json_does_not_name_is_not_read(own: Path):
    (own / PLACE / "tables" / "never_recorded.csv").write_text("run,group,control\nx,y,z\n")
    assert verified("made-up", own).outcome is Outcome.IDENTICAL


@pytest.mark.parametrize(
    ("part", "where", "change"),
    [
        ("claims", "claims[M1].verdict", lambda report: report["claims"][0].update(verdict="REFUTED")),
        ("claims", "claims[M1].statement", lambda report: report["claims"][0].update(statement="It grows.")),
        ("claims", "estimates[activation tanh].value", lambda r: r["claims"][0]["estimates"][1].update(value=0.2579)),
        (
            "claims",
            "effect.text",
            lambda r: r["claims"][0]["effect"].update(text="0.258 (0.245 to 0.272) nats per step"),
        ),
        ("claims", "controls[no-growth].as_planted", lambda r: r["claims"][0]["controls"][0].update(as_planted=False)),
        ("claims", "claims", lambda report: report["claims"].pop()),
        ("words", "title", lambda report: report.update(title="It grows")),
        ("list of runs", "runs.text", lambda report: report["runs"].update(text="2400 runs")),
        ("figures", "growth: title", lambda report: report["figures"][0].update(title="Growth")),
        ("figures", "growth: caption", lambda report: report["figures"][0].update(caption=[])),
        ("figures", "growth: id", lambda report: report["figures"][0].update(id="made-up/growth@000000000000")),
        ("figures", "spectrum: in figures.py, but not in the report", lambda report: report["figures"].pop(1)),
    ],
)
def test_whatever_is_forged_in_report_json_is_named(own: Path, part: str, where: str, change):
    content = json.loads((own / PLACE / "report.json").read_text(encoding="utf-8"))
    change(content)
    forge(own / PLACE, **content)
    again = target._again(own / PLACE, own)
    found = {finding.part: finding for finding in (whole.redrawn(again), *itertools.islice(whole.recomputed(again), 3))}
    assert found[part].outcome is Outcome.DIFFERS
    assert where in "; ".join(found[part].places)


def recomputed(own: Path, part: str) -> str:
    """Where a part of the report in the workspace differs from what its tables give."""
    found = {finding.part: finding for finding in whole.recomputed(target._again(own / PLACE, own))}
    assert (found[part].outcome is Outcome.DIFFERS) is bool(found[part].places)
    return "; ".join(found[part].places)


def test_numbers_that_say_something_else_are_named(own: Path):
    tex, numbers = own / PLACE / "numbers.tex", own / PLACE / "numbers.json"
    tex.write_text(tex.read_text(encoding="utf-8").replace("{0.258}", "{0.358}"), encoding="utf-8")
    assert recomputed(own, "numbers") == "numbers.tex is not that of numbers.json"
    numbers.write_text(numbers.read_text(encoding="utf-8").replace('"n": 6', '"n": 60', 1), encoding="utf-8")
    told = recomputed(own, "numbers")
    assert "claims[M1].estimates[MadeUpMOneAtActivationRelu].n: 60 in the report, 6 now" in told
    for hostile in ("[]", "{", '{"runs": 1}', "[" * 100_000):
        numbers.write_text(hostile)
        assert "numbers.json cannot be read" in recomputed(own, "numbers")
    numbers.unlink()
    assert recomputed(own, "numbers") == "numbers.json not there"


def test_pages_that_say_something_else_are_named(synthetic, own: Path, tmp_path: Path):
    page, pdf = own / PLACE / "index.html", own / PLACE / "report.pdf"
    whole_pdf = pdf.read_bytes()
    page.write_text(page.read_text(encoding="utf-8").replace("SUPPORTED", "REFUTED"), encoding="utf-8")
    other = (synthetic.build_report(tmp_path / "other", synthetic.Recipe(failed=2)) / "report.pdf").read_bytes()
    pdf.write_bytes(other)
    told = recomputed(own, "pages")
    assert told.startswith("index.html is not that of report.json; report.pdf is of made-up@")
    # The pages of the one with what the other says of itself.
    ids = [file[file.index(b"made-up@") :][:20] for file in (other, whole_pdf)]
    pdf.write_bytes(other.replace(*ids))
    assert "of report.pdf is not that of report.json" in recomputed(own, "pages")
    pdf.write_bytes(whole_pdf[:-2000])
    assert "report.pdf is cut off or corrupt" in recomputed(own, "pages")
    page.unlink()
    pdf.write_bytes(whole_pdf + b"\n")  # the same pages, packed otherwise
    assert recomputed(own, "pages") == "index.html: No such file or directory"


def moved_dot(content: bytes) -> bytes:
    """A PNG of ours with one square of it moved by some pixels, its words as they were."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        info = PngInfo()
        for key, text in picture.text.items():
            info.add_text(key, text)
        box = next(
            (x, y, x + 12, y + 12)
            for y in range(40, 300, 4)
            for x in range(150, 400, 4)
            if len(set(picture.crop((x, y, x + 12, y + 12)).get_flattened_data())) > 3
        )
        picture.paste(picture.crop(box), (box[0] + 20, box[1]))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_a_stored_picture_that_was_touched_is_named(own: Path):
    path = own / PLACE / "figures" / "growth.png"
    path.write_bytes(moved_dot(path.read_bytes()))
    found = verified("made-up/growth", own)
    assert found.outcome is Outcome.DIFFERS
    assert "growth: PNG: " in places(found, "figures")
    assert "pixels differ, at x " in places(found, "figures")
    assert findings(verified("made-up/spectrum", own)) == {"figures": Outcome.IDENTICAL}
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off or corrupt" in places(verified("made-up", own), "figures")
    path.unlink()
    assert findings(verified("made-up", own))["figures"] is Outcome.DIFFERS


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_lone_file_is_identical_wherever_it_is(own: Path, tmp_path: Path, kind: str):
    lone = tmp_path / f"mailed.{kind}"
    lone.write_bytes(draw("made-up/growth", own).file(kind))
    found = verified(lone, own)
    assert found.outcome is Outcome.IDENTICAL
    assert "figure made-up/growth@" in found.subject
    assert "of reports/standard/made-up: 24 runs" in found.subject
    renamed = tmp_path / "renamed.png"  # what a file is does not hang on its name
    lone.rename(renamed)
    assert verified(renamed, own).outcome is Outcome.IDENTICAL


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_lone_file_packed_anew_has_the_same_pixels(own: Path, tmp_path: Path, kind: str):
    lone, content = tmp_path / f"mailed.{kind}", draw("made-up/growth", own).file(kind)
    if kind == "png":
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            info = PngInfo()
            for key, text in picture.text.items():
                info.add_text(key, text)
            picture.convert("RGB").save(lone, pnginfo=info, compress_level=1)
    else:
        lone.write_bytes(content + b"\n")
    assert lone.read_bytes() != content
    assert verified(lone, own).outcome is Outcome.IDENTICAL


def test_a_lone_picture_with_a_dot_moved_differs_and_says_where(own: Path, tmp_path: Path):
    lone = tmp_path / "mailed.png"
    lone.write_bytes(moved_dot(draw("made-up/growth", own).file("png")))
    assert "pixels differ, at x " in places(verified(lone, own), "picture")
    svg = draw("made-up/growth", own).file("svg").decode()
    lines = svg.splitlines()
    marks = [
        number for number, line in enumerate(lines) if "<use " in line and ' y="' in line and "fill: #0072b2" in line
    ]
    number = marks[3]
    before = lines[number].partition(' y="')[2].partition('"')[0]
    lines[number] = lines[number].replace(f' y="{before}"', f' y="{float(before) - 8:.6f}"')
    lone.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "pixels differ, at x " in places(verified(lone, own), "picture")


def test_forged_words_in_a_lone_file_are_named(own: Path, tmp_path: Path):
    content = draw("made-up/growth", own).file("svg").decode()
    lone = tmp_path / "mailed.svg"
    lone.write_text(content.replace("n = 24", "n = 2400"), encoding="utf-8")
    assert "its caption is" in places(verified(lone, own), "picture")


def test_a_lone_file_of_other_tables_is_named_with_both_ids(synthetic, own: Path, tmp_path: Path):
    lone = tmp_path / "mailed.png"
    lone.write_bytes((own / PLACE / "figures" / "growth.png").read_bytes())
    synthetic.build_report(own, synthetic.Recipe(controls=False))
    found = verified(lone, own)
    assert found.outcome is Outcome.DIFFERS
    assert "is of other tables than made-up/growth@" in places(found, "picture")


def test_a_lone_report_is_verified_by_its_digest(synthetic, own: Path, tmp_path: Path):
    lone = tmp_path / "mailed.pdf"
    shutil.copy(own / PLACE / "report.pdf", lone)
    assert findings(verified(lone, own, "redraw")) == {"PDF": Outcome.IDENTICAL, "figures": Outcome.IDENTICAL}
    found = verified(lone, own)
    assert list(findings(found)) == ["PDF", "figures", "claims", "words", "list of runs", "numbers", "pages"]
    assert found.outcome is Outcome.IDENTICAL
    assert "report made-up@" in found.subject
    synthetic.build_report(own, synthetic.Recipe(failed=1))
    found = verified(lone, own)
    assert found.outcome is Outcome.DIFFERS
    assert "is of another report.json than made-up@" in places(found, "PDF")


def test_what_no_report_here_knows_is_refused(own: Path, tmp_path: Path):
    lone = tmp_path / "mailed.png"
    shutil.copy(own / PLACE / "figures" / "growth.png", lone)
    with pytest.raises(UnknownFigureError, match="name the workspace that has the report"):
        verified(lone, tmp_path)
    for name in ("made-up/shrinkage", "../../etc/passwd", "made-up/../made-up/growth", "nothing", "", "\0"):
        with pytest.raises(UnknownFigureError):
            verified(name, own)


def test_the_code_that_draws_is_the_verifier_s_and_never_the_sender_s(own: Path, tmp_path: Path):
    sent = tmp_path / "sent"
    own.rename(sent)
    (sent / "studies" / "made-up" / "figures.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\n")
    with pytest.raises(UnknownStudyError):
        verified(sent / PLACE, tmp_path)
    assert not (tmp_path / "owned").exists()


def test_a_report_json_that_is_hostile_or_cut_off_is_named(own: Path):
    content = json.loads((own / PLACE / "report.json").read_text(encoding="utf-8"))
    content["figures"][0]["png"] = "../../../../etc/passwd"
    (own / PLACE / "report.json").write_text(json.dumps(content))
    assert "not where its name says" in places(verified(own / PLACE, own), "tables")
    with pytest.raises(ReportError, match="not where its name says"):
        verified("made-up", own)
    (own / PLACE / "report.json").write_text("{")
    assert "cannot be read" in places(verified(own / PLACE, own), "tables")


def test_a_report_of_a_former_schema_is_verified_as_far_as_it_can_be_and_does_not_pass(own: Path):
    content = json.loads((own / PLACE / "report.json").read_text(encoding="utf-8"))
    del content["runs"]["usual"]
    whole_rows = form.load(own / PLACE / "report.json")["runs"]["list"]
    forge(own / PLACE, schema=1, runs={**content["runs"], "list": whole_rows, "common": []})
    found = verified("made-up", own)
    assert findings(found) == {
        "tables": Outcome.IDENTICAL,
        "figures": Outcome.IDENTICAL,
        "claims": Outcome.IDENTICAL,
        "words": Outcome.IDENTICAL,
        "form": Outcome.DIFFERS,
    }
    assert verified(own / PLACE / "figures" / "growth.png", own).outcome is Outcome.IDENTICAL


def test_what_is_told_is_a_line_each_and_moves_no_cursor(own: Path):
    content = json.loads((own / PLACE / "report.json").read_text(encoding="utf-8"))
    content["title"] = "\x1b[2J\n\nidentical"
    content["runs"]["text"] = "\x1b]0;owned\x07"
    forge(own / PLACE, **content)
    found = verified("made-up", own)
    text = as_text(found)
    assert all(line.isprintable() for line in text.splitlines())
    assert text.splitlines()[1].split() == [
        "tables",
        "identical:",
        "2",
        "tables",
        "of",
        "the",
        "sha256",
        "in",
        "report.json",
    ]
    assert total([found, found]) == "2 verified: 2 different"
    assert as_json(found)["outcome"] == "differs"
    assert json.loads(json.dumps(as_json(found))) == as_json(found)

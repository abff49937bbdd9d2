"""Oracle: what each command promises on stdout and by its exit code, in processes as users start them."""

import json
import os
import subprocess
import sys
import time

import pytest

from gradstudy.study.lock import hold
from gradstudy.study.workspace import study_runs

STUDY = """
title: Tiny
question: q
method: m
profiles:
  quick:
    grid:
      - name: base
        over: {seed: [0, 1]}
"""
NOTEBOOK = """# %% tags=["parameters"]
seed: int = 0
rate: float = 0.5

# %%
import gradstudy as gs

gs.record("value", seed * rate)
"""


@pytest.fixture
def gradstudy(tmp_path):
    """Call `gradstudy` in a workspace with the study `tiny`."""
    folder = tmp_path / "studies" / "tiny"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "notebook.py").write_text(NOTEBOOK)

    def call(*arguments, code=0):
        command = [sys.executable, "-m", "gradstudy.cli", *arguments]
        said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert said.returncode == code, said.stderr
        assert "Traceback" not in said.stderr
        return said

    return call


def test_list_and_plan(gradstudy):
    assert "tiny\n  Tiny\n  profiles: quick\n" in gradstudy("list").stdout
    assert {"study": "tiny", "title": "Tiny", "profiles": ["quick"]} in json.loads(gradstudy("list", "--json").stdout)
    *lines, time = gradstudy("plan", "tiny").stdout.splitlines()
    assert time == "2 runs to do: time unknown"
    assert [line.split(" ", 2)[0] + line.split(" ", 2)[2] for line in lines] == [
        "tinybase seed=0: new",
        "tinybase seed=1: new",
    ], "an axis is shown at the notebook's default too"
    found = json.loads(gradstudy("plan", "tiny", "-p", "rate=1e-3", "--json").stdout)
    assert (found["to do"], found["unknown"], found["seconds"]) == (2, 2, 0.0)
    assert [row["seconds"] for row in found["runs"]] == [None, None]
    assert [row["parameters"] for row in found["runs"]] == [{"seed": 0, "rate": 1e-3}, {"seed": 1, "rate": 1e-3}]


def test_plan_shows_what_a_control_plants_even_when_it_is_the_default(gradstudy, tmp_path):
    grid = """
      - name: base
        set: {rate: 2.0}
    controls:
      - name: half
        like: base
        plant: {rate: 0.5}
"""
    head = STUDY.partition("grid:")[0]
    (tmp_path / "studies" / "tiny" / "study.yaml").write_text(f"{head}grid:{grid}")
    lines = [line.split(" ", 2)[2] for line in gradstudy("plan", "tiny").stdout.splitlines()[:-1]]
    assert lines == ["base rate=2.0: new", "base as half rate=0.5: new"]


def test_run_executes_once_and_then_finds_all_there(gradstudy, tmp_path):
    # With -p the runs are not those of a report, so that no report is built.
    first = gradstudy("run", "tiny", "-p", "rate=1", "--json")
    found = json.loads(first.stdout)
    assert (found["executed"], [run["state"] for run in found["runs"]]) == (2, ["ok", "ok"])
    assert "2 of 2 runs to do" in first.stderr
    assert "no report" in first.stderr
    values = [path.read_text() for path in tmp_path.glob("runs/tiny/*/records/value.json")]
    assert sorted(values) == ["0.0\n", "1.0\n"]
    again = gradstudy("run", "tiny", "-p", "rate=1")
    assert "tiny (quick): 2 runs, 2 cached" in again.stdout
    assert str(tmp_path / "runs") in again.stdout


FIGURES = '''"""Figures."""
import matplotlib.pyplot as plt
from gradstudy.plot.drawing import Drawing


def rates(rates):
    """Rates over seeds."""
    figure, axes = plt.subplots()
    axes.plot(rates["seed"], rates["double"], "o")
    return Drawing(figure, "Rates.", "Two points.")
'''


def test_run_ends_with_reports_that_can_be_cited(gradstudy, tmp_path):
    folder = tmp_path / "studies" / "tiny"
    kept = 'import pandas as pd\ngs.record("rates", pd.DataFrame({"double": [2 * seed]}))\n'
    (folder / "notebook.py").write_text(NOTEBOOK + kept)
    (folder / "figures.py").write_text(FIGURES)
    said = gradstudy("run", "tiny")
    report = tmp_path / "reports" / "quick"
    assert said.stdout.startswith(f"None of the reports in {report} has a claim")
    assert f"There is no report in {report.with_name('standard')}" in gradstudy("claims").stdout
    assert f"reports: {report / 'index.html'}" in said.stdout
    assert (report / "tiny" / "report.json").exists()
    before = (report / "tiny" / "report.json").stat().st_mtime_ns
    assert "2 cached" in gradstudy("run", "tiny").stdout
    assert (report / "tiny" / "report.json").stat().st_mtime_ns == before, "nothing changed: not built again"
    assert gradstudy("report", "tiny", "--profile", "quick").stdout == f"{report}\n"
    assert json.loads(gradstudy("claims", "--profile", "quick", "--json").stdout) == []
    assert "@misc{gradstudy-tiny-rates" in gradstudy("cite", "tiny/rates").stdout
    assert "rate" in gradstudy("cite", "tiny/rate", code=2).stderr


def test_what_was_cited_is_verified_wherever_it_is(gradstudy, tmp_path):
    folder = tmp_path / "studies" / "tiny"
    kept = 'import pandas as pd\ngs.record("rates", pd.DataFrame({"double": [2 * seed]}))\n'
    (folder / "notebook.py").write_text(NOTEBOOK + kept)
    (folder / "figures.py").write_text(FIGURES)
    gradstudy("run", "tiny")
    assert (
        r"\includegraphics[width=\columnwidth]{mailed.pdf}"
        in gradstudy("cite", "tiny/rates", "-o", "mailed.pdf").stdout
    )
    assert "is there already" in gradstudy("cite", "tiny/rates", "-o", "mailed.pdf", code=2).stderr
    assert "one of .png, .svg, .pdf" in gradstudy("cite", "tiny/rates", "-o", "mailed.eps", code=2).stderr
    assert "@misc{gradstudy-tiny-rates-" in gradstudy("cite", "mailed.pdf").stdout
    said = gradstudy("verify", "mailed.pdf", "tiny", "--strength", "recompute").stdout
    assert "  picture  identical: drawn again as PDF, compared by pixels\n" in said
    assert said.endswith("2 verified: 2 identical\n")
    assert (
        "2 runs executed again, 1 table compared\n" in gradstudy("verify", "tiny/rates", "--strength", "rerun").stdout
    )
    report = tmp_path / "reports" / "quick" / "tiny" / "report.json"
    report.write_text(report.read_text().replace('"title": "Tiny"', '"title": "Tin"'))
    found = json.loads(gradstudy("verify", "reports", "--json", code=3).stdout)
    assert [one["outcome"] for one in found] == ["differs", "differs"], "the report, and the page over all reports"
    assert "title: Tin in the report, Tiny now" in gradstudy("verify", "tiny", code=3).stdout
    assert "no figure, claim or report 'tinny'" in gradstudy("verify", "tinny", code=2).stderr


def test_what_was_run_is_told_though_a_report_stands_in_the_way(gradstudy, tmp_path):
    broken = tmp_path / "reports" / "quick" / "other" / "report.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    said = gradstudy("run", "tiny", "--json", code=1)
    found = json.loads(said.stdout)
    assert [run["state"] for run in found["runs"]] == ["ok", "ok"]
    assert found["reports"] == ""
    assert "other" in said.stderr
    assert "tiny (quick): 2 runs, 2 cached" in gradstudy("run", "tiny", code=1).stdout


def test_a_report_of_a_study_that_runs_is_refused(gradstudy, tmp_path):
    gradstudy("run", "tiny")
    with hold(study_runs(tmp_path, "tiny")):
        said = gradstudy("report", "tiny", "--profile", "quick", code=2).stderr
    assert f"the study 'tiny' is held by process {os.getpid()}" in said
    gradstudy("report", "tiny", "--profile", "quick")


def test_claims_are_checked_against_the_runs(gradstudy, tmp_path):
    claimed = STUDY.replace("profiles:", "claims: {P1: [base]}\nprofiles:")
    (tmp_path / "studies" / "tiny" / "study.yaml").write_text(claimed)
    gradstudy("run", "tiny")
    said = gradstudy("claims", "--check", "--profile", "quick").stdout
    assert "tiny: 1 claim, none changed" in said
    report = tmp_path / "reports" / "quick" / "tiny" / "report.json"
    report.write_text(report.read_text().replace('"verdict": "undecided: no records"', '"verdict": "SUPPORTED"'))
    said = gradstudy("claims", "--check", "--profile", "quick", code=1).stdout
    assert "  P1: SUPPORTED (no estimate) -> undecided: no records (no estimate)" in said
    changes = json.loads(gradstudy("claims", "--check", "--profile", "quick", "--json", code=1).stdout)["changes"]
    assert [change["claim"] for change in changes] == ["P1"]
    assert "nothing to compare" in gradstudy("claims", "--check", code=1).stderr


def test_a_figure_that_was_not_drawn_is_told_and_fails_only_when_strict(gradstudy, tmp_path):
    folder = tmp_path / "studies" / "tiny"
    kept = 'import pandas as pd\ngs.record("rates", pd.DataFrame({"double": [2 * seed]}))\n'
    (folder / "notebook.py").write_text(NOTEBOOK + kept)
    (folder / "figures.py").write_text(FIGURES + "\n\ndef later(spectra):\n    raise AssertionError\n")
    later = "figure tiny/later: not drawn: no records in 1 table spectra (recorded: rates)\n"
    assert gradstudy("run", "tiny", "--strict").stderr.endswith(later), "another profile may record it"
    (folder / "figures.py").write_text(FIGURES.replace(', "Rates.", "Two points."', ""))
    told = "figure tiny/rates: not drawn: TypeError: "
    assert told in gradstudy("run", "tiny", "--strict", code=1).stderr
    said = gradstudy("run", "tiny", "--json")
    assert told in said.stderr
    assert [figure["failed"] for figure in json.loads(said.stdout)["undrawn"]] == [True]
    assert told in gradstudy("report", "tiny", "--profile", "quick").stderr
    assert "not drawn: TypeError" in gradstudy("cite", "tiny/rates", code=2).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_there_is_one_bar(gradstudy, tmp_path):
    import os
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "gradstudy.cli", "run", "tiny", "-p", "rate=1"]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(command, stderr=slave, stdout=subprocess.PIPE, cwd=tmp_path, env=environment)
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(master)
    process.communicate()
    assert process.returncode == 0
    assert b"2/2" in seen
    assert b"[1/2]" not in seen


def test_a_failing_run_is_exit_code_1_and_costs_no_other(gradstudy, tmp_path):
    (tmp_path / "studies" / "tiny" / "notebook.py").write_text(NOTEBOOK + "assert seed == 0, 'not zero'\n")
    said = gradstudy("run", "tiny", "-p", "rate=1", code=1)
    assert "tiny (quick): 2 runs, 1 failed, 1 ok" in said.stdout
    assert "AssertionError: not zero" in said.stderr


def test_missing_data_is_exit_code_1_only_when_strict(gradstudy, tmp_path):
    code = "from gradstudy.errors import NoDataError\nraise NoDataError('a', needed='b', why='c', remedy='fetch it')\n"
    (tmp_path / "studies" / "tiny" / "notebook.py").write_text(NOTEBOOK + code)
    said = gradstudy("run", "tiny", "-p", "rate=1")
    assert "2 no-data" in said.stdout
    assert "what to do: fetch it" in said.stderr
    gradstudy("run", "tiny", "-p", "rate=1", "--strict", code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "tinny"], "did you mean tiny"),
        (["plan", "tinny"], "did you mean tiny"),
        (["notebook", "../tiny"], "the study '../tiny'"),
        (["run", "tiny", "--profile", "paper"], "the profile 'paper'"),
        (["run", "tiny", "--profile", "fast"], "'fast' is not one of"),
        (["run", "tiny", "-p", "sed=1"], "did you mean seed"),
        (["run", "tiny", "-p", "seed=1.5"], "float where int"),
        (["run", "tiny", "-p", "seed"], "`-p name=value`"),
        (["run", "-p", "seed=1"], "exactly one STUDY"),
        (["run", "tiny", "--jobs", "1000"], "--oversubscribe"),
        (["run", "tiny", "--jobs", "0"], "--jobs"),
        (["run", "tiny", "--timeout", "0"], "--timeout"),
        (["run", "tiny", "--timeout", "nan"], "no number of seconds"),
        (["run", "tiny", "--timeout", "inf"], "no number of seconds"),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2_with_what_to_do(gradstudy, tmp_path, arguments, says):
    said = gradstudy(*arguments, code=2)
    assert says in said.stderr
    assert said.stdout == ""
    assert not list(tmp_path.glob("runs/tiny/[0-9a-f]*"))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("notebook.py", ' tags=["parameters"]', "", "no cell tagged `parameters`"),
        ("notebook.py", "= 0.5", "= 1 / 2", "computed"),
        ("study.yaml", "seed: [0, 1]", "seed: [0.5]", "group base: seed = 0.5"),
        ("study.yaml", "question:", "qestion:", "did you mean question"),
        ("study.yaml", "    grid:", "    data: [chorals]\n    grid:", "the data set 'chorals'"),
    ],
)
def test_a_broken_study_is_exit_code_2_naming_the_file_s_mistake(gradstudy, tmp_path, name, old, new, says):
    path = tmp_path / "studies" / "tiny" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    said = gradstudy("run", "tiny", code=2)
    assert says in said.stderr
    assert "what to do:" in said.stderr


def test_notebook_is_written_with_parameters_and_never_over_another(gradstudy, tmp_path):
    gradstudy("notebook", "tiny", "-o", "x.ipynb", "-p", "rate=2")
    cells = json.loads((tmp_path / "x.ipynb").read_text())["cells"]
    assert ["rate = 2.0\n"] in [cell["source"] for cell in cells]
    assert "is there already" in gradstudy("notebook", "tiny", "-o", "x.ipynb", code=2).stderr


def test_doctor_tells_versions_cores_data_workspace_and_studies(gradstudy, tmp_path):
    facts = json.loads(gradstudy("doctor", "--json").stdout)
    assert facts["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["workspace"] == str(tmp_path)
    assert "tiny" in facts["studies"]
    assert facts["cores"] >= 1
    assert facts["data"]
    assert f"workspace: {tmp_path}" in gradstudy("doctor").stdout


def test_doctor_tells_an_unset_data_folder_from_a_missing_one_before_the_commands(gradstudy, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADSTUDY_DATA", raising=False)
    said = gradstudy("doctor").stdout
    assert said.index("export GRADSTUDY_DATA=FOLDER") < said.index("curl ")
    monkeypatch.setenv("GRADSTUDY_DATA", str(tmp_path / "data"))
    assert f"GRADSTUDY_DATA: {tmp_path / 'data'} (there is no such folder yet" in gradstudy("doctor").stdout
    (tmp_path / "data").mkdir()
    assert f"GRADSTUDY_DATA: {tmp_path / 'data'}\n" in gradstudy("doctor").stdout


@pytest.mark.parametrize("standard", [True, False])
def test_quick_that_decides_nothing_ends_with_where_verdicts_come_from(gradstudy, tmp_path, standard):
    text = STUDY + "  standard:\n    grid: [{name: base}]\n" * standard + "claims: {P1: [base]}\n"
    (tmp_path / "studies" / "tiny" / "study.yaml").write_text(text)
    last = gradstudy("run", "tiny").stdout.splitlines()[-1]
    assert (last == "quick decides no claim; for verdicts: gradstudy run --profile standard") is standard
    said = gradstudy("run", "tiny", "-p", "seed=5")
    assert "no report: with -p" in said.stderr
    assert "quick decides no claim" not in said.stdout


def test_a_broken_report_keeps_no_verdict_of_others_from_being_told(gradstudy, tmp_path):
    (tmp_path / "studies" / "tiny" / "study.yaml").write_text(STUDY + "claims: {P1: [base]}\n")
    (tmp_path / "reports" / "quick" / "zzz").mkdir(parents=True)
    (tmp_path / "reports" / "quick" / "zzz" / "report.json").write_text("{")
    ran = gradstudy("run", "tiny", "--json", code=1)
    assert [row["claim"] for row in json.loads(ran.stdout)["claims"]] == ["P1"]
    told = gradstudy("claims", "--profile", "quick", "--json", code=1)
    assert [row["claim"] for row in json.loads(told.stdout)] == ["P1"]
    for said in (ran, told):
        assert "quick/zzz/report.json cannot be read" in said.stderr


@pytest.mark.parametrize("code", ["import gradstudy", "from gradstudy.cli import main; main(['--help'])"])
def test_help_and_import_load_nothing_heavy(code):
    heavy = ("torch", "pandas", "numpy", "matplotlib", "papermill", "jupytext", "pydantic", "rich")
    probe = f"import atexit, sys; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules])); {code}"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_planning_does_not_load_torch_or_pandas(gradstudy, tmp_path):
    code = (
        "import sys; from pathlib import Path; from gradstudy.study.plan import make_plan\n"
        "from gradstudy.study.catalog import find_study; place = Path(sys.argv[1])\n"
        "make_plan(find_study('tiny', place), 'quick', place)\n"
        "import gradstudy.study.runner, gradstudy.study.results, gradstudy.study.doctor\n"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'papermill') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_help_names_every_command():
    started = time.monotonic()
    said = subprocess.run([sys.executable, "-m", "gradstudy.cli", "--help"], capture_output=True, text=True, check=True)
    for command in ("list", "plan", "run", "report", "claims", "cite", "verify", "notebook", "clean", "doctor"):
        assert f"\n  {command} " in said.stdout
    assert time.monotonic() - started < 10  # not a measurement: only that nothing heavy was loaded


def test_a_terminal_without_greek_is_told_all_the_same(gradstudy, tmp_path, monkeypatch):
    (tmp_path / "studies" / "tiny" / "study.yaml").write_text(STUDY.replace("Tiny", "σ₁"), encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    assert "\\u03c3" in gradstudy("list").stdout


@pytest.mark.parametrize(
    ("broken", "says", "code"),
    [
        ("claims: {P99: [base]}", "P99", 2),
        ("sources: [nobody2026]", "nobody2026", 1),
        ("", "figures.py raised SyntaxError", 1),
    ],
)
def test_what_no_report_can_be_built_from_is_said_before_anything_runs(gradstudy, tmp_path, broken, says, code):
    folder = tmp_path / "studies" / "tiny"
    (folder / "study.yaml").write_text(STUDY + broken + "\n")
    if not broken:
        (folder / "figures.py").write_text("def rates(:\n")
    for command in ("plan", "run"):
        said = gradstudy(command, "tiny", code=code).stderr
        assert says in said
        assert "gradstudy/report" not in said, "whoever installed gradstudy cannot add to its own files"
        assert "gradstudy/claims" not in said
    assert not list(tmp_path.glob("runs/tiny/[0-9a-f]*"))


def test_report_tells_of_runs_that_are_not_there(gradstudy, tmp_path):
    gradstudy("run", "tiny")
    assert gradstudy("report", "tiny", "--profile", "quick").stderr == ""
    study = tmp_path / "studies" / "tiny" / "study.yaml"
    study.write_text(STUDY.replace("[0, 1]", "[0, 1, 2]"))
    assert "tiny (quick): 3 runs, 2 cached, 1 new" in gradstudy("report", "tiny", "--profile", "quick").stderr

"""Rules that every shipped study, claim and report goes through.

Oracles: the syntax tree of notebooks; study.yaml itself; the pixels and claims of committed reports.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import pytest

from gradstudy.claims.registry import find
from gradstudy.measure import baselines
from gradstudy.report import form, page, stored
from gradstudy.report.assess import assess
from gradstudy.report.content import as_bytes, claim_row
from gradstudy.report.redraw import redraw
from gradstudy.report.verify import agreement, pages, pixels, whole
from gradstudy.report.verify.finding import Outcome
from gradstudy.report.verify.whole import Again
from gradstudy.study.catalog import find_study
from gradstudy.study.plan import make_plan

ROOT = Path(__file__).parents[1]
SLUGS = sorted(path.parent.name for path in (ROOT / "studies").glob("*/study.yaml"))
ALLOWED = {"gradstudy", "numpy", "pandas", "matplotlib", "seaborn", "typing"}
COMMITTED = sorted((ROOT / "reports" / "standard").glob("*/report.json"))
FIGURES = [(path.parent, figure["name"]) for path in COMMITTED for figure in json.loads(path.read_text())["figures"]]


@pytest.fixture(params=SLUGS)
def study(request):
    return find_study(request.param, ROOT)


def trees(study):
    return {path.name: ast.parse(path.read_text()) for path in study.folder.glob("*.py")}


def test_shipped_studies_import_only_what_their_reader_has(study):
    for name, tree in trees(study).items():
        nodes = list(ast.walk(tree))
        roots = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        roots |= {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
        assert roots <= ALLOWED, name


def test_notebooks_define_nothing_and_loop_over_nothing(study):
    forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)
    assert not [node for node in ast.walk(trees(study)["notebook.py"]) if isinstance(node, forbidden)]


def test_quick_is_small_and_needs_no_data(study):
    profile = study.spec.profiles["quick"]
    assert not profile.data
    assert 1 <= len(make_plan(study, "quick", ROOT).points) <= 4


def test_every_control_of_a_claim_is_in_standard_and_plants_one_cause(study):
    standard = study.spec.profiles["standard"]
    names = {control.name for control in standard.controls}
    for claim_id, groups in study.spec.claims.items():
        claim = find(claim_id)
        assert {control.name for control in claim.controls} <= names
        assert set(groups) <= {group.name for group in standard.grid}
    assert all(len(control.plant) == 1 for control in standard.controls)


def test_standard_has_every_point_once(study):
    found = [planned.point for planned in make_plan(study, "standard", ROOT).points]
    keys = [(p.group, p.control, json.dumps(dict(p.parameters), sort_keys=True)) for p in found]
    assert len(keys) == len(set(keys))


def test_the_report_prints_the_baselines_as_they_are_run():
    method = find_study("cost-of-measuring", ROOT).spec.method
    functions = [f for _, f in inspect.getmembers(baselines, inspect.isfunction) if f.__module__ == baselines.__name__]
    assert len(functions) == 15
    for function in functions:
        assert inspect.getsource(function) in method + "\n", function.__name__


@pytest.mark.parametrize(("folder", "name"), FIGURES, ids=lambda value: getattr(value, "name", value))
def test_a_committed_figure_is_redrawn_from_its_stored_table(folder, name):
    kept = pixels.of_png((folder / "figures" / f"{name}.png").read_bytes())
    # The same matplotlib draws the same pixels; another build of FreeType may shade an edge differently.
    outcome, place = pixels.compared(kept, pixels.of_png(redraw(folder, name)))
    assert outcome is not Outcome.DIFFERS, place


@pytest.mark.parametrize("report", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_claims_are_recomputed_from_the_stored_tables(report):
    kept = stored.read(report.parent)
    claims = kept.report["claims"]
    again = [claim_row(assess(find(claim["id"]), claim["groups"], kept.records)) for claim in claims]
    # Another processor adds in another order, so that last digits may differ; whatever else does is named.
    assert agreement.of_contents(claims, json.loads(as_bytes({"claims": again}))["claims"]).where == ()


def test_committed_numbers_are_those_of_their_report():
    # A report that was built before numbers were written has none until it is built again.
    for report in COMMITTED:
        if (report.parent / "numbers.json").is_file():
            again = Again(stored.read(report.parent), find_study(report.parent.name, ROOT), find)
            assert whole.numbers_kept(again).places == (), report.parent.name


@pytest.mark.parametrize("report", COMMITTED, ids=lambda path: path.parent.name)
def test_a_committed_report_is_complete_and_small(report):
    content = json.loads(report.read_text())
    folder = report.parent
    for name in ("index.html", "report.pdf"):
        assert (folder / name).stat().st_size > 1000
    for figure in content["figures"]:
        assert (folder / figure["png"]).is_file()
        assert (folder / figure["svg"]).is_file()
    # 2 MB are aimed at; gradients-through-depth has a dozen figures of many panels, 156 runs, and comes to 4.0.
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 4.2e6


def test_the_committed_page_over_all_reports_is_theirs():
    finding = pages.of_index(ROOT / "reports" / "standard")
    assert finding is not None
    assert finding.outcome is Outcome.IDENTICAL, finding.places


@pytest.mark.parametrize("report", COMMITTED, ids=lambda path: path.parent.name)
def test_a_committed_page_is_that_of_its_report(report):
    assert (report.parent / "index.html").read_bytes() == page.study_page(form.load(report), report.parent)


def test_reports_of_every_study_are_committed():
    assert [path.parent.name for path in COMMITTED] == SLUGS

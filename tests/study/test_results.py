"""Oracle: rows written by hand, as the runs' notebooks record them; no kernel is started."""

import json

import pandas as pd
import pytest

import gradstudy as gs
from gradstudy.errors import GradstudyWarning, ParameterError, RecordError
from gradstudy.study import evidence, ledger
from gradstudy.study.outcome import Failure, Outcome
from gradstudy.study.plan import make_plan
from gradstudy.study.results import collect


@pytest.fixture
def finish(workspace, monkeypatch):
    """Make runs that recorded a table: `finish(point index, table)`; None for a run that failed."""
    control = {"name": "stronger", "like": "base", "plant": {"gain": 2}}
    workspace.profile(grid=[{"name": "base", "over": {"seed": [0, 1]}}], controls=[control])
    points = make_plan(workspace.study(), "quick", workspace.folder).points

    def finish(index, table):
        planned = points[index]
        ledger.prepare(planned.folder)
        outcome = Outcome("ok") if table is not None else Outcome("failed", Failure("ValueError", "no"))
        if table is not None:
            monkeypatch.setenv("GRADSTUDY_RUN", str(planned.folder))
            gs.record("rates", pd.DataFrame(table))
        details = {"evidence": evidence.gather(["gradstudy"]) if table is not None else None, "seconds": 1}
        ledger.write_entry(planned.folder, {"parameters": dict(planned.point.parameters)}, outcome, details)
        return planned.digest

    return finish


def test_rows_come_in_grid_order_behind_their_parameters(workspace, finish):
    third, first = finish(2, {"lag": [5], "rate": [0.3]}), finish(0, {"lag": [1, 2], "rate": [0.1, 0.2]})
    finish(1, None)
    with pytest.warns(GradstudyWarning, match=r"of the 4 runs of small \(quick\): 1 failed, 1 missing;"):
        table = gs.load("small", "rates", profile="quick", workspace=workspace.folder)
    assert list(table.columns) == ["run", "group", "control", "seed", "gain", "mood", "lag", "rate"]
    assert table["run"].tolist() == [first[:12], first[:12], third[:12]]
    assert table["control"].tolist() == ["", "", "stronger"]
    assert table["gain"].tolist() == [1.0, 1.0, 2.0]
    assert table["rate"].tolist() == [0.1, 0.2, 0.3]


def test_every_point_is_summed_up(workspace, finish):
    finish(0, {"rate": [0.1]})
    finish(1, None)
    results = collect(workspace.study(), "quick", workspace.folder)
    assert [(run.control, run.status, run.error) for run in results.runs] == [
        ("", "ok", None),
        ("", "failed", "ValueError: no"),
        ("stronger", "missing", None),
        ("stronger", "missing", None),
    ]
    assert json.dumps(dict(results.runs[3].parameters)) == '{"seed": 1, "gain": 2.0, "mood": "good"}'
    assert list(results.evidence["modules"]) == ["gradstudy"]


def test_a_column_named_like_a_parameter_is_refused(workspace, finish):
    finish(0, {"seed": [1]})
    with pytest.raises(RecordError, match=r"'rates' has the column 'seed'.*parameter of its run \(seed, gain, mood\)"):
        collect(workspace.study(), "quick", workspace.folder)


def test_an_unknown_table_is_named_with_those_there_are(workspace, finish):
    finish(0, {"rate": [0.1]})
    with pytest.raises(RecordError, match="one of: rates"):
        gs.load("small", "rate", profile="quick", workspace=workspace.folder)


def test_runs_made_with_values_of_their_own_are_read_by_these(workspace, finish, monkeypatch):
    planned = make_plan(workspace.study(), "quick", workspace.folder, assignments=["mood=leave", "gain=3"]).points[0]
    ledger.prepare(planned.folder)
    monkeypatch.setenv("GRADSTUDY_RUN", str(planned.folder))
    gs.record("rates", pd.DataFrame({"rate": [0.7]}))
    details = {"evidence": evidence.gather(["gradstudy"]), "seconds": 1}
    ledger.write_entry(planned.folder, {"parameters": dict(planned.point.parameters)}, Outcome("ok"), details)
    with pytest.raises(RecordError, match=r"`-p name=value` are read with parameters=\{"):
        gs.load("small", "rates", profile="quick", workspace=workspace.folder)
    with pytest.warns(GradstudyWarning, match="missing"):
        table = gs.load("small", "rates", "quick", workspace.folder, parameters={"mood": "leave", "gain": 3})
    assert (table["rate"].tolist(), table["mood"].tolist(), table["gain"].tolist()) == ([0.7], ["leave"], [3.0])
    with pytest.raises(ParameterError, match="moo"):
        gs.load("small", "rates", "quick", workspace.folder, parameters={"moo": "bad"})


def test_a_table_without_rows_changes_no_types(workspace, finish):
    finish(0, {"rate": [], "n": []})
    finish(1, {"rate": [0.5], "n": [1]})
    with pytest.warns(GradstudyWarning, match="2 missing"):
        table = gs.load("small", "rates", profile="quick", workspace=workspace.folder)
    assert [str(table[name].dtype) for name in ("rate", "n", "seed")] == ["float64", "int64", "int64"]


def test_runs_of_former_code_are_told(workspace, finish, monkeypatch):
    for point in range(4):
        finish(point, {"rate": [0.1]})
    gs.load("small", "rates", profile="quick", workspace=workspace.folder)  # no warning
    monkeypatch.setattr(evidence.Present, "module", lambda self, name: "edited")
    with pytest.warns(GradstudyWarning, match="4 stale"):
        gs.load("small", "rates", profile="quick", workspace=workspace.folder)


def test_where_the_workspace_lies_is_no_result(workspace, finish):
    finish(0, {"rate": [0.1]})
    planned = make_plan(workspace.study(), "quick", workspace.folder).points[1]
    ledger.prepare(planned.folder)
    failure = Failure("OSError", f"{planned.folder / 'records' / 'x.csv'} is not there")
    request = {"parameters": dict(planned.point.parameters)}
    ledger.write_entry(planned.folder, request, Outcome("failed", failure), {"evidence": None, "seconds": 1})
    error = collect(workspace.study(), "quick", workspace.folder).runs[1].error
    assert error == f"OSError: …/runs/small/{planned.digest}/records/x.csv is not there"

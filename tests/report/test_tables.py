"""Oracle: the table that was written; floats compared bit by bit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradstudy.errors import ReportError
from gradstudy.report import content, form, tables
from gradstudy.report.content import as_bytes
from gradstudy.study.results import RunSummary


def test_a_table_comes_back_exactly():
    draws = np.random.default_rng(0)
    # Random bit patterns reach the subnormal and the huge numbers; NaN and infinity among them.
    x = draws.integers(0, 2**63, 2000, dtype=np.int64).view(np.float64)
    table = pd.DataFrame({"run": "1e5000000000", "group": "g", "control": "", "x": x, "n": range(2000), "b": True})
    back = tables.from_bytes(tables.as_bytes(table))
    pd.testing.assert_frame_equal(back, table, check_exact=True, check_dtype=False)
    kept = ~np.isnan(x)
    np.testing.assert_array_equal(back["x"].to_numpy()[kept].view(np.int64), x[kept].view(np.int64))
    assert set(back["control"]) == {""}
    assert tables.as_bytes(back) == tables.as_bytes(table)


def test_not_a_number_is_not_an_empty_text():
    table = pd.DataFrame({"run": ["a", "b"], "group": "g", "control": ["", "c"], "x": [math.nan, 1], "s": ["", "NA"]})
    back = tables.from_bytes(tables.as_bytes(table))
    assert math.isnan(back["x"][0])
    assert list(back["s"]) == ["", "NA"]


def test_the_digest_changes_with_name_and_content():
    digests = {tables.digest(files) for files in ({"a": b"1"}, {"b": b"1"}, {"a": b"2"}, {"a": b"1", "b": b"1"}, {})}
    assert len(digests) == 5
    assert all(len(digest) == 12 for digest in digests)


PARAMETERS = {"name": "01", "bound": None, "gain": 0.1, "deep": True, "widths": [1, 2], "steps": 10}
RUNS = [
    {"run": "1e5", "group": "g", "control": "", "parameters": PARAMETERS},
    {"run": "1e5", "group": "h", "control": "c", "parameters": {**PARAMETERS, "name": "1", "gain": 1e-300}},
]


def whole() -> pd.DataFrame:
    front = {
        "run": ["1e5"] * 3, "group": ["g", "g", "h"], "control": ["", "", "c"], "name": ["01", "01", "1"],
        "bound": [math.nan] * 3, "gain": [0.1, 0.1, 1e-300], "deep": [True] * 3, "widths": ["[1, 2]"] * 3,
        "steps": [10] * 3,
    }  # fmt: skip
    return pd.DataFrame({**front, "x": [1.5, math.nan, -math.inf]})


def test_parameters_are_stored_once_and_come_back_with_their_types(tmp_path):
    stored = tables.as_stored(whole(), RUNS)
    assert list(stored.columns) == ["run", "group", "control", "x"]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_bytes(tables.as_bytes(stored))
    # "01" and "1" are two conditions; read as numbers they would be one.
    pd.testing.assert_frame_equal(tables.read(tmp_path, RUNS)["t"], whole(), check_exact=True)


def test_a_run_is_named_where_it_begins():
    stored = tables.as_stored(whole(), RUNS)
    assert stored[["run", "group", "control"]].to_numpy().tolist() == [
        ["1e5", "g", ""], ["", "", ""], ["1e5", "h", "c"],
    ]  # fmt: skip
    # Back and forth between runs, as no report of ours has it, and with an index of its own.
    mixed = whole().iloc[[0, 2, 1, 1, 2, 0]]
    there = tables.as_stored(mixed, RUNS)
    assert there["run"].tolist() == ["1e5", "1e5", "1e5", "", "1e5", "1e5"]
    pd.testing.assert_frame_equal(tables.as_recorded(there, RUNS), mixed, check_exact=True)


def test_a_table_that_names_the_run_in_every_row_is_read_as_well():
    older = whole().drop(columns=list(PARAMETERS))
    pd.testing.assert_frame_equal(tables.as_recorded(older, RUNS), whole(), check_exact=True)


def summary(**parameters: object) -> RunSummary:
    return RunSummary("0" * 64, "g", "", parameters, "ok")


def test_the_usual_values_are_kept_once_and_every_run_has_its_own_back():
    given = [
        {"a": 1, "b": True, "c": None, "d": [1, 2], "e": "1"},
        {"a": 1.0, "b": 1, "c": 0.0, "d": [1.0, 2], "e": "1"},
        {"a": 1.0, "b": True, "c": None, "d": [], "e": "true"},
        {"a": True, "b": "True", "c": "null", "d": None, "e": "1"},
    ]
    runs = json.loads(as_bytes(content.runs([summary(**parameters) for parameters in given])))
    assert runs["list"][0]["parameters"] == {"a": 1}
    assert runs["list"][2]["text"] == "d=[], e=true"
    again = [row["parameters"] for row in form.run_rows(runs)]
    assert [list(parameters) for parameters in again] == [list("abcde")] * 4
    assert repr(again) == repr(given)  # 1, 1.0 and True are equal, and not the same


def test_runs_of_a_report_of_schema_1_have_all_their_parameters():
    assert form.run_rows({"common": [], "list": RUNS}) == RUNS


def test_no_runs_have_no_parameters():
    assert content.runs([])["usual"] == []


def test_a_table_without_rows_keeps_its_columns():
    empty = tables.as_stored(whole().head(0), RUNS)
    assert list(tables.as_recorded(empty, RUNS).columns) == list(whole().columns)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes().replace(b"0", b"1"))])
def test_a_report_s_table_that_was_changed_is_refused(synthetic, tmp_path, spoil):
    report = synthetic.build_report(tmp_path)
    assert set(tables.of_report(report)) == {"rates", "spectra"}
    spoil(report / "tables" / "rates.csv")
    with pytest.raises(ReportError, match=r"tables/rates\.csv of the report made-up \(standard\)"):
        tables.of_report(report)


def test_what_is_recomputed_from_a_report_is_what_it_says(synthetic, report):
    said = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert "gain" not in (report / "tables" / "rates.csv").read_text().splitlines()[0]
    rates = tables.of_report(report)["rates"]
    own = rates[rates["control"] == ""]
    again = synthetic.growth_rate({"rates": own})
    kept = said["claims"][0]["estimates"]
    assert [(e.condition, e.value, e.low, e.high) for e in again] == [
        (row["condition"], row["value"], row["low"], row["high"]) for row in kept
    ]

"""Oracle: a table written out by hand, of which it is known which rows are estimates and what tells them apart."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gradstudy.claims.claim import Estimate
from gradstudy.report.estimate_tables import estimates

REPORT = {"claims": [], "runs": {"list": [{"parameters": {"module": "rnn", "hidden": 8}}]}}
COLUMNS = ["run", "group", "control", "module", "hidden", "baseline", "ratio", "low", "high", "n", "milliseconds"]
ROWS = [
    ["a", "gated", "", "lstm", 8, "fused", 0.5, 0.25, 0.75, 9, 3.0],
    ["a", "gated", "", "lstm", 8, "stepped", 2.0, 1.0, 3.0, 9, 3.0],
    ["b", "gated", "", "gru", 8, "fused", 1.0, math.nan, math.nan, 9, 3.0],
    ["c", "plain", "", "rnn", 8, "fused", 4.0, 4.0, 4.0, 1, 3.0],
]


def table(**changes: object) -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=COLUMNS).assign(**changes)


def test_each_row_with_an_interval_is_an_estimate_told_apart_by_what_differs():
    assert list(estimates(REPORT, {"ratios": table()})) == [
        ("ratios", "a", Estimate(0.5, 0.25, 0.75, 9, "ratio", "gated, module = lstm, fused")),
        ("ratios", "a", Estimate(2.0, 1.0, 3.0, 9, "ratio", "gated, module = lstm, stepped")),
        ("ratios", "c", Estimate(4.0, 4.0, 4.0, 1, "ratio", "plain, fused")),
    ]


def test_a_control_is_no_row_of_its_group():
    found = estimates(REPORT, {"ratios": table(control=["", "slower", "", ""])})
    assert [one.condition for _, _, one in found][:2] == [
        "gated, module = lstm, fused",
        "gated, control slower, module = lstm, stepped",
    ]


def test_a_column_of_units_is_the_unit_and_no_condition():
    (first, *_) = estimates(REPORT, {"ratios": table(unit="s")})
    assert first[2] == Estimate(0.5, 0.25, 0.75, 9, "s", "gated, module = lstm, fused")


@pytest.mark.parametrize(
    "other",
    [
        table().drop(columns="n"),
        table().drop(columns="ratio"),  # a text in front of the interval
        table(low="a few"),
        table(n=[9, 9, 9, math.nan]),
        table(low=5.0),
        table()[["low", "high", "n", "run", "group"]],
        pd.DataFrame(columns=COLUMNS),
    ],
)
def test_a_table_of_something_else_has_none(other):
    assert list(estimates(REPORT, {"other": other})) == []


def test_a_study_with_claims_says_its_numbers_in_them():
    assert list(estimates({**REPORT, "claims": [{"id": "P1"}]}, {"ratios": table()})) == []

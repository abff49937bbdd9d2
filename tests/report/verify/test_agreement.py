"""Oracle: contents and tables whose difference was put there by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gradstudy.report.verify.agreement import of_contents, of_tables
from gradstudy.report.verify.finding import Outcome

CLAIM = {"id": "P1", "verdict": "SUPPORTED", "estimates": [{"condition": "tanh", "value": 0.25, "low": 0.2, "n": 6}]}


def with_estimate(**parts: object) -> dict:
    return CLAIM | {"estimates": [CLAIM["estimates"][0] | parts]}


def test_the_same_content_is_identical():
    assert of_contents({"claims": [CLAIM]}, {"claims": [CLAIM]}).outcome is Outcome.IDENTICAL


def test_a_last_digit_is_within_tolerance_and_may_change_a_text():
    kept, again = with_estimate(value=0.25, text="0.25 nats"), with_estimate(value=0.25 + 1e-12, text="0.26 nats")
    same = of_contents([kept], [again])
    assert same.outcome is Outcome.TOLERATED
    assert same.largest == pytest.approx(4e-12)


def test_a_number_that_is_nearly_zero_is_measured_by_those_beside_it():
    kept, again = with_estimate(value=1e-17, low=-0.2), with_estimate(value=-2e-17, low=-0.2)
    assert of_contents([kept], [again]).outcome is Outcome.TOLERATED
    alone = [{"value": 1e-17}], [{"value": -2e-17}]
    assert of_contents(*alone).outcome is Outcome.DIFFERS


def test_a_text_alone_has_no_excuse():
    same = of_contents([with_estimate(text="0.25 nats")], [with_estimate(text="0.26 nats")])
    assert same.where == ("[P1].estimates[tanh].text: 0.25 nats in the report, 0.26 nats now",)


@pytest.mark.parametrize(
    ("again", "where"),
    [
        (with_estimate(value=0.251), "[P1].estimates[tanh].value: 0.25 in the report, 0.251 now"),
        (with_estimate(n=7), "[P1].estimates[tanh].n: 6 in the report, 7 now"),
        (with_estimate(value="Infinity"), "[P1].estimates[tanh].value: 0.25 in the report, Infinity now"),
        (CLAIM | {"verdict": "REFUTED"}, "[P1].verdict: SUPPORTED in the report, REFUTED now"),
        (CLAIM | {"estimates": []}, "[P1].estimates: "),
        ({"id": "P1"}, "[P1].verdict: SUPPORTED in the report, null now"),
    ],
)
def test_whatever_else_differs_is_named(again: dict, where: str):
    same = of_contents([CLAIM], [again])
    assert same.outcome is Outcome.DIFFERS
    assert same.where[0].startswith(where)


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"run": ["a", "a", "b"], "x": [100.0, 1.0, float("-inf")], "y": [1, 2, 3]} | columns)


def test_tables_alike_have_nothing_to_tell():
    assert list(of_tables(table(z=[math.nan] * 3), table(z=[math.nan] * 3), 0)) == []


def test_a_number_is_off_relative_to_the_largest_of_its_column():
    ((off, where),) = of_tables(table(), table(x=[100.0, 1.0 + 1e-6, float("-inf")]), 1e-7)
    assert off == pytest.approx(1e-8)
    assert where == "x: run a, row 1: 1.0 in the report, 1.000001 now"
    ((off, _),) = of_tables(table(), table(x=[100.0, 1.0 + 1e-6, float("-inf")]), 1e-9)
    assert off == math.inf


@pytest.mark.parametrize(
    "other",
    [
        {"x": [100.0, 1.0, 5.0]},
        {"x": [100.0, math.nan, float("-inf")]},
        {"x": [math.inf, 1.0, float("-inf")]},
        {"y": [1, 2, 4]},
        {"run": ["a", "b", "b"]},
        {"y": ["1", "2", "x"]},
        {"z": [0, 0, 0]},
    ],
)
def test_infinities_gaps_and_texts_are_alike_or_not(other: dict):
    for kept, again in ((table(), table(**other)), (table(**other), table())):
        assert [off for off, _ in of_tables(kept, again, 1e-3)] == [math.inf]


def test_rows_that_came_or_went_differ():
    ((off, where),) = of_tables(table(), table().head(2), 1)
    assert (off, where) == (math.inf, "2 rows instead of 3")

"""Oracle: the table that was written; floats compared bit by bit."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradstudy.report import tables


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

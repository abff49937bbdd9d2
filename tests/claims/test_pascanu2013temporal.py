"""Claims P10 and P13-P16.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

SEEDS = range(8)
OFFSETS = (-2e-4, -1e-4, 0.0, 1e-4, 2e-4, 1e-4, 0.0, -1e-4)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def outcomes(times, *, start="basic-tanh", length=20, outcome="solved", **columns):
    """Build the rows of one point: an arm's time, the same for all its runs but for a small offset."""
    base = {"start": start, "length": length, "outcome": outcome, "radius": 1.0, "correlation": 0.0}
    base = {**base, "updates": 2000, "compared_after": 2000, **columns}
    rows = [
        {**base, "arm": arm, "member": seed, "time": time + (arm == "SGD-CR") * OFFSETS[seed]}
        for arm, time in times.items()
        for seed in SEEDS
    ]
    return pd.DataFrame(rows)


def test_a_lead_is_the_difference_of_restricted_times():
    rows = pd.concat([outcomes({"SGD-CR": 0.1, "SGD-C": 0.3}), outcomes({"SGD-CR": 0.2, "SGD-C": 1.0}, length=40)])
    estimates = find("P14").measure({"outcomes": rows})
    assert [e.condition for e in estimates] == ["basic-tanh, T = 20", "basic-tanh, T = 40"]
    assert [round(e.value, 3) for e in estimates] == [0.2, 0.8]
    assert verdict("P14", {"outcomes": rows}) == Verdict.SUPPORTED


@pytest.mark.parametrize(("late", "expected"), [(0.08, Verdict.SUPPORTED), (0.02, Verdict.REFUTED)])
def test_leads_beside_their_border(late, expected):
    times = {"SGD-CR": 0.1, "SGD-R": 0.1 + late, "SGD": 0.1, "SGD-L2": 0.1 + late}
    assert verdict("P13", {"outcomes": outcomes(times)}) == expected


def test_a_budget_that_is_too_small_decides_nothing():
    rows = outcomes({"SGD-CR": 1.0, "SGD-C": 1.0}, outcome="censored")
    assert verdict("P14", {"outcomes": rows}) == Verdict.INCONCLUSIVE
    # Censored runs of the slower arm are what its restricted time counts as 1.
    slow = outcomes({"SGD-C": 1.0}, outcome="censored")
    assert verdict("P14", {"outcomes": pd.concat([outcomes({"SGD-CR": 0.1}), slow])}) == Verdict.SUPPORTED
    # Success just within the budget against none at all is no small lead: the budget has cut it off.
    assert verdict("P14", {"outcomes": pd.concat([outcomes({"SGD-CR": 0.97}), slow])}) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("slope", "expected"), [(0.0018, Verdict.SUPPORTED), (0.0003, Verdict.REFUTED), (-0.01, Verdict.REFUTED)]
)
def test_the_lead_of_clipping_by_length(slope, expected):
    rows = [outcomes({"SGD-C": 0.3, "SGD": 0.3 + slope * t}, length=t) for t in (10, 15, 20)]
    table = pd.concat(rows)
    table.loc[table["arm"] == "SGD", "time"] += [OFFSETS[i] for i in table.loc[table["arm"] == "SGD", "member"]]
    assert verdict("P10c", {"outcomes": table}) == expected


def test_no_slope_where_neither_arm_succeeds():
    rows = [outcomes({"SGD-C": 0.3, "SGD": 0.5}, length=10), outcomes({"SGD-C": 1, "SGD": 1}, length=20)]
    rows[1]["outcome"] = "censored"
    assert verdict("P10c", {"outcomes": pd.concat(rows)}) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("slope", "expected"), [(0.0018, Verdict.SUPPORTED), (0.0003, Verdict.REFUTED)])
def test_spectral_radii_by_length(slope, expected):
    rows = []
    for length in (10, 20, 40):
        part = outcomes({"SGD": 1.0, "SGD-C": 1.0}, length=length)
        part["radius"] = 1 + slope * length + part["member"].map(dict(enumerate(OFFSETS)))
        rows.append(part)
    table = pd.concat(rows)
    assert verdict("P10a", {"outcomes": table}) == expected
    table.iloc[0, table.columns.get_loc("radius")] = math.nan
    assert verdict("P10a", {"outcomes": table}) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("updates", "expected"), [(300, Verdict.INCONCLUSIVE), (2000, Verdict.SUPPORTED), (0, Verdict.SUPPORTED)]
)
def test_no_slope_of_radii_that_were_trained_for_unequal_times(updates, expected):
    rows = []
    for length in (10, 20, 40):
        # One law for all: rho grows by 0.1 in 1,000 updates, whatever T. Runs on 10 steps succeed early.
        part = outcomes({"SGD": 1.0, "SGD-C": 1.0}, length=length, updates=updates if length == 10 else 2000)
        part["radius"] = 1 + 1e-4 * part["updates"] + part["member"].map(dict(enumerate(OFFSETS)))
        rows.append(part if updates == 300 else part.assign(radius=part["radius"] + 0.0018 * length))
    assert verdict("P10a", {"outcomes": pd.concat(rows)}) == expected


def test_correlation_within_runs_and_none_that_is_missing():
    rows = outcomes({"SGD": 1.0, "SGD-C": 1.0})
    rows["correlation"] = 0.3 + rows["member"].map(dict(enumerate(OFFSETS)))
    assert verdict("P10b", {"outcomes": rows}) == Verdict.SUPPORTED
    assert verdict("P10b", {"outcomes": rows.assign(correlation=rows["correlation"] - 0.27)}) == Verdict.REFUTED
    rows.iloc[3, rows.columns.get_loc("correlation")] = math.nan
    assert verdict("P10b", {"outcomes": rows}) == Verdict.INCONCLUSIVE


def test_errors_at_other_lengths():
    table = pd.DataFrame(
        {"member": seed, "test_length": length, "error": 0.002 + OFFSETS[seed]}
        for seed in SEEDS
        for length in (50, 500)
    )
    assert verdict("P15", {"lengths": table}) == Verdict.SUPPORTED
    table.loc[table["test_length"] == 500, "error"] += 0.05
    assert verdict("P15", {"lengths": table}) == Verdict.REFUTED

"""The study of temporal order.

Oracles: what the sources say, told in the claims' own settings; scipy's interval of a mean.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from gradstudy.claims.registry import find
from gradstudy.report.figure_functions import functions
from gradstudy.study.catalog import find_study
from gradstudy.study.plan import make_plan

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("claim", ["P13", "P14"])
def test_omega_is_judged_on_memories_longer_than_plain_descent_manages(claim: str) -> None:
    # At T = 10 every arm succeeds within some hundred updates: a lead of 500 cannot be had there, whatever is true.
    groups = find_study("temporal-order", ROOT).spec.claims[claim]
    points = [planned.point for planned in make_plan(find_study("temporal-order", ROOT), "standard", ROOT).points]
    lengths = {p.parameters["length"] for p in points if p.group in groups and not p.control}
    assert lengths == {40}
    assert "At T = 40" in find(claim).setting


def runs(**columns: object) -> pd.DataFrame:
    base = {"control": "", "cell": "tanh", "start": "basic-tanh", "longest": float("nan"), "optimiser": "sgd"}
    base |= {
        "length": 20,
        "budget": 10_000,
        "compared_after": 2000,
        "updates": 2000,
        "outcome": "solved",
        "examined": True,
    }
    values = pd.Series([1.0, 1.1, 1.3])
    rows = {"member": range(3), "radius": values, "time": values / 2}
    return pd.concat([pd.DataFrame({**base, "arm": arm, **rows, **columns}) for arm in ("SGD", "SGD-C")])


def half(drawing: object, axes: int = 0) -> float:
    (segments,) = [bar.get_segments() for bar in drawing.figure.axes[axes].containers[0][2]]  # type: ignore[attr-defined]
    return float(segments[0][1][1] - segments[0][0][1]) / 2


FIGURES = {f.name: f for f in functions(ROOT / "studies" / "temporal-order")}


def test_a_network_under_two_arms_is_one_replicate_and_intervals_are_students() -> None:
    drawing = FIGURES["radius_by_length"]({"outcomes": runs()})
    scale = stats.sem([1.0, 1.1, 1.3])
    assert half(drawing) == pytest.approx(stats.t.ppf(0.975, 2) * scale)
    assert "n = 3 networks" in drawing.caption
    times = FIGURES["time_by_length"]({"outcomes": runs()})
    assert half(times) == pytest.approx(stats.t.ppf(0.975, 2) * scale / 2)


def test_gated_networks_have_a_budget_of_their_own() -> None:
    table = pd.concat([runs(), runs(cell="lstm", start="default", budget=5000)], ignore_index=True)
    assert "10,000 updates (gated networks: 5,000)" in FIGURES["time_by_length"]({"outcomes": table}).caption


def test_radii_are_those_of_runs_that_went_on_after_they_had_succeeded() -> None:
    table = pd.concat([runs(updates=300), runs(radius=2.0, examined=False)], ignore_index=True)
    drawing = FIGURES["radius_by_length"]({"outcomes": table})
    assert "of 6 runs 0 had left before" in drawing.caption
    assert drawing.figure.axes[0].containers[0][0].get_ydata().tolist() == [2.0]

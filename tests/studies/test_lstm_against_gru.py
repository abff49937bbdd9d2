"""The study of LSTM and GRU.

Oracles: scipy's interval of a mean; the plan of the profile, against what the claims' settings say of it.
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
FIGURES = {f.name: f for f in functions(ROOT / "studies" / "lstm-against-gru")}


@pytest.mark.parametrize("times", [[0.3, 0.4, 0.6], [0.3, 0.4, 0.6, 0.5, 0.5, 0.2, 0.4, 0.4]])
def test_intervals_are_students_whatever_the_number_of_networks(times: list[float]) -> None:
    base = {"control": "", "cell": "lstm", "start": "default", "task": "adding", "steps": 10.0, "budget": 800}
    table = pd.DataFrame({**base, "time": times})
    axes = FIGURES["time_by_length"]({"outcomes": table}).figure.axes[0]
    (segment,) = axes.containers[0][2][0].get_segments()
    half = stats.t.ppf(0.975, len(times) - 1) * stats.sem(times)
    assert (segment[1][1] - segment[0][1]) / 2 == pytest.approx(half)


def test_settings_say_what_is_run() -> None:
    study = find_study("lstm-against-gru", ROOT)
    points = [planned.point for planned in make_plan(study, "standard", ROOT).points]
    of = {p.group: p.parameters for p in points if not p.control}
    budgets = [f"{of[group]['budget']:,}" for group in ("adding", "temporal-order", "memorisation")]
    assert f"within {budgets[0]}, {budgets[1]} and {budgets[2]} updates" in find("L11a1").setting
    assert {of[group]["members"] for group in ("adding", "temporal-order", "memorisation", "counting")} == {16}
    assert f"{of['music']['members']} seeds, {of['music']['budget']} updates" in find("L10c").setting
    assert f"{of['counting']['budget']:,} updates of {of['counting']['batch']} strings" in find("L11b1").setting
    assert f"median ratio over {of['times']['rounds']} rounds" in find("L9c1").setting
    assert f"1/{of['music']['gru_time']} times as many updates" in find("L10c").setting

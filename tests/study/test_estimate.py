"""Oracle: durations put into run.json by hand, and schedules worked out on paper."""

import json
import math

import pytest

from gradstudy.study.estimate import durations, estimate, in_words
from gradstudy.study.evidence import gather
from gradstudy.study.executor import Budget
from gradstudy.study.plan import make_plan

GRID = [{"name": "base", "over": {"seed": [0, 1, 2, 3]}}, {"name": "wide", "over": {"gain": [2.0, 3.0]}}]


@pytest.fixture
def planned(workspace):
    """Plan six runs in two groups, of which runs with these seconds (None: none) have been."""

    def plan(*seconds, status="ok", threads=1):
        workspace.profile(grid=GRID, threads=threads)
        made = make_plan(workspace.study(), "quick", workspace.folder)
        for point, took in zip(made.points, seconds, strict=False):
            if took is not None:
                entry = {"status": status, "error": None, "parameters": dict(point.point.parameters), "records": {}}
                entry |= {"evidence": gather(["gradstudy"]), "seconds": took}
                point.folder.mkdir(parents=True)
                (point.folder / "run.json").write_text(json.dumps(entry))
        return make_plan(workspace.study(), "quick", workspace.folder)

    return plan


def seconds_of(plan):
    likely = durations(plan)
    return [likely.get(point.folder) for point in plan.points]


def all_of(plan):
    return [(plan, point) for point in plan.points]


def test_a_run_takes_as_long_as_it_took_and_else_as_its_group(planned):
    assert seconds_of(planned(3.0, None, 9.0, 4.0)) == [3.0, 4.0, 9.0, 4.0, None, None]


def test_a_run_of_other_code_counts_by_its_parameters(planned, workspace):
    planned(3.0, 5.0)
    workspace.notebook.write_text(workspace.notebook.read_text() + "\n# %%\nprint('more')\n")
    plan = make_plan(workspace.study(), "quick", workspace.folder)
    assert {point.state.kind for point in plan.points} == {"new"}
    assert seconds_of(plan)[:3] == [3.0, 5.0, 4.0]


def test_what_failed_or_is_broken_says_nothing_of_the_time(planned, workspace):
    plan = planned(3.0, 4.0, status="failed")
    assert seconds_of(plan) == [None] * 6
    (plan.points[0].folder / "run.json").write_text('{"status": "ok", "parameters"')
    (plan.points[1].folder / "run.json").write_text('{"status": "ok", "parameters": {}, "seconds": NaN}')
    assert seconds_of(plan) == [None] * 6


def test_the_total_is_that_of_the_schedule(planned):
    plan = planned(3.0, 5.0, 9.0, 4.0)
    told = {jobs: estimate(all_of(plan), Budget(jobs, 4)) for jobs in (1, 2, 4)}
    assert (told[1].runs, told[1].unknown, told[1].seconds) == (6, 2, 21.0)
    assert told[2].seconds == 12.0, "3 then 9 beside 5 then 4"
    assert told[4].seconds == 9.0
    assert estimate(all_of(plan), Budget(None, 2)).seconds == 12.0
    assert str(told[2]) == "6 runs to do: about 12 s, and 2 of which the time is unknown"
    assert str(estimate([], Budget())) == "nothing to do"


def test_threads_take_cores(planned):
    plan = planned(3.0, 5.0, 9.0, 4.0, threads=2)
    assert estimate(all_of(plan), Budget(None, 2)).seconds == 21.0
    assert estimate(all_of(plan), Budget(None, 4)).seconds == 12.0


def test_points_that_share_a_run_count_once(planned):
    plan = planned(3.0)
    assert estimate([*all_of(plan)[:1], *all_of(plan)[:1]], Budget()).seconds == 3.0


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.0, "0 s"), (1.234, "1.2 s"), (12.3, "12 s"), (89, "89 s"), (90, "1.5 min"), (5399, "90 min"), (5400, "1.5 h"),
     (360000, "100 h")],
)  # fmt: skip
def test_seconds_are_told_in_a_unit_that_suits_them(seconds, says):
    assert in_words(seconds) == says
    assert in_words(math.inf) == "for ever"


def test_a_real_run_is_estimated_by_its_own_time_and_no_report_holds_it(workspace):
    workspace.run()
    (point,) = (plan := make_plan(workspace.study(), "quick", workspace.folder)).points
    assert seconds_of(plan) == [json.loads((point.folder / "run.json").read_text())["seconds"]]

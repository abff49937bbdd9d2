"""Oracles: rows made with known rates; the verdict rule of gradstudy.claims.claim; the states written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.report.assess import Records, Runs, assess, deciding, kind_in_words
from gradstudy.study.results import RunSummary

PLAN = {"a": ("group", "", 1.0), "b": ("group", "", 1.2), "c": ("group", "planted", -1.0), "d": ("other", "", -9.0)}


def mean(tables: Tables) -> tuple[Estimate, ...]:
    x = tables["x"]["x"]
    return (Estimate(x.mean(), x.min(), x.max(), len(x), "nats"),)


CLAIM = Claim(
    id="T1",
    source="pascanu2013",
    source_status="read",
    kind="rate",
    statement="x is above zero",
    setting="none",
    region=Region(low=0),
    replicate="a run",
    measure=mean,
    controls=(Control("planted", "the sign", Verdict.REFUTED),),
)


def records(profile: str = "standard", *, without: str = "", failed: str = "") -> Records:
    plan = {run: place for run, place in PLAN.items() if run not in without}
    runs = [
        RunSummary(run, group, control, {}, "failed" if run in failed else "ok", None)
        for run, (group, control, _) in plan.items()
    ]
    rows = [
        {"run": run, "group": group, "control": control, "x": x}
        for run, (group, control, x) in plan.items()
        if run not in failed
    ]
    return Records(profile, tuple(runs), {"x": pd.DataFrame(rows, columns=["run", "group", "control", "x"])})


def test_decided_on_the_groups_own_rows_when_the_control_is_as_planted():
    found = assess(CLAIM, ["group"], records())
    assert found.verdict == "SUPPORTED"
    assert found.measured.estimates == (Estimate(1.1, 1.0, 1.2, 2, "nats"),)
    assert found.controls[0].measured.estimates[0].value == -1.0
    assert found.reason == "The whole interval lies above 0."
    assert found.runs == Runs(2, 0, 0)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (records("quick", without="c"), "undecided: controls in standard"),
        (records("paper", without="c"), "undecided: controls in standard"),
        (records("standard", without="c"), "undecided: control planted not run"),
        (records("standard", failed="c"), "undecided: control planted not run"),
        (records("quick", without="abd"), "undecided: no records"),
        (records("quick", failed="ab"), "undecided: no records"),
        (records("standard", failed="a"), "undecided: only 1 run, 1 failed"),
    ],
)
def test_what_stands_in_the_way_is_named(given: Records, verdict: str):
    assert assess(CLAIM, ["group"], given).verdict == verdict


def test_an_undecided_claim_still_shows_its_estimate():
    assert assess(CLAIM, ["group"], records("quick", without="c")).measured.estimates[0].value == pytest.approx(1.1)


def test_a_control_that_fails_leaves_the_claim_undecided():
    claim = replace(CLAIM, controls=(Control("planted", "the sign", Verdict.SUPPORTED),))
    assert assess(claim, ["group"], records()).verdict == "undecided: control planted came out REFUTED"


def test_a_control_with_a_lost_run_does_not_count():
    given = records()
    runs = (*given.runs, RunSummary("e", "group", "planted", {}, "timeout", "too slow"))
    assert assess(CLAIM, ["group"], replace(given, runs=runs)).verdict == (
        "undecided: control planted has only 1 run, 1 failed"
    )


def test_a_table_that_no_run_left_is_no_records():
    claim = replace(CLAIM, measure=lambda tables: mean({"x": tables["y"]}))
    found = assess(claim, ["group"], records())
    assert found.verdict == "undecided: no records"
    assert found.reason == "no records in table 'y'"


def test_a_fault_of_the_measure_is_told_and_not_taken_for_missing_rows():
    claim = replace(CLAIM, measure=lambda tables: (tables["x"]["no such column"],))
    found = assess(claim, ["group"], records())
    assert found.verdict == "undecided: measure failed"
    columns = ", ".join(records().tables["x"].columns)
    assert found.measured.error == f"measure failed (KeyError: 'no such column'; x has {columns})"


def test_a_run_that_left_no_row_for_the_measure_is_not_passed_over():
    given = records()
    for run, verdict in (("a", "1 run without records for it"), ("c", "control planted not run")):
        kept = Records("standard", given.runs, {"x": given.tables["x"][given.tables["x"]["run"] != run]})
        assert assess(CLAIM, ["group"], kept).verdict == f"undecided: {verdict}"
    second = RunSummary("e", "group", "planted", {}, "ok", None)
    found = assess(CLAIM, ["group"], replace(given, runs=(*given.runs, second)))
    assert found.verdict == "undecided: control planted has 1 run without records for it"


def test_a_measure_that_exits_decides_nothing():
    def leave(tables: Tables) -> tuple[Estimate, ...]:
        raise SystemExit(0)

    assert assess(replace(CLAIM, measure=leave), ["group"], records()).verdict == "undecided: measure failed"


def test_no_data_counts_as_missing():
    run = RunSummary("a", "group", "", {}, "no-data", "NoDataError: not there")
    assert Runs.of([run]) == Runs(0, 0, 1)
    assert str(Runs(3, 1, 2)) == "3 runs, 1 failed, 2 missing"


@pytest.mark.parametrize(("kind", "value"), [("rate", 1.0), ("existence", 3.0)])
def test_the_deciding_estimate_is_the_worst_or_the_best_witness(kind, value: float):
    estimates = tuple(Estimate(x, x - 0.5, x + 0.5, 4, "") for x in (2.0, 1.0, 3.0))
    found = deciding(replace(CLAIM, kind=kind), estimates)
    assert found is not None
    assert found.value == value


def test_a_theorem_says_how_far_the_search_went():
    claim = replace(CLAIM, kind="theorem")
    assert kind_in_words(claim, (Estimate(0, 0, 0, 40, ""), Estimate(0, 0, 0, 60, ""))) == "theorem, search of size 100"


def test_a_run_that_two_groups_share_is_one_replicate():
    given = records()
    shared = [RunSummary("a", "again", "", {}, "ok", None), *given.runs]
    again = pd.DataFrame([{"run": "a", "group": "again", "control": "", "x": 1.0}])
    both = Records("standard", tuple(shared), {"x": pd.concat([again, given.tables["x"]], ignore_index=True)})
    found = assess(CLAIM, ["group", "again"], both)
    assert found.measured.estimates == (Estimate(1.1, 1.0, 1.2, 2, "nats"),)
    assert found.runs == Runs(2, 0, 0)


def test_a_claim_is_not_decided_without_one_of_its_groups():
    found = assess(CLAIM, ["group", "never-run"], records("paper"))
    assert found.verdict == "undecided: no runs of never-run in this profile"


def test_a_claim_is_not_decided_on_runs_of_different_code():
    def used(digest: str, numpy: str = "2.0") -> dict[str, dict[str, str]]:
        return {"modules": {"gradstudy.chains.chain": digest}, "versions": {"numpy": numpy}}

    given = records()
    evidence = {"a": used("1"), "b": used("1") | {"modules": {"gradstudy.search": "5"}}, "c": used("1"), "d": used("9")}

    def with_evidence(**other: dict[str, dict[str, str]]) -> Records:
        runs = (replace(run, evidence=(evidence | other)[run.digest]) for run in given.runs)
        return replace(given, runs=tuple(runs))

    assert assess(CLAIM, ["group"], with_evidence()).verdict == "SUPPORTED"  # d is of another group
    for run in ("a", "c"):  # the control's run as well
        found = assess(CLAIM, ["group"], with_evidence(**{run: used("2")}))
        assert found.verdict == "undecided: its runs differ in gradstudy.chains.chain"
    found = assess(CLAIM, ["group"], with_evidence(b=used("1", numpy="2.1")))
    assert found.verdict == "undecided: its runs differ in numpy"

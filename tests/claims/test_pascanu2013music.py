"""Claims P21-P23.

Oracles: tables made by hand with a known verdict; the paper's own table.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find
from gradstudy.theory.pascanu2013table import published

OFFSETS = (-4e-3, -2e-3, 0.0, 2e-3, 4e-3, 2e-3, 0.0, -2e-3)


def verdict(claim, rows):
    found = find(claim)
    return decide(found, found.measure(tables(rows)))


def tables(rows):
    """Add courses in which clipping alone clips a tenth of the updates of Nottingham."""
    courses = pd.DataFrame({"music": "nottingham", "arm": ["SGD", "SGD-C", "SGD-C"], "clipped": [0.0, 0.2, 0.0]})
    return {"likelihoods": rows, "courses": courses}


def likelihoods(music, **splits):
    """Eight networks of each arm, (SGD, SGD-C, SGD-CR) by split; all alike but for a small offset of the arm's own."""
    return pd.DataFrame(
        {
            "music": music,
            "split": split,
            "arm": arm,
            "member": i,
            "first_rate": 2.0**place,
            "nats": nats + (place == 1) * OFFSETS[i] + 0.1 * i,
        }
        for split, arms in splits.items()
        for place, (arm, nats) in enumerate(zip(("SGD", "SGD-C", "SGD-CR"), arms, strict=True))
        for i in range(8)
    )


def both(*arms, music="nottingham"):
    return likelihoods(music, train=arms, valid=(9, 9, 9), test=arms)


def test_gains_are_those_of_pairs_on_one_split():
    rows = pd.concat([both(5, 4.9, 4.8), likelihoods("piano-midi", train=(7, 6, 6.5), test=(8, 7.5, 7.2))])
    estimates = find("P21a").measure(tables(rows))
    assert [(e.condition, round(e.value, 6), e.n) for e in estimates] == [
        ("nottingham: 10 % of updates clipped, first rates 2 and 1", 0.1, 8),
        ("piano-midi: nan % of updates clipped, first rates 2 and 1", 1, 8),
    ]
    assert [round(e.value, 6) for e in find("P22a").measure(tables(rows))] == [0.1, 0.3]
    assert [round(e.value, 6) for e in find("P22c").measure(tables(rows))] == [-0.1, 0.5]
    assert [round(e.value, 6) for e in find("P23").measure(tables(rows))] == [0.0, 0.5]
    # The offsets of pairs are all that an interval has: 0.1 nats between networks are in both arms.
    assert all(e.high - e.low < 0.01 for e in estimates)


@pytest.mark.parametrize("claim", ["P21a", "P21b", "P22a", "P22b"])
@pytest.mark.parametrize(
    ("better", "expected"), [(0.03, Verdict.SUPPORTED), (0.01, Verdict.REFUTED), (0.02, Verdict.INCONCLUSIVE)]
)
def test_each_arm_better_than_the_one_before(claim, better, expected):
    assert verdict(claim, both(5 + better, 5, 5 - better)) == expected


@pytest.mark.parametrize(("worse", "expected"), [(0.03, Verdict.SUPPORTED), (0.01, Verdict.REFUTED)])
def test_omega_at_the_expense_of_the_training_songs(worse, expected):
    assert verdict("P22c", both(5, 5, 5 + worse, music="piano-midi")) == expected


@pytest.mark.parametrize(("beyond", "expected"), [(0.01, Verdict.SUPPORTED), (0.03, Verdict.REFUTED)])
def test_gains_on_test_alone(beyond, expected):
    rows = likelihoods("nottingham", train=(5, 5, 5), test=(5 + beyond, 5, 5))
    assert verdict("P23", rows) == expected


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (5.0, 5.0, Verdict.INCONCLUSIVE),
        (4.5, 4.0, Verdict.INCONCLUSIVE),
        (5.1, 5.0, Verdict.SUPPORTED),
        (4.9, 5.1, Verdict.REFUTED),
    ],
)
def test_clipping_that_gains_nowhere_neither_optimises_nor_regularises(train, test, expected):
    assert verdict("P23", likelihoods("nottingham", train=(train, 5, 5), test=(test, 5, 5))) == expected


def test_one_set_that_fails_refutes():
    rows = pd.concat([both(5.1, 5, 4.9), both(5, 5, 5, music="piano-midi")])
    assert verdict("P21b", rows) == Verdict.REFUTED


def test_a_network_that_diverged_or_is_missing_decides_nothing():
    rows = both(5.1, 5, 4.9)
    lost = rows.assign(nats=rows["nats"].mask((rows["arm"] == "SGD") & (rows["member"] == 3), math.nan))
    assert verdict("P21a", lost) == Verdict.INCONCLUSIVE
    assert verdict("P22a", lost) == Verdict.SUPPORTED
    assert verdict("P21a", rows[(rows["arm"] != "SGD") | (rows["member"] != 3)]) == Verdict.INCONCLUSIVE
    assert verdict("P21a", rows[rows["arm"] != "SGD"]) == Verdict.INCONCLUSIVE


def test_the_papers_own_table_has_the_papers_orderings():
    """What is claimed of the paper is what its table says, on every set and by more than the margin."""
    rows = [published(music).assign(music=music) for music in ("nottingham", "piano-midi", "musedata")]
    table = pd.concat(rows).query("source == 'pascanu2013'").assign(member=0, first_rate=1.0)
    twice = pd.concat([table, table.assign(member=1)])  # an interval needs two
    assert {claim: verdict(claim, twice) for claim in ("P21a", "P21b", "P22a", "P23")} == dict.fromkeys(
        ("P21a", "P21b", "P22a", "P23"), Verdict.SUPPORTED
    )
    exception = twice["music"] == "piano-midi"
    assert verdict("P22b", twice[~exception]) == Verdict.SUPPORTED
    assert verdict("P22c", twice[exception]) == Verdict.SUPPORTED

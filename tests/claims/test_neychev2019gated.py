"""Claims L9 (costs), L10 (which is better) and L11 (longer, more complex dependencies) on LSTM and GRU.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

SEEDS = range(16)
OFFSETS = np.resize([-2e-3, -1e-3, 0.0, 1e-3, 2e-3, 1e-3, 0.0, -1e-3], 16)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.75, Verdict.SUPPORTED), (0.7505, Verdict.SUPPORTED), (0.752, Verdict.REFUTED)]
)
def test_three_quarters_of_the_parameters(ratio, expected):
    rows = pd.DataFrame({"layout": ["torch", "torch", "textbook"], "ratio": [0.75, ratio, 0.75]})
    assert verdict("L9a", {"parameters": rows}) == expected


def test_operations_by_what_is_equal():
    rows = pd.DataFrame({"match": ["units", "units", "parameters"], "units": [16, 64, 16], "ratio": [0.75, 0.76, 0.99]})
    assert verdict("L9b1", {"flops": rows}) == Verdict.SUPPORTED
    assert verdict("L9b2", {"flops": rows}) == Verdict.REFUTED


def times(ratio, *, implementation="population", units=16, match="units"):
    ratios = ratio * np.exp(OFFSETS[:6])
    return pd.DataFrame({"implementation": implementation, "units": units, "match": match, "ratio": ratios})


def test_times_of_one_implementation_and_of_fused_kernels_are_apart():
    table = pd.concat([times(0.85), times(0.9, implementation="cells"), times(2.0, implementation="fused")])
    assert verdict("L9c1", {"times": table}) == Verdict.SUPPORTED
    assert verdict("L9d1", {"times": table}) == Verdict.REFUTED
    slower = pd.concat([table, times(1.0, implementation="cells", units=64)])
    assert verdict("L9c1", {"times": slower}) == Verdict.REFUTED  # one size is enough
    noisy = times(0.9).assign(ratio=[0.7, 1.2, 0.8, 1.1, 0.9, 0.6])
    assert verdict("L9c1", {"times": noisy}) == Verdict.INCONCLUSIVE


def outcomes(task, lead, *, solved=1, start="default"):
    """Build rows of which the LSTM's times are earlier by so many margins (a tenth of the budget each)."""
    rows = [
        {"task": task, "start": start, "cell": cell, "member": seed, "steps": steps, "solved": solved}
        | {"time": 0.5 - (cell == "lstm") * (0.1 * lead + OFFSETS[seed])}
        for cell in ("lstm", "gru")
        for seed in SEEDS
        for steps in (10, 20)
    ]
    return pd.DataFrame(rows)


def scores(music, lead, *, match="parameters"):
    """Build rows of which the LSTM's nats are fewer by so many margins (2 % each)."""
    rows = [
        {"music": music, "match": match, "cell": cell, "member": seed, "split": split}
        | {"nats": 5 * math.exp((cell == "gru") * 0.02 * lead + (split != "test") * (cell == "lstm") + OFFSETS[seed])}
        for cell in ("lstm", "gru")
        for seed in range(6)
        for split in ("train", "test")
    ]
    table = pd.DataFrame(rows)
    table.loc[table["cell"] == "gru", "nats"] *= 1 + 0.1 * OFFSETS[table.loc[table["cell"] == "gru", "member"]]
    return table


def tables(*leads):
    fields = [outcomes(task, lead) for task, lead in zip(("adding", "order", "memory"), leads, strict=False)]
    return {
        "outcomes": pd.concat(fields),
        "scores": pd.concat([scores("nottingham", leads[3]), scores("jsb", leads[4])]),
    }


@pytest.mark.parametrize(
    ("leads", "consistent", "equal"),
    [
        ((0.5, 0.5, -0.5, 0.2, 0.0), Verdict.SUPPORTED, Verdict.SUPPORTED),
        ((3.0, 3.0, 3.0, 3.0, 0.5), Verdict.SUPPORTED, Verdict.REFUTED),
        ((3.0, -3.0, 3.0, -3.0, 3.0), Verdict.SUPPORTED, Verdict.REFUTED),
        ((1.5, 3.0, 3.0, 1.5, 2.0), Verdict.REFUTED, Verdict.REFUTED),
        ((-1.5, -3.0, -3.0, -1.5, -2.0), Verdict.REFUTED, Verdict.REFUTED),
    ],
)
def test_neither_is_consistently_better_and_both_are_equally_good(leads, consistent, equal):
    assert verdict("L10a", tables(*leads)) == consistent
    assert verdict("L10b", tables(*leads)) == equal


def test_a_small_experiment_is_no_evidence_of_absence():
    found = tables(1.5, 1.2, 1.2, 2.0, 2.0)
    noise = np.random.default_rng(0).standard_normal(len(found["outcomes"]))
    found["outcomes"]["time"] += 0.5 * noise
    found["scores"]["nats"] *= np.exp(0.2 * np.random.default_rng(1).standard_normal(len(found["scores"])))
    assert verdict("L10a", found) == Verdict.INCONCLUSIVE
    assert verdict("L10b", found) == Verdict.INCONCLUSIVE


def test_a_task_that_both_fail_tells_nothing():
    fields = [outcomes("adding", 0.0, solved=0), outcomes("order", 3.0), outcomes("memory", 3.0)]
    led = {"outcomes": pd.concat(fields), "scores": scores("jsb", 3.0)}
    assert verdict("L10a", led) == Verdict.INCONCLUSIVE
    assert verdict("L10b", led) == Verdict.REFUTED
    (estimate,) = find("L10a").measure(led)
    assert estimate.low == -math.inf  # how far the unknown one goes is not known
    # Elsewhere it is shown that neither leads: that does not hang on the task that says nothing.
    even = {"outcomes": pd.concat([fields[0], outcomes("order", 0.0)]), "scores": scores("jsb", 0.0)}
    assert verdict("L10a", even) == Verdict.SUPPORTED
    nothing = {"outcomes": fields[0]}
    assert verdict("L10a", nothing) == Verdict.INCONCLUSIVE


def test_other_initialisations_do_not_count_for_l10():
    found = tables(0.0, 0.0, 0.0, 0.0, 0.0)
    found["outcomes"] = pd.concat([found["outcomes"], outcomes("adding", 5.0, start="retaining")])
    assert verdict("L10b", found) == Verdict.SUPPORTED


def test_equal_time_is_a_comparison_of_its_own():
    rows = pd.concat([scores("jsb", 3.0), scores("jsb", 0.2, match="time")])
    assert verdict("L10c", {"scores": rows}) == Verdict.SUPPORTED
    assert verdict("L10c", {"scores": scores("jsb", -1.5, match="time")}) == Verdict.REFUTED


def lags(task, lstm, gru, *, start="default"):
    """Build rows of networks that learn sequences up to a length, half of them up to twice that."""
    rows = [
        {"task": task, "start": start, "cell": cell, "member": seed, "steps": steps}
        | {"solved": int(steps <= limit * (1 + seed % 2))}
        for cell, limit in (("lstm", lstm), ("gru", gru))
        for seed in SEEDS
        for steps in (10, 20, 40, 80, 160)
    ]
    return pd.DataFrame(rows)


def test_longer_on_every_task():
    longer = pd.concat([lags("adding", 40, 10), lags("order", 80, 20)])
    assert verdict("L11a1", {"outcomes": longer}) == Verdict.SUPPORTED
    assert verdict("L11a1", {"outcomes": pd.concat([longer, lags("memory", 10, 40)])}) == Verdict.REFUTED
    censored = pd.concat([longer, lags("memory", 160, 160)])
    assert verdict("L11a1", {"outcomes": censored}) == Verdict.INCONCLUSIVE


def test_initialisations_are_named_pairs():
    rows = pd.concat([lags("order", 20, 20), lags("order", 80, 5, start="retaining")])
    assert verdict("L11a1", {"outcomes": rows}) != Verdict.SUPPORTED
    assert verdict("L11a2", {"outcomes": rows}) == Verdict.SUPPORTED
    assert verdict("L11a3", {"outcomes": rows}) == Verdict.SUPPORTED


def reaches(lstm, gru, task="counting-2"):
    """Build rows of networks that count to about so much, trained up to 10 and looked at up to 100."""
    rows = [
        {"task": task, "start": "default", "cell": cell, "member": seed, "trained_to": 10, "looked_to": 100}
        | {"reach": min((1 + reach) * (1 + OFFSETS[seed] * (cell == "gru")) - 1, 100)}
        for cell, reach in (("lstm", lstm), ("gru", gru))
        for seed in SEEDS
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.2, Verdict.SUPPORTED), (1.02, Verdict.REFUTED), (0.5, Verdict.REFUTED)]
)
def test_counting_further(factor, expected):
    rows = [reaches(40 * factor - 1, 39, task) for task in ("counting-2", "counting-3")]
    assert verdict("L11b1", {"reaches": pd.concat(rows)}) == expected
    (estimate, _) = find("L11b1").measure({"reaches": pd.concat(rows)})
    assert estimate.value == pytest.approx(math.log(factor), abs=1e-5)


def test_what_is_counted_within_the_training_is_not_beyond_it():
    # One learns its training, the other not even that: neither counts beyond it.
    assert verdict("L11b1", {"reaches": reaches(10, 0.5)}) == Verdict.REFUTED
    assert verdict("L11b1", {"reaches": reaches(20, 0.5)}) == Verdict.SUPPORTED
    (estimate,) = find("L11b1").measure({"reaches": reaches(20, 0.5)})
    assert estimate.value == pytest.approx(math.log(21 / 11))


def test_where_nobody_learns_the_training_nothing_is_known():
    assert verdict("L11b1", {"reaches": reaches(8, 2)}) == Verdict.INCONCLUSIVE
    found = reaches(8, 2)
    found.loc[found.index[:4], "reach"] = 10.0  # a quarter of the LSTMs
    assert verdict("L11b1", {"reaches": found}) == Verdict.REFUTED


def test_counting_as_far_as_was_looked_leaves_a_side_open():
    assert verdict("L11b1", {"reaches": reaches(200, 200)}) == Verdict.INCONCLUSIVE
    (estimate,) = find("L11b1").measure({"reaches": reaches(200, 39)})
    assert (estimate.high, verdict("L11b1", {"reaches": reaches(200, 39)})) == (math.inf, Verdict.SUPPORTED)
    (estimate,) = find("L11b1").measure({"reaches": reaches(39, 200)})
    assert (estimate.low, verdict("L11b1", {"reaches": reaches(39, 200)})) == (-math.inf, Verdict.REFUTED)


def test_missing_numbers_are_not_dropped():
    found = reaches(60, 39)
    found.loc[3, "reach"] = math.nan
    assert verdict("L11b1", {"reaches": found}) == Verdict.INCONCLUSIVE
    fields = outcomes("adding", 3.0)
    assert verdict("L10a", {"outcomes": fields}) == Verdict.REFUTED
    fields.loc[0, "time"] = math.nan  # one of two lengths
    assert verdict("L10a", {"outcomes": fields}) == Verdict.INCONCLUSIVE
    assert verdict("L10a", {"outcomes": outcomes("adding", 3.0).iloc[1:]}) == Verdict.INCONCLUSIVE

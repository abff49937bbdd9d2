"""Claims L1, L2, L7 and L8.

Oracles: tables made by hand with a known verdict; an interval of two conditions recomputed with scipy.
"""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy import stats

from gradstudy.claims import neychev2019
from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

SPREAD = (-1e-3, 0.0, 1e-3, 0.0)


def networks(**columns):
    base = {
        "architecture": "gru", "initialisation": "default", "task": "adding", "stage": "before", "rate": -0.4,
        "largest_sigma_1": 0.9, "far_share": 1e-6,
    }  # fmt: skip
    return {"networks": pd.DataFrame({**{k: [v] * 4 for k, v in base.items()}, **columns})}


def around(value, scale=1.0):
    return [value + scale * offset for offset in SPREAD]


def pairs(*leads, scale=1.0):
    base = {"architecture": "lstm", "initialisation": "default", "task": "adding", "stage": "before"}
    parts = [
        pd.DataFrame(
            {**base, "reference": f"r{i}", "rate": [lead + r for r in around(-0.1)], "reference_rate": around(-0.1)}
        )
        for i, lead in enumerate(leads)
    ]
    found = pd.concat(parts, ignore_index=True)
    return {"pairs": found.assign(rate=found["rate"] + scale * pd.Series(list(SPREAD) * len(leads)))}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


@pytest.mark.parametrize("claim", ["L1", "L2a"])
def test_vanishing_rates(claim):
    assert verdict(claim, networks()) == Verdict.SUPPORTED
    assert verdict(claim, networks(rate=around(-0.015))) == Verdict.SUPPORTED
    assert verdict(claim, networks(rate=around(-0.005))) == Verdict.REFUTED
    assert verdict(claim, networks(rate=around(0.3))) == Verdict.REFUTED
    assert verdict(claim, networks(rate=around(-0.01))) == Verdict.INCONCLUSIVE
    assert verdict(claim, networks(rate=around(-0.4, 1e3))) == Verdict.INCONCLUSIVE
    assert verdict(claim, networks(rate=[math.nan, -0.4, -0.4, -0.4])) == Verdict.INCONCLUSIVE


def test_only_contracting_networks_decide_on_small_derivatives():
    expanding = [0.9, 0.9, 1.01, 0.9]
    assert verdict("L1", networks(largest_sigma_1=expanding)) == Verdict.INCONCLUSIVE
    assert verdict("L2a", networks(largest_sigma_1=expanding)) == Verdict.SUPPORTED


def test_one_network_that_keeps_refutes_that_all_lose():
    kept = networks(rate=around(0.0), initialisation="orthogonal")["networks"]
    both = {"networks": pd.concat([networks()["networks"], kept], ignore_index=True)}
    assert verdict("L2a", both) == Verdict.REFUTED
    names = [estimate.condition for estimate in find("L2a").measure(both)]
    assert names == ["gru, default, adding, before", "gru, orthogonal, adding, before"]


def test_stages_and_tasks_are_conditions_of_their_own_and_share_the_level():
    tables = {"networks": pd.concat([networks(stage=s, rate=around(-0.2))["networks"] for s in ("before", "after")])}
    estimates = find("L2a").measure(tables)
    assert [e.n for e in estimates] == [4, 4]
    values = around(-0.2)
    low, high = stats.t.interval(1 - 0.05 / 2, 3, -0.2, stats.sem(values))
    assert (estimates[0].low, estimates[0].high) == (pytest.approx(low), pytest.approx(high))


def test_far_share():
    assert verdict("L2b", networks(far_share=around(0.035))) == Verdict.SUPPORTED
    assert verdict("L2b", networks(far_share=around(0.07))) == Verdict.REFUTED
    assert verdict("L2b", networks(far_share=around(0.05))) == Verdict.INCONCLUSIVE
    assert verdict("L2b", networks(far_share=[math.nan] * 4)) == Verdict.INCONCLUSIVE


@pytest.mark.parametrize("claim", ["L7a", "L7b"])
def test_leads_are_paired(claim):
    assert verdict(claim, pairs(0.3)) == Verdict.SUPPORTED
    assert verdict(claim, pairs(0.3, -0.05)) == Verdict.REFUTED  # one pair is enough
    assert verdict(claim, pairs(0.3, 0.01)) == Verdict.INCONCLUSIVE
    assert verdict(claim, pairs(0.015)) == Verdict.SUPPORTED
    assert verdict(claim, pairs(0.005)) == Verdict.REFUTED
    wide = pairs(0.3)["pairs"].assign(reference_rate=lambda rows: rows["rate"] - 0.3)
    shifted = wide.assign(rate=wide["rate"] + [0, 1, 2, 3], reference_rate=wide["reference_rate"] + [0, 1, 2, 3])
    # What both networks of a pair share does not widen the interval.
    assert find(claim).measure({"pairs": shifted})[0].low == pytest.approx(0.3)
    assert find(claim).measure(pairs(0.3))[0].condition == "lstm, default, adding, before, r0 RNN"


def test_retention():
    assert verdict("L8", networks(rate=around(0.0))) == Verdict.SUPPORTED
    assert verdict("L8", networks(rate=around(-0.03))) == Verdict.REFUTED
    assert verdict("L8", networks(rate=around(0.03))) == Verdict.REFUTED
    assert verdict("L8", networks(rate=around(-0.01))) == Verdict.INCONCLUSIVE


def test_every_statement_says_where_it_comes_from_and_has_two_controls():
    for claim in neychev2019.CLAIMS:
        assert claim.source.startswith("neychev2019")
        assert {control.expect for control in claim.controls} == {Verdict.SUPPORTED, Verdict.REFUTED}

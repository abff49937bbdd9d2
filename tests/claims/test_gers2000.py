"""Claims F1 and F2.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import pandas as pd

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

SPREAD = (-1e-4, 0.0, 1e-4, 0.0)


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def pinned(*gaps):
    rows = [(b, -math.log1p(math.exp(-b)) + gap) for b in (0.0, 5.0) for gap in gaps]
    return {"networks": pd.DataFrame(rows, columns=["gate_bias", "cell_path_rate"])}


def drawn(gap, log_gate=-0.6931, **columns):
    rates = [log_gate + gap + offset for offset in SPREAD]
    base = {"architecture": "lstm", "initialisation": "default", "task": "adding", "stage": "before"}
    return {"networks": pd.DataFrame({**base, "cell_path_rate": rates, "log_gate": log_gate, **columns})}


def test_pinned_gates():
    assert verdict("F1", pinned(0.0, 0.0)) == Verdict.SUPPORTED
    assert verdict("F1", pinned(-0.005, 0.0)) == Verdict.SUPPORTED
    assert verdict("F1", pinned(0.0, -0.02)) == Verdict.REFUTED  # the network that differs most
    assert verdict("F1", pinned(0.02, 0.0)) == Verdict.REFUTED
    assert verdict("F1", pinned(0.0, math.nan)) == Verdict.INCONCLUSIVE
    estimates = find("F1").measure(pinned(1e-5, -0.005))
    assert [e.condition for e in estimates] == ["b = 0", "b = 5"]
    assert all(abs(e.value + 0.005) < 1e-12 and e.n == 2 for e in estimates)


def test_drawn_gates_are_judged_by_the_larger_tolerance():
    # 5 % of ln 2 is 0.0347; of -log sigmoid(5) = 0.0067 it is less than 0.01.
    assert verdict("F2", drawn(0.03)) == Verdict.SUPPORTED
    assert verdict("F2", drawn(-0.04)) == Verdict.REFUTED
    assert verdict("F2", drawn(0.005, -0.0067)) == Verdict.SUPPORTED
    assert verdict("F2", drawn(0.03, -0.0067)) == Verdict.REFUTED
    assert verdict("F2", drawn(math.nan)) == Verdict.INCONCLUSIVE


def test_trained_networks_are_not_asked():
    both = pd.concat([drawn(0.0)["networks"], drawn(0.5, stage="after")["networks"]], ignore_index=True)
    assert verdict("F2", {"networks": both}) == Verdict.SUPPORTED

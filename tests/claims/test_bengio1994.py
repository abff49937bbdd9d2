"""Claims B1-B6.

Oracles: tables made by hand with a known verdict.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

SUPPORTED, REFUTED, INCONCLUSIVE = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.INCONCLUSIVE
SPREAD = np.array([-1e-3, 0.0, 1e-3, 0.0, 5e-4, -5e-4])


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def identity(*gaps, rounding=1e-14):
    rows = [(noise, gap, rounding) for noise in (0.0, 0.2) for gap in gaps]
    return {"identity": pd.DataFrame(rows, columns=["noise", "gap", "rounding"])}


def test_derivatives_are_judged_on_the_worst_trajectory():
    assert verdict("B1a", identity(1e-14, -2e-14)) == SUPPORTED
    assert verdict("B1a", identity(1e-14, -5e-13)) == SUPPORTED
    assert verdict("B1a", identity(1e-14, -1.5e-12)) == REFUTED
    assert verdict("B1a", identity(1e-14, 5e-13, rounding=1e-12)) == INCONCLUSIVE
    assert verdict("B1a", identity(1e-14, math.nan)) == INCONCLUSIVE
    assert [e.condition for e in find("B1a").measure(identity(0.0))] == ["s = 0", "s = 0.2"]


def rates(*offsets):
    laws = {1.05: -0.1, 2.0: -1.8}  # tolerances 0.01 and 0.09
    rows = [(w, law + offset * (0.01 if w < 2 else 0.09), law) for w, law in laws.items() for offset in offsets]
    return {"rates": pd.DataFrame(rows, columns=["weight", "rate", "predicted"])}


def test_settled_rates_are_judged_in_tolerances():
    assert verdict("B1b", rates(0.0, 0.9)) == SUPPORTED
    assert verdict("B1b", rates(0.0, -1.1)) == REFUTED  # the worst trajectory, deterministic
    assert verdict("B1b", rates(0.0, math.nan)) == INCONCLUSIVE
    assert verdict("B1c", rates(*(0.5 + 100 * SPREAD))) == SUPPORTED
    assert verdict("B1c", rates(*(1.5 + 100 * SPREAD))) == REFUTED
    assert verdict("B1c", rates(*(1.0 + 100 * SPREAD))) == INCONCLUSIVE
    assert verdict("B1c", rates(0.5, math.nan)) == INCONCLUSIVE
    estimates = find("B1b").measure(rates(0.25, 0.5))
    assert [round(e.value, 9) for e in estimates] == [0.5, 0.5]
    assert all(e.n == 2 and e.unit == "tolerances" for e in estimates)


def tradeoff(flips, decays, *, simulated=None):
    base = {"weight": [1.05, 1.5, 2.0], "flip_error": 1e-12, "decay_error": 1e-12}
    drawn = {"simulated": [0, 0, 0], "simulated_flip": math.nan}
    if simulated is not None:
        drawn = {"simulated": [10_000, 0, 0], "simulated_flip": [simulated, math.nan, math.nan]}
    return {"tradeoff": pd.DataFrame({**base, **drawn, "flip": flips, "decay": decays})}


def test_the_trade_off_is_judged_on_its_smallest_step():
    assert verdict("B2", tradeoff([0.5, 1e-3, 1e-80], [0.1, 0.9, 1.8])) == SUPPORTED
    assert verdict("B2", tradeoff([0.5, 0.47, 0.44], [0.1, 0.9, 1.8])) == SUPPORTED  # 6 % a step
    assert verdict("B2", tradeoff([0.5, 0.49, 0.1], [0.1, 0.9, 1.8])) == REFUTED  # 2 %
    assert verdict("B2", tradeoff([0.5, 0.1, 0.2], [0.1, 0.9, 1.8])) == REFUTED
    assert verdict("B2", tradeoff([0.5, 0.1, 0.01], [0.1, 0.105, 1.8])) == REFUTED
    assert verdict("B2", tradeoff([0.5, 0.1, 0.01], [0.1, 0.12, 0.14])) == SUPPORTED
    (estimate,) = find("B2").measure(tradeoff([0.5, 0.47, 0.2], [0.1, 0.9, 1.8]))
    assert estimate.value == pytest.approx(-math.log(0.94) / 0.05)
    assert estimate.condition == "smallest from w = 1.05 to 1.5"


def test_trajectories_that_contradict_the_quadrature_leave_it_open():
    assert verdict("B2", tradeoff([0.5, 1e-3, 1e-80], [0.1, 0.9, 1.8], simulated=0.51)) == SUPPORTED
    assert verdict("B2", tradeoff([0.5, 1e-3, 1e-80], [0.1, 0.9, 1.8], simulated=0.55)) == INCONCLUSIVE


def convergence(shares, best=None):
    """200 searches, of which so many of a hundred converge at T = 5, 20, 80; two rates and two starts."""
    rows = []
    for reach in (0.1, 0.5):
        for rate, of_rate in shares.items():
            for length, share in zip((5, 20, 80), of_rate, strict=True):
                for search in range(200):
                    solved = (search * 37) % 100 < share
                    chosen = best is None or best[length] == rate
                    rows.append((reach, rate, length, search, solved, search < 50, chosen))
    columns = ["reach", "rate", "length", "search", "solved", "choosing", "best"]
    return {"convergence": pd.DataFrame(rows, columns=columns)}


FALLING, LEVEL, HARDLY = (100, 60, 20), (60, 60, 60), (60, 58, 56)


def test_convergence_has_to_fall_at_every_rate():
    assert verdict("B3a", convergence({0.1: FALLING, 1.0: FALLING})) == SUPPORTED
    assert verdict("B3a", convergence({0.1: FALLING, 1.0: LEVEL})) == REFUTED
    assert verdict("B3a", convergence({0.1: FALLING, 1.0: HARDLY})) == REFUTED  # 1 % a doubling
    estimates = find("B3a").measure(convergence({0.1: FALLING, 1.0: FALLING}))
    assert len(estimates) == 4
    assert estimates[0].value == pytest.approx(-0.2)
    assert estimates[0].n == 200
    assert estimates[0].condition == "h ±0.1, rate 0.1: 1.00 at T = 5, 0.20 at 80"


def test_the_best_rate_is_judged_on_other_searches():
    tables = convergence({0.1: FALLING, 1.0: LEVEL}, best={5: 0.1, 20: 0.1, 80: 1.0})
    estimates = find("B3b").measure(tables)
    assert [e.n for e in estimates] == [150, 150]
    assert estimates[0].value == pytest.approx(-0.1, abs=0.01)  # 1, 0.6, 0.6 over four doublings
    assert decide(find("B3b"), estimates) == SUPPORTED
    assert verdict("B3b", convergence({1.0: LEVEL})) == REFUTED


def rivals(guesses, learnt, solved=True, apart=0.0):
    rows = []
    for task in ("latch", "two-sequence"):
        for search in range(80):
            choosing, noise = search < 20, 1 + 0.2 * math.sin(search)
            rows.append((task, 20, search, "guessing", 1.0, False, 9000.0, choosing, True))
            rows.append((task, 20, search, "guessing", 100.0, True, guesses * noise, choosing, True))
            rows.append((task, 20, search, "backpropagation", 0.1, False, 1.0, choosing, False))
            other = 1 + 0.2 * math.sin(search + apart)  # the same scatter, unless the searches are taken apart
            rows.append((task, 20, search, "backpropagation", 1.0, solved, learnt * other, choosing, True))
    columns = ["task", "length", "search", "method", "option", "solved", "presentations", "choosing", "best"]
    return {"rivals": pd.DataFrame(rows, columns=columns)}


def test_guessing_has_to_lead_with_its_widest_range_against_the_best_rate():
    assert verdict("B4", rivals(150, 1000)) == SUPPORTED
    assert verdict("B4", rivals(150, 150)) == REFUTED
    assert verdict("B4", rivals(150, 150 / 0.67, apart=2.0)) == INCONCLUSIVE
    estimates = find("B4").measure(rivals(150, 600))
    assert len(estimates) == 2
    assert estimates[0].value == pytest.approx(math.log(0.25))
    assert estimates[0].n == 60
    assert "100% solved" in estimates[0].condition


def balls(outside, inside):
    rows = [("outside", g) for g in outside] + [("inside", g) for g in inside]
    return {"balls": pd.DataFrame(rows, columns=["side", "growth"])}


def test_balls_on_either_side():
    both = balls([1e-6, 2.0], [-1e-6, -2.0])
    assert verdict("B5a", both) == SUPPORTED
    assert verdict("B5b", both) == SUPPORTED
    wrong = balls([-1e-3, 2.0], [1e-3, -2.0])
    assert verdict("B5a", wrong) == REFUTED
    assert verdict("B5b", wrong) == REFUTED
    assert verdict("B5a", balls([math.nan, 2.0], [-1.0])) == INCONCLUSIVE
    assert find("B5a").measure(both)[0].n == 2


def latched(*rates, inside=True):
    frame = pd.DataFrame({"weight": 1.25, "inputs": "against", "rate": rates, "inside": inside})
    return {"latched": frame}


def test_the_slowest_latched_gradient_decides():
    assert verdict("B6a", latched(-0.015, -2.0)) == SUPPORTED
    assert verdict("B6a", latched(-0.005, -2.0)) == REFUTED
    assert verdict("B6a", latched(-0.5, -2.0, inside=False)) == INCONCLUSIVE
    assert verdict("B6a", latched(-0.5, math.nan)) == INCONCLUSIVE


def gamma_balls(growth, rho=0.9):
    return {"gamma_balls": pd.DataFrame({"growth": growth, "rho": rho, "growing": 0.3})}


def test_balls_in_gamma():
    assert verdict("B6b", gamma_balls([1.5, -0.1])) == SUPPORTED
    assert verdict("B6b", gamma_balls([0.6, -0.1])) == INCONCLUSIVE
    assert verdict("B6b", gamma_balls([1.5], rho=1.0)) == INCONCLUSIVE
    assert verdict("B6b", gamma_balls([math.nan])) == INCONCLUSIVE


def driven(**changes):
    row = {
        "growth": 0.12,
        "growth_low": 0.1,
        "growth_high": 0.14,
        "growth_perturbed": 0.115,
        "growth_perturbed_low": 0.09,
        "rho": 0.9,
        "rho_perturbed": 0.91,
        "settles": True,
        "norm": 4.6,
        "attractors": 2,
    }
    return {"driven": pd.DataFrame([row | changes])}


@pytest.mark.parametrize(
    "changes",
    [
        {"growth_low": -0.1},
        {"growth_perturbed": 0.05},
        {"rho": 1.01},
        {"rho_perturbed": 1.01},
        {"settles": False},
        {"attractors": 1},
    ],
)
def test_a_latch_that_lacks_one_condition_is_no_witness(changes):
    assert verdict("B6c", driven(**changes)) == INCONCLUSIVE


def test_a_witness_against_theorem_4_by_eigenvalues():
    assert verdict("B6c", driven()) == SUPPORTED
    (estimate,) = find("B6c").measure(driven())
    assert (estimate.low, estimate.value, estimate.high) == (0.09, 0.12, 0.14)
    with pytest.raises(ValueError, match="a network without one of"):
        find("B6c").measure(driven(growth=math.nan))

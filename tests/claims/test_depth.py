"""Claims about fully connected networks at initialisation: G1, H1, Y1, Y2, M1, M2, Z1-Z3, S1, L13.

Oracles: tables made by hand with a known verdict; scipy and closed forms for intervals; the boundaries of the planted
causes worked out in closed form.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.depth import tolerance
from gradstudy.claims.intervals import jackknife_estimate, log_mean_estimate, mean_estimate
from gradstudy.claims.registry import find
from gradstudy.theory import balduzzi2017
from gradstudy.theory.yang2019 import LARGE_BATCH

SPREAD = np.linspace(-1, 1, 9)
DESIGN = {
    "group": "g",
    "activation": "tanh",
    "initialisation": "he",
    "width": 64,
    "rows": 8,
    "sigma_w": 1,
    "sigma_b": 0,
}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def rates(rate, spread=1e-4, law=0.0, **columns):
    logs = 50 * (rate + spread * SPREAD)
    laws = {"predicted": law, "predicted_quenched": law}
    measured = {"network": range(9), "links": 50, "log_backward": logs, "log_forward": logs}
    return {"rates": pd.DataFrame({**DESIGN, **measured, **laws, **columns})}


@pytest.mark.parametrize("claim", ["G1a", "L13a"])
def test_vanishing(claim):
    assert verdict(claim, rates(-0.5)) == Verdict.SUPPORTED
    assert verdict(claim, rates(-0.015)) == Verdict.SUPPORTED
    assert verdict(claim, rates(-0.005)) == Verdict.REFUTED
    assert verdict(claim, rates(-0.01)) == Verdict.INCONCLUSIVE
    assert verdict(claim, rates(-math.inf)) == Verdict.INCONCLUSIVE
    both = pd.concat([rates(-0.5)["rates"], rates(0.3)["rates"].assign(activation="relu", group="h")])
    assert verdict(claim, {"rates": both}) == Verdict.REFUTED


def test_one_third():
    law = -math.log(3)
    for gap, expected in ((0.03, "SUPPORTED"), (-0.03, "SUPPORTED"), (0.08, "REFUTED"), (0.05493, "INCONCLUSIVE")):
        assert verdict("G1b", rates(law + gap)) == Verdict(expected)


def test_annealed_and_quenched_are_told_apart():
    # Half the networks lose e^-40, the other half nothing: the mean stays near 1, the typical one vanishes.
    logs = np.array([0.0, -40.0] * 40)
    table = pd.DataFrame(
        {**DESIGN, "network": range(80), "links": 100, "log_backward": logs, "predicted_quenched": 0.0}
    )
    (annealed,) = find("H1a").measure({"rates": table})
    assert annealed.value == pytest.approx(math.log(0.5) / 100)
    assert decide(find("H1a"), (annealed,)) == Verdict.SUPPORTED
    (quenched,) = find("L13a").measure({"rates": table})
    assert quenched.value == pytest.approx(-0.2)
    assert verdict("H1b", {"rates": table}) == Verdict.REFUTED


@pytest.mark.parametrize("claim", ["H1b", "Y1b", "Y2", "M1", "M2"])
@pytest.mark.parametrize("law", [0.05, 0.5])
def test_laws_with_tolerance(claim, law):
    for share, expected in ((0.5, "SUPPORTED"), (-0.8, "SUPPORTED"), (1.5, "REFUTED"), (-1.5, "REFUTED")):
        assert verdict(claim, rates(law + share * tolerance(law), law=law)) == Verdict(expected)
    assert verdict(claim, rates(law, law=math.nan)) == Verdict.INCONCLUSIVE
    with pytest.raises(ValueError, match="one value a condition"):
        verdict(claim, rates(law, law=np.linspace(0, 1, 9)))


def test_the_large_batch_limit_and_forward_differences():
    assert verdict("Y1a", rates(math.log(LARGE_BATCH))) == Verdict.SUPPORTED
    assert verdict("Y1a", rates(math.log(LARGE_BATCH) / 2)) == Verdict.REFUTED  # the norm's rate, not its square's
    forward = rates(0.3, law=0.3, log_backward=np.nan)
    assert verdict("M1", forward) == Verdict.SUPPORTED
    assert verdict("M2", forward) == Verdict.INCONCLUSIVE


def gradients(law, depths, spread=1e-3, **columns):
    rows = [
        {"network": i, "links": depth, "inner": 2 * law(depth) * (1 + spread * x), "square": 2.0}
        for depth in depths
        for i, x in enumerate(SPREAD)
    ]
    return {"shattering": pd.DataFrame(rows).assign(**{"normalisation": "none", "shortcut": 1.0, **columns})}


@pytest.mark.parametrize(("claim", "base"), [("Z1a", 0.5), ("Z1b", 0.5), ("Z2a", 0.75), ("Z2b", 0.75)])
def test_exponential_shattering(claim, base):
    unit = tolerance(math.log(base))
    for shift, expected in ((0, "SUPPORTED"), (0.8, "SUPPORTED"), (1.3, "REFUTED"), (-1.3, "REFUTED")):
        tables = gradients(lambda depth, shift=shift: (base * math.exp(shift * unit)) ** depth, [2, 8])
        assert verdict(claim, tables) == Verdict(expected)
    assert verdict(claim, gradients(lambda depth: -0.1, [8])) == Verdict.INCONCLUSIVE
    assert verdict(claim, gradients(lambda depth: 0.1, [4])) == Verdict.INCONCLUSIVE  # the depth is lacking
    (one,) = find("Z1b").measure(gradients(balduzzi2017.mean_field_plain, [8]))
    assert one.value == pytest.approx(
        (math.log(balduzzi2017.mean_field_plain(8)) / 8 + math.log(2)) / tolerance(0.693147)
    )


def test_power_law_of_branches():
    for claim in ("Z3a", "Z3b"):
        assert verdict(claim, gradients(lambda d: balduzzi2017.normalised_residual(d, 1.0), [4, 64])) == "SUPPORTED"
        for exponent, expected in ((0.015, "SUPPORTED"), (0.04, "REFUTED")):
            steeper = gradients(lambda d, e=exponent: balduzzi2017.normalised_residual(d, 1.0) * d**-e, [4, 64])
            assert verdict(claim, steeper) == Verdict(expected)
        centred = gradients(lambda d: balduzzi2017.normalised_residual(d, 1.0, growth=balduzzi2017.CENTRED), [4, 64])
        assert verdict(claim, centred) == Verdict.REFUTED
        assert verdict(claim, gradients(lambda d: -1.0, [4, 64])) == Verdict.INCONCLUSIVE


def products(**columns):
    base = {"depth": 5, "links": 5, "log_typical": 5 * 1e-4 * SPREAD, "predicted_share": 0.3}
    base |= {"origin_share": 0.3 + 1e-3 * SPREAD, "log_largest": 1e-15, "log_smallest": -1e-15}
    return {"products": pd.DataFrame({**base, **columns})}


def test_products():
    for claim in ("S1a", "S1b", "S1c"):
        assert verdict(claim, products()) == Verdict.SUPPORTED
    assert verdict("S1a", products(log_typical=5 * (0.015 + 1e-4 * SPREAD))) == Verdict.REFUTED
    assert verdict("S1b", products(origin_share=0.312 + 1e-3 * SPREAD)) == Verdict.SUPPORTED
    assert verdict("S1b", products(origin_share=0.28 + 1e-3 * SPREAD)) == Verdict.REFUTED
    assert verdict("S1b", products(predicted_share=math.nan)) == Verdict.INCONCLUSIVE
    assert verdict("S1c", products(log_smallest=-0.075)) == Verdict.REFUTED
    assert verdict("S1c", products(log_smallest=-0.025)) == Verdict.SUPPORTED
    assert verdict("S1c", products(log_smallest=[math.nan] + [0.0] * 8)) == Verdict.INCONCLUSIVE


def pairs(lead):
    base = {"initialisation": "he", "reference": "tanh", "network": range(9), "links": 50}
    return {"pairs": pd.DataFrame({**base, "log_backward": 50 * (lead + 1e-4 * SPREAD), "log_backward_sigmoid": 0.0})}


def test_sigmoids():
    assert verdict("L13b", pairs(0.015)) == Verdict.SUPPORTED
    assert verdict("L13b", pairs(0.005)) == Verdict.REFUTED
    bounds = pd.DataFrame({"initialisation": "he", "largest_margin": [-0.1, -2.0]})
    assert verdict("L13c", {"bounds": bounds}) == Verdict.SUPPORTED
    assert verdict("L13c", {"bounds": bounds.assign(largest_margin=[1e-12, -2.0])}) == Verdict.SUPPORTED
    assert verdict("L13c", {"bounds": bounds.assign(largest_margin=[0.02, -2.0])}) == Verdict.REFUTED
    assert verdict("L13c", {"bounds": bounds.assign(largest_margin=[math.nan, -2.0])}) == Verdict.INCONCLUSIVE


def test_log_mean_estimate_against_the_delta_method_by_hand_and_without_overflow():
    values = np.array([1.0, 2.0, 4.0, 3.0])
    found = log_mean_estimate(np.log(values).tolist(), "nats", per=2.0, conditions=3)
    plain = mean_estimate(values.tolist(), "", conditions=3)
    assert found.value == pytest.approx(math.log(2.5) / 2)
    assert found.high - found.value == pytest.approx((plain.high - plain.value) / 2.5 / 2)
    far = log_mean_estimate((np.log(values) + 900).tolist(), "nats")
    assert far.value == pytest.approx(math.log(2.5) + 900)
    assert math.isnan(log_mean_estimate([1.0], "nats").low)
    assert math.isnan(log_mean_estimate([1.0, -math.inf], "nats").low)


def test_jackknife_of_a_mean_is_students_interval():
    values = np.array([1.0, 2.0, 4.0, 3.0, 9.0])
    found = jackknife_estimate(lambda kept: float(values[kept].mean()), 5, "x", conditions=2)
    plain = mean_estimate(values.tolist(), "x", conditions=2)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
    assert math.isnan(jackknife_estimate(lambda kept: 1.0, 1, "x").low)
    assert math.isnan(jackknife_estimate(lambda kept: math.nan, 3, "x").low)
    assert math.isnan(jackknife_estimate(lambda kept: 1.0, 0, "x").low)

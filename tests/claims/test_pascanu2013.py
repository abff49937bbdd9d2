"""Claims P1-P6, P11 and P12.

Oracles: tables made by hand with a known verdict; every control's name is in the study's standard profile.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradstudy.claims import pascanu2013
from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.intervals import mean_estimate
from gradstudy.claims.registry import find


def networks(**columns):
    base = {
        "network": 0, "activation": "tanh", "initialisation": "gaussian", "rho": 0.5, "sigma_1": 0.9, "gamma": 1.0,
        "growth": -0.2, "growth_low": -0.2, "growth_high": -0.2, "growth_margin": -0.1, "growth_error": 1e-10,
        "component_margin": -1e-4, "component_per_link": -1e-4, "component_margin_50_digits": math.nan,
        "growth_margin_50_digits": math.nan, "search_steps": 10,
        "rho_perturbed": 0.5, "growth_perturbed": -0.2, "growth_perturbed_low": -0.2,
    }  # fmt: skip
    length = max((len(v) for v in columns.values() if isinstance(v, list)), default=3)
    return {"networks": pd.DataFrame({**{k: [v] * length for k, v in base.items()}, **columns})}


def verdict(claim, tables):
    found = find(claim)
    return decide(found, found.measure(tables))


@pytest.mark.parametrize(("claim", "margin"), [("P1", "component_margin"), ("P2", "growth_margin")])
def test_theorems(claim, margin):
    digits = f"{margin}_50_digits"
    assert verdict(claim, networks()) == Verdict.SUPPORTED
    assert verdict(claim, networks(**{margin: [7e-15]})) == Verdict.SUPPORTED  # rounding where the bound is attained
    violated = {margin: [0.1, -1.0]}
    assert verdict(claim, networks(**violated, **{digits: [0.1, math.nan]})) == Verdict.REFUTED
    # A suspect that 50 digits do not confirm, or that nobody recomputed, decides nothing either way.
    assert verdict(claim, networks(**violated, **{digits: [-17.4, math.nan]})) == Verdict.INCONCLUSIVE
    assert verdict(claim, networks(**violated)) == Verdict.INCONCLUSIVE
    assert verdict(claim, networks(**{margin: [math.nan, -1.0]})) == Verdict.INCONCLUSIVE
    # A search that never came near the bound says nothing; nor do random draws alone.
    assert verdict(claim, networks(component_per_link=-0.5)) == Verdict.INCONCLUSIVE
    assert verdict(claim, networks(component_per_link=math.nan)) == Verdict.INCONCLUSIVE
    assert verdict(claim, networks(search_steps=0)) == Verdict.INCONCLUSIVE


def test_one_activation_that_breaks_the_bound_refutes():
    digits = [math.nan, 0.1]
    tables = networks(activation=["tanh", "sigmoid"], component_margin=[-1e-3, 0.1], component_margin_50_digits=digits)
    assert verdict("P1", tables) == Verdict.REFUTED


def test_the_witness_must_be_robust_and_have_a_small_radius():
    grows = {
        "growth": 0.27,
        "growth_low": 0.25,
        "growth_high": 0.3,
        "growth_perturbed": 0.28,
        "growth_perturbed_low": 0.26,
    }
    assert verdict("P3", networks(**grows)) == Verdict.SUPPORTED
    assert verdict("P3", networks(**{**grows, "rho_perturbed": 1.1})) == Verdict.INCONCLUSIVE
    assert verdict("P3", networks(**{**grows, "rho": 1.1})) == Verdict.INCONCLUSIVE
    assert verdict("P3", networks(**{**grows, "growth_perturbed": 0.2})) == Verdict.INCONCLUSIVE
    assert verdict("P3", networks(**{**grows, "growth_low": 0.04})) == Verdict.INCONCLUSIVE
    assert verdict("P3", networks()) == Verdict.INCONCLUSIVE
    one_of_three = networks(**{**grows, "growth_low": [-0.1, 0.2, -0.1]})
    assert verdict("P3", one_of_three) == Verdict.SUPPORTED


def linear(shift, spread=1e-4):
    rho = np.repeat([0.8, 1.05], 10)
    growth = np.log(rho) + shift + spread * np.tile([-1, 1], 10)
    return networks(rho=rho.tolist(), growth=growth.tolist())


def test_linear_rates():
    assert verdict("P4", linear(0.0)) == Verdict.SUPPORTED
    assert verdict("P4", linear(0.005)) == Verdict.SUPPORTED
    assert verdict("P4", linear(0.02)) == Verdict.REFUTED
    assert verdict("P4", linear(0.01)) == Verdict.INCONCLUSIVE
    assert verdict("P4", linear(0.0, spread=0.1)) == Verdict.INCONCLUSIVE


def test_disagreement():
    def tables(tanh_norm, sigmoid_norm=0.14):
        kinds = ["basic-tanh"] * 5 + ["sigmoid"] * 5
        norms = [tanh_norm * f for f in (0.999, 1, 1.001, 1, 1)] + [sigmoid_norm] * 5
        gammas, names = [1.0] * 5 + [0.25] * 5, ["tanh"] * 5 + ["sigmoid"] * 5
        return networks(activation=names, initialisation=kinds, rho=[0.74] * 10, sigma_1=norms, gamma=gammas)

    assert verdict("P5", tables(1.37)) == Verdict.SUPPORTED
    assert verdict("P5", tables(1.0)) == Verdict.REFUTED
    assert verdict("P5", tables(1.37, sigmoid_norm=4.2)) == Verdict.REFUTED


def test_derivative_rates():
    def tables(gap, weight=1.1):
        t = np.array([500.0, 1000.0])
        first = np.log(t) + (t - 1) * math.log(weight)
        second = np.log(t * (t - 1)) + (t - 2) * (math.log(weight) + gap)
        frame = {"t": t, "scale": weight, "log_first": first, "log_second": second}
        frame |= {"log_polynomial_first": np.log(t), "log_polynomial_second": np.log(t * (t - 1))}
        return {"derivatives": pd.DataFrame(frame)}

    assert verdict("P6", tables(0.0)) == Verdict.SUPPORTED
    assert verdict("P6", tables(0.02)) == Verdict.REFUTED
    assert verdict("P6", tables(0.0, weight=0.9)) == Verdict.INCONCLUSIVE  # nothing explodes, so not together either


def monitored(**columns):
    base = {"architecture": "gru", "initialisation": "default", "task": "adding", "stage": "before"}
    measured = {"log_weight_gradient": math.log(0.1), "log_first_over_last": -40.0}
    return {"networks": pd.DataFrame({**base, **{k: [v] * 2 for k, v in measured.items()}, **columns})}


def test_a_healthy_weight_gradient_hides_a_vanished_one():
    assert verdict("P11", monitored()) == Verdict.SUPPORTED
    assert verdict("P11", monitored(log_first_over_last=[-1.0, -24.0])) == Verdict.SUPPORTED
    assert verdict("P11", monitored(log_first_over_last=[-1.0, -23.0])) == Verdict.INCONCLUSIVE
    # Neither a weight gradient that has vanished itself, nor one that has exploded, looks healthy.
    assert verdict("P11", monitored(log_weight_gradient=[math.log(1e-4), math.log(11)])) == Verdict.INCONCLUSIVE
    assert verdict("P11", monitored(log_first_over_last=-math.inf)) == Verdict.SUPPORTED  # exactly zero
    for column in ("log_weight_gradient", "log_first_over_last"):
        with pytest.raises(ValueError, match=column):
            verdict("P11", monitored(**{column: [math.nan, -1.0]}))
    (best,) = find("P11").measure(monitored(log_first_over_last=[-30.0, -40.0], log_weight_gradient=[-1.0, -9.0]))
    assert best.value == pytest.approx(-30.0 / math.log(10))


def grown(**columns):
    base = {"network": 0, "growth": 0.3, "growth_low": 0.25, "growth_high": 0.35, "growth_perturbed": 0.31}
    base["growth_perturbed_low"] = 0.2
    found = pd.DataFrame({**{k: [v] * 3 for k, v in base.items()}, **columns})
    return {"growth": found}


def test_an_lstm_that_explodes_must_do_so_from_every_start_and_robustly():
    assert verdict("P12", grown()) == Verdict.SUPPORTED
    assert verdict("P12", grown(growth_low=[-0.1, 0.25, -0.1])) == Verdict.SUPPORTED
    assert verdict("P12", grown(growth_low=0.005)) == Verdict.INCONCLUSIVE
    assert verdict("P12", grown(growth_perturbed_low=-0.1)) == Verdict.INCONCLUSIVE
    assert verdict("P12", grown(growth_perturbed=0.4)) == Verdict.INCONCLUSIVE
    with pytest.raises(ValueError, match="growth_perturbed"):
        verdict("P12", grown(growth_perturbed=[0.3, math.nan, 0.3]))
    (best,) = find("P12").measure(grown(growth_low=[0.1, 0.19, 0.15], growth=[0.3, 0.29, 0.31]))
    assert (best.value, best.low, best.n) == (0.29, 0.19, 3)


def test_every_claim_says_where_it_comes_from_and_has_controls():
    for claim in pascanu2013.CLAIMS:
        assert claim.source.startswith("pascanu2013")
        assert claim.controls
        assert claim.region.low < claim.region.high


def test_mean_estimate_against_scipy_and_its_refusals():
    values = [1.0, 2.0, 4.0, 3.0]
    from scipy import stats

    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    estimate = mean_estimate(values, "nats")
    assert (estimate.low, estimate.high, estimate.n) == (pytest.approx(low), pytest.approx(high), 4)
    wide = mean_estimate(values, "nats", conditions=4)
    low, high = stats.t.interval(1 - 0.05 / 4, 3, np.mean(values), stats.sem(values))
    assert (wide.low, wide.high) == (pytest.approx(low), pytest.approx(high))
    assert math.isnan(mean_estimate([1.0], "nats").low)
    assert math.isnan(mean_estimate([1.0, math.inf, 2.0], "nats").low)


def test_a_network_that_could_not_be_measured_is_not_dropped():
    grown = {"gamma": 1.0, "rho": 0.0, "rho_perturbed": 0.1, "growth": 0.3, "growth_low": 0.2, "growth_high": 0.4}
    row = grown | {"growth_perturbed": 0.3, "growth_perturbed_low": 0.2, "sigma_1": 4.0}
    assert pascanu2013.witness_growth({"networks": pd.DataFrame([row, row])})[0].value == 0.3
    with pytest.raises(ValueError, match="a network without one of gamma"):
        pascanu2013.witness_growth({"networks": pd.DataFrame([row, row | {"growth_perturbed": math.nan}])})
    linear = [{"initialisation": "gaussian", "rho": rho, "growth": math.log(0.8)} for rho in (0.8, 0.8, math.nan)]
    found = pascanu2013.linear_rate_error({"networks": pd.DataFrame(linear)})
    assert sum(estimate.n for estimate in found) == 3
    assert math.isnan(found[-1].low)

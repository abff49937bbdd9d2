"""The table of the two conditions beside the growth.

Oracles: numpy's spectra, dense products, a hand-made orthogonal network, Lyapunov exponents.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure import dense
from gradstudy.measure.error_decay import log_components
from gradstudy.measure.lyapunov_exponents import lyapunov_exponents
from gradstudy.measure.spectral_conditions import (
    Probe,
    component_lags,
    float32_against_truth,
    growth,
    perturb,
    spectral_conditions,
)
from gradstudy.measure.subject import Subject
from gradstudy.models.networks import Family
from gradstudy.models.recurrent import Design, draw_recurrent
from gradstudy.search.random import Drive, random_subjects


def test_a_row_against_dense_products():
    subject = random_subjects(Family("tanh", "gaussian", 6, 2), 1, Drive(9, 3), seed=0)[0]
    row = spectral_conditions([subject], Probe()).iloc[0]
    chain, weight = subject.chain(), subject.network.weight.numpy()
    tops = np.linalg.svd(dense.jacobian_product(chain).numpy())[1][:, 0]
    sigma = np.linalg.svd(weight)[1][0]
    assert row["rho"] == pytest.approx(np.abs(np.linalg.eigvals(weight)).max())
    assert row["sigma_1"] == pytest.approx(sigma)
    assert row["growth"] == pytest.approx(np.log(tops).mean() / 9)
    assert row["growth_high"] == pytest.approx(np.log(tops).max() / 9)
    assert row["growth_margin"] == pytest.approx(np.log(tops).max() - 9 * np.log(sigma))
    margins = []
    for lag in range(1, 10):
        product = dense.jacobian_product(chain, 9 - lag, 9)
        pulled = torch.einsum("bji,bj->bi", product, subject.cotangent).norm(dim=1) / subject.cotangent.norm(dim=1)
        margins.append(float(pulled.log().max()) - lag * math.log(sigma))
    assert row["component_margin"] == pytest.approx(max(margins))
    assert row["component_per_link"] == pytest.approx(margins[-1] / 9)


def test_both_ways_of_measuring_growth_agree_on_a_long_chain():
    subjects = random_subjects(Family("linear", "gaussian", 8), 3, Drive(600, inputs="none", start=1.0), seed=0)
    product = spectral_conditions(subjects, Probe(burn_in=100))["growth"]
    tangent = spectral_conditions(subjects, Probe(burn_in=100, growth="tangent"))["growth"]
    np.testing.assert_allclose(product, tangent, atol=0.02)
    np.testing.assert_allclose(
        product, np.log([0.0 + s for s in spectral_conditions(subjects, Probe())["rho"]]), atol=0.02
    )


def test_perturbation_has_the_size_asked_for_and_leaves_the_original():
    subject = random_subjects(Family("tanh", "gaussian", 6), 1, Drive(5), seed=0)[0]
    weight = subject.network.weight.clone()
    other = perturb(subject, 1e-3, torch.Generator().manual_seed(4))
    change = other.network.module.weight_hh_l0 - subject.network.module.weight_hh_l0
    assert float(change.norm() / weight.norm()) == pytest.approx(1e-3)
    torch.testing.assert_close(other.network.weight - weight, change.detach())
    assert torch.equal(subject.network.weight, weight)


def test_lags_are_the_gradients_of_one_error():
    subjects = random_subjects(Family("linear", "orthogonal", 6, scale=0.5), 3, Drive(40), seed=0)
    lags, components = log_components(subjects[0])
    torch.testing.assert_close(components[:, 0], lags * math.log(0.5))
    frame = component_lags(subjects, most=5)
    assert frame["lag"].tolist() == [0, 10, 20, 30, 40]
    np.testing.assert_allclose(frame["log_component"], frame["lag"] * math.log(0.5), atol=1e-12)
    np.testing.assert_allclose(frame["log_bound"], frame["log_component"], atol=1e-12)
    assert (frame["n"] == 3).all()


@pytest.mark.parametrize("architecture", ["lstm", "gru", "textbook-gru"])
def test_growth_of_gated_networks(architecture):
    network = draw_recurrent(Design(architecture, "default", 5, 2), torch.Generator().manual_seed(0))
    inputs = torch.randn(300, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start = torch.ones(2, len(network.start), dtype=torch.float64)
    subject = Subject(network, inputs, start, torch.ones(2, 5, dtype=torch.float64))
    row = growth([subject], Probe(50, "tangent", 1e-3)).iloc[0]
    top = lyapunov_exponents(subject.chain(), k=1, burn_in=50).by_row[:, 0]
    assert row["growth"] == pytest.approx(float(top.mean()), abs=0.02)
    assert row["growth_low"] <= row["growth"] <= row["growth_high"]
    # A perturbation of a thousandth changes the growth, but hardly.
    assert 0 < abs(row["growth_perturbed"] - row["growth"]) < 0.02


def test_float32_underflows_where_the_truth_does_not():
    subject = random_subjects(Family("tanh", "orthogonal", 8, scale=0.5), 1, Drive(300), seed=0)[0]
    frame = float32_against_truth(subject)
    near = frame[frame["log10_norm"] > -18]
    np.testing.assert_allclose(near["log10_float32"], near["log10_norm"], atol=1e-3)
    assert np.isfinite(frame["log10_norm"]).all()
    assert frame["zero_norm"].sum() > frame["zero_gradient"].sum() > 0  # squares underflow first
    assert frame["zero_norm"].iloc[0]

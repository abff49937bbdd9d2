"""The table of the two conditions beside the growth.

Oracles: numpy's spectra, dense products, a hand-made orthogonal network.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure import dense
from gradstudy.measure.spectral_conditions import (
    Probe,
    component_lags,
    float32_against_truth,
    log_components,
    perturb,
    spectral_conditions,
)
from gradstudy.models.networks import Family
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


def test_dead_rows_are_counted_not_averaged():
    subjects = random_subjects(Family("relu", "gaussian", 3, scale=1e-3), 4, Drive(10, inputs="none"), seed=0)
    frame = component_lags(subjects)  # all units off: every component beyond lag 0 is exactly 0
    assert (frame["zeros"].iloc[1:] == 4).all()
    assert frame["log_component"].iloc[1:].isna().all()
    rows = random_subjects(Family("relu", "gaussian", 4), 3, Drive(12, rows=8), seed=0)
    alive = torch.isfinite(torch.stack([log_components(subject)[1][-1] for subject in rows]))
    last = component_lags(rows).iloc[-1]
    assert last["zeros"] == int((~alive).sum()) > 0
    assert last["n"] == int(alive.any(1).sum())


def test_float32_underflows_where_the_truth_does_not():
    subject = random_subjects(Family("tanh", "orthogonal", 8, scale=0.5), 1, Drive(300), seed=0)[0]
    frame = float32_against_truth(subject)
    near = frame[frame["log10_norm"] > -18]
    np.testing.assert_allclose(near["log10_float32"], near["log10_norm"], atol=1e-3)
    assert np.isfinite(frame["log10_norm"]).all()
    assert frame["zero_norm"].sum() > frame["zero_gradient"].sum() > 0  # squares underflow first
    assert frame["zero_norm"].iloc[0]

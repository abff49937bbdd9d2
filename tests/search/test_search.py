"""Random and adversarial search, and the witness in 50 digits.

Oracles: the theorem itself (no margin above 0); the planted violation's closed form log(1.01) a link; float64 against
50 digits computed without shared code.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from gradstudy.measure.spectral_conditions import Probe, spectral_conditions
from gradstudy.models.networks import Family
from gradstudy.models.randomness import generator
from gradstudy.search.adversarial import Budget, adversarial_subjects
from gradstudy.search.random import Drive, random_subjects
from gradstudy.search.witness import confirm, growth_margin_in_digits, margin_in_digits

TANH = Family("tanh", "gaussian", 5, 10)


def test_more_networks_leave_the_first_ones_as_they_are():
    few, many = (random_subjects(TANH, n, Drive(4, 2), seed=1) for n in (2, 4))
    for a, b in zip(few, many, strict=False):
        assert torch.equal(a.network.weight, b.network.weight)
        assert torch.equal(a.inputs, b.inputs)
    other = random_subjects(TANH, 1, Drive(4, 2), seed=2)[0]
    assert not torch.equal(other.network.weight, few[0].network.weight)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_the_ascent_nears_the_bound_and_never_passes_it(activation):
    family = Family(activation, "gaussian", 4)
    subjects = adversarial_subjects(family, 2, Budget(8, 300), seed=1)
    found = confirm(subjects, spectral_conditions(subjects, Probe()))
    assert (found["sigma_1"] * found["gamma"] < 1).all()
    assert found["component_per_link"].max() > -1e-3
    assert (found[["component_margin", "growth_margin"]] < 1e-9).all(axis=None)
    assert found[["component_margin_50_digits", "growth_margin_50_digits"]].isna().all(axis=None)  # nothing to confirm
    assert margin_in_digits(subjects[0], 8) == pytest.approx(8 * found["component_per_link"][0], abs=1e-12)
    assert growth_margin_in_digits(subjects[0]) == pytest.approx(found["growth_margin"][0], abs=1e-9)


@pytest.mark.parametrize("plant", ["gamma", "sigma_1"])
def test_a_bound_planted_one_percent_too_small_is_found_violated(plant):
    slope, weight_scale = (1.01, 1.0) if plant == "gamma" else (1.0, 1.01)
    family = Family("tanh", "gaussian", 4, slope=slope, weight_scale=weight_scale)
    subjects = adversarial_subjects(family, 2, Budget(8, 300), seed=1, weight_scale=weight_scale)
    found = confirm(subjects, spectral_conditions(subjects, Probe()))
    for margin in ("component_margin", "growth_margin"):
        best = found[f"{margin}_50_digits"].max()
        assert 0.9 * 8 * math.log(1.01) < best <= 8 * math.log(1.01) + 1e-12
        assert best == pytest.approx(found[margin].max(), abs=1e-9)


def test_a_suspect_is_recomputed_at_the_lag_where_it_is_largest():
    # Starts far out: the early links are saturated, so the margin is positive at short lags and negative at the full.
    subjects = random_subjects(
        Family("tanh", "orthogonal", 4, 4, scale=0.5, slope=1.5), 3, Drive(6, start=8.0), seed=0, pre_activation=True
    )
    quiet = [replace(s, inputs=torch.zeros_like(s.inputs)) for s in subjects]
    found = confirm(quiet, spectral_conditions(quiet, Probe()))
    suspects = found[found["component_margin"] > 1e-9]
    assert len(suspects) > 0
    assert (suspects["component_margin_50_digits"] - suspects["component_margin"]).abs().max() < 1e-12


def test_streams_of_one_seed_share_no_numbers():
    streams = [
        ("random search", 0),
        ("random search", 1),
        ("adversarial search", 0),
        ("tangent", 0),
        ("perturbation", 0),
    ]
    drawn = [torch.randn(1000, generator=generator(7, index, purpose)) for purpose, index in streams]
    correlation = torch.corrcoef(torch.stack(drawn)) - torch.eye(len(drawn))
    assert correlation.abs().max() < 0.15  # 1 / sqrt(1000) is 0.03

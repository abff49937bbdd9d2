"""Recurrent weight matrices by name.

Oracles: the definitions (products, spectra by numpy), and the ranges found for Pascanu et al.'s released inits.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradstudy.models.initialisations import _DRAWS, recurrence, scaled, spectral_norm, spectral_radius

SIZES = {"scalar": 1, "defective": 2, "textbook": 2}


def draw(name, seed=0, size=50):
    return recurrence(name, SIZES.get(name, size), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", _DRAWS)
def test_draws_are_float64_reproducible_and_leave_the_global_generator_alone(name):
    before = torch.get_rng_state()
    first, second = draw(name), draw(name)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.weight.dtype == torch.float64
    assert torch.equal(first.weight, second.weight)
    assert first.bias.shape == first.start.shape == first.weight[0].shape


def test_spectra_are_those_of_numpy():
    weight = draw("gaussian").weight
    assert spectral_radius(weight) == pytest.approx(np.abs(np.linalg.eigvals(weight.numpy())).max())
    assert spectral_norm(weight) == pytest.approx(np.linalg.svd(weight.numpy())[1][0])


def test_orthogonal_normal_and_non_normal_are_what_they_say():
    orthogonal, normal, other = (draw(name).weight for name in ("orthogonal", "normal", "non-normal"))
    torch.testing.assert_close(orthogonal @ orthogonal.T, torch.eye(50).double())
    torch.testing.assert_close(normal @ normal.T, normal.T @ normal)
    assert spectral_radius(normal) == pytest.approx(0.95)
    assert spectral_norm(normal) == pytest.approx(0.95)
    assert spectral_norm(other) > 2.5 * spectral_radius(other)


def test_nilpotent_squares_to_zero_and_its_second_half_saturates():
    drawn = draw("nilpotent")
    scale = spectral_norm(drawn.weight) ** 2
    assert (drawn.weight @ drawn.weight).abs().max() < 1e-14 * scale
    torch.manual_seed(0)
    state = torch.randn(50).double()
    for _ in range(3):
        state = torch.tanh(drawn.weight @ state + drawn.bias)
    assert (state[25:] == 1.0).all()
    # What the saturated half sends to the first is cancelled by the bias.
    torch.testing.assert_close(drawn.weight[:25, 25:].sum(1) + drawn.bias[:25], torch.zeros(25).double())


def test_textbook_starts_on_its_unstable_fixed_point():
    drawn = draw("textbook")
    assert torch.equal(torch.tanh(drawn.weight @ drawn.start + drawn.bias), drawn.start)
    assert spectral_radius(drawn.weight) == pytest.approx(0.224, abs=1e-3)
    assert spectral_norm(drawn.weight) == pytest.approx(2.98, abs=0.01)


@pytest.mark.parametrize(("name", "sigma_1"), [("known-disagreement", 1.02), ("known-agreement", 1.0)])
def test_spectra_known_in_closed_form(name, sigma_1):
    weight = draw(name).weight.numpy()
    assert np.linalg.svd(weight)[1][0] == pytest.approx(sigma_1, abs=1e-12)
    # A defective eigenvalue moves as the root of the rounding.
    assert np.abs(np.linalg.eigvals(weight)).max() == pytest.approx(0.8, abs=1e-6)


def test_the_papers_three():
    radius = {n: np.mean([spectral_radius(draw(n, s).weight) for s in range(20)]) for n in ("basic-tanh", "smart-tanh")}
    norm = {n: np.mean([spectral_norm(draw(n, s).weight) for s in range(20)]) for n in ("basic-tanh", "sigmoid")}
    assert radius["basic-tanh"] == pytest.approx(0.74, abs=0.03)
    assert radius["smart-tanh"] == pytest.approx(0.95)
    assert norm["basic-tanh"] == pytest.approx(1.37, abs=0.03)
    assert norm["sigmoid"] == pytest.approx(0.138, abs=0.005)
    assert ((draw("smart-tanh").weight != 0).sum(1) == 15).all()


def test_scaling():
    drawn = draw("gaussian")
    assert spectral_radius(scaled(drawn, rho=0.3).weight) == pytest.approx(0.3)
    assert spectral_norm(scaled(drawn, sigma_1=0.3).weight) == pytest.approx(0.3)
    torch.testing.assert_close(scaled(drawn, 2.0).weight, 2 * drawn.weight)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="size 2"):
        recurrence("textbook", 3, torch.Generator())

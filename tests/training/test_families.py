"""Families compared, and where their networks come from.

Oracles: networks of a known rate; the measures of one network called by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradstudy.measure.residual_paths import identity_path
from gradstudy.models.feedforward import FeedForward
from gradstudy.tasks.study_images import study_images
from gradstudy.training.draws import Source
from gradstudy.training.families import family_tables, path_tables
from gradstudy.training.images import Recipe
from gradstudy.training.through_depth import Lesson

DESIGN = FeedForward("pre-activation", "convolution", 3, 4, input_shape=(1, 6, 6), block_layers=2)


def lesson(epochs=1):
    data = study_images("gratings", 20, 6, seed=0)
    return Lesson(data.images, data.labels, Recipe(epochs, 10, 0.01), probe=10)


def weights(network):
    return torch.cat([parameter.flatten() for parameter in network.parameters()])


def test_networks_have_seeds_of_their_own():
    source = Source(DESIGN, 0)
    assert torch.equal(weights(source(1)), weights(source(1)))
    others = (source(0), Source(DESIGN, 1)(1))
    assert not any(torch.equal(weights(source(1)), weights(other)) for other in others)
    assert not source.planted
    assert Source(DESIGN, 0, single=True).dtype == weights(Source(DESIGN, 0, single=True)(0)).dtype == torch.float32
    for planted in ({"growth": 0.0}, {"branch": 0.0}, {"shortcut": 0.0}):
        source = Source(DESIGN, 0, single=True, **planted)
        assert source.planted
        assert source.dtype == weights(source(0)).dtype == torch.float64


@pytest.mark.parametrize("kind", ["residual", "dense"])
def test_planted_families_have_their_rate(kind):
    layers = 1 if kind == "dense" else 2
    design = FeedForward(kind, "convolution", 4, 3, input_shape=(1, 6, 6), block_layers=layers, growth_rate=3)
    plan = lesson()
    rates, profile = family_tables(Source(design, 0, growth=-0.1), 3, plan.images, plan.labels)
    np.testing.assert_allclose(rates[["gradient_rate", "relative_rate"]], -0.1, atol=1e-12)
    np.testing.assert_allclose(profile["log_gradient"], -0.1 * (4 - profile["block"]), atol=1e-12)
    np.testing.assert_allclose(profile["log_relative_high"], profile["log_relative"], atol=1e-9)
    assert (profile["n"] == 3).all()


def test_planted_branches_and_shortcuts_have_their_rate():
    plan = lesson(0)
    rates, profile = path_tables(Source(DESIGN, 0, branch=-0.2), 2, plan, 2, seed=0)
    assert rates["moment"].tolist() == ["at init"] * 2
    np.testing.assert_allclose(rates["path_rate"], -0.2, atol=1e-12)
    # Binomial weights of e^-0.2 and 1: each block is on the path with odds e^-0.2 to 1.
    np.testing.assert_allclose(rates["effective"], 3 / (1 + np.exp(0.2)), atol=1e-12)
    np.testing.assert_allclose(profile["log_count"], np.log([1, 3, 3, 1]), atol=1e-12)
    shortcuts, _ = path_tables(Source(DESIGN, 0, shortcut=-0.2), 2, plan, 1, seed=0)
    np.testing.assert_allclose(shortcuts["least_rate"], -0.2, atol=1e-12)
    np.testing.assert_allclose(shortcuts["identity_error"], np.exp(0.6) - 1, atol=1e-12)


def test_training_changes_what_is_measured_after_it_only():
    rates, _ = path_tables(Source(DESIGN, 0), 1, lesson(2), 2, seed=0)
    untrained, _ = path_tables(Source(DESIGN, 0), 1, lesson(0), 2, seed=0)
    columns = ["path_rate", "identity_share", "least_rate"]
    np.testing.assert_array_equal(rates[columns].iloc[0], untrained[columns].iloc[0])
    assert rates["moment"].tolist() == ["at init", "after all"]
    assert (rates[columns].iloc[1] != rates[columns].iloc[0]).all()
    plan = lesson()
    table = identity_path(Source(DESIGN, 0)(0), plan.images[:10], plan.labels[:10])
    assert rates["least_rate"][0] == pytest.approx((table["log_ratio"] / table["links"]).min())
    assert rates["identity_error"].max() < 1e-13

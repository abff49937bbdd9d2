"""Labelled images.

Oracles: the definitions by numpy, one image at a time; entropies in closed form.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.tasks.images import LabelledImages


@pytest.fixture
def made():
    """Five classes with 4, 5, 6, 7 and 8 images; an image's first pixel is its number."""
    labels = torch.repeat_interleave(torch.arange(5), torch.tensor([4, 5, 6, 7, 8]))
    images = torch.randint(256, (30, 2, 6, 6), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images[:, 0, 0, 0] = torch.arange(30)
    return LabelledImages("made", "train", images, labels, 5)


def test_subsets_are_balanced_random_and_nested(made):
    before = torch.get_rng_state()
    large, small, other = made.subset(20, seed=1), made.subset(10, seed=1), made.subset(20, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert large.labels.tolist() == [0, 1, 2, 3, 4] * 4
    numbers = large.images[:, 0, 0, 0].long()
    assert len(set(numbers.tolist())) == 20
    assert torch.equal(made.labels[numbers], large.labels)
    assert torch.equal(made.images[numbers], large.images)
    assert torch.equal(small.images, large.images[:10])
    assert not torch.equal(other.images, large.images)
    drawn = [made.subset(5, seed=seed).images[4, 0, 0, 0].item() for seed in range(400)]
    # Each of the eight images of the last class has probability 1/8; five standard errors.
    assert np.unique(drawn, return_counts=True)[1] == pytest.approx(np.full(8, 50), abs=5 * math.sqrt(400 * 7 / 64))


@pytest.mark.parametrize("count", [0, 4, 12, 25])
def test_subsets_without_equal_shares_are_refused(made, count):
    with pytest.raises(OptionError, match="a multiple of 5, at most 20"):
        made.subset(count, seed=0)


def test_pooling_is_the_mean_over_squares(made):
    pooled = made.pooled(3)
    assert pooled.images.dtype == torch.float64
    assert pooled.images[7, 1, 2, 0].item() == pytest.approx(made.images[7, 1, 4:, :2].numpy().mean() / 255)
    torch.testing.assert_close(pooled.pooled(1).images[:, :, 0, 0], made.images.double().mean((2, 3)) / 255)
    with pytest.raises(OptionError, match="6x6 images pooled to 4x4"):
        made.pooled(4)


def test_standardised_by_numpy(made):
    values = made.images.numpy() / 255
    mean, deviation = values.mean((0, 2, 3)), values.std((0, 2, 3))
    found = made.standardised().images
    np.testing.assert_allclose(found.numpy(), (values - mean[:, None, None]) / deviation[:, None, None])
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(2).double(), rtol=0, atol=1e-12)
    part = made.subset(5, seed=0)
    numbers = part.images[:, 0, 0, 0].long()
    torch.testing.assert_close(part.standardised(like=made).images, found[numbers])


def test_losses_errors_and_the_trivial_ones(made):
    shares = np.array([4, 5, 6, 7, 8]) / 30
    assert made.trivial_loss() == pytest.approx(-(shares * np.log(shares)).sum())
    assert made.trivial_error() == pytest.approx(22 / 30)
    balanced = made.subset(20, seed=0)
    assert balanced.trivial_loss() == pytest.approx(math.log(5))
    assert balanced.trivial_error() == pytest.approx(0.8)
    constant = torch.from_numpy(np.log(shares)).expand(30, 5)
    assert made.loss(constant, made.labels).item() == pytest.approx(made.trivial_loss())
    assert made.error(constant, made.labels) == pytest.approx(made.trivial_error())
    assert repr(made) == "LabelledImages(made, train: 30 images 2x6x6, 5 classes)"

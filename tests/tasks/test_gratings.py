"""Gratings.

Oracles: moments in closed form; a detector of the power in each direction, which knows the wavelength; a least-squares
classifier on the pixels, which cannot do it; a small convolutional network, which can.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.models.feedforward import FeedForward, draw_feedforward
from gradstudy.tasks.gratings import Gratings


def test_draws_are_reproducible_balanced_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    task = Gratings(classes=3, channels=2, side=9)
    one, same, other = task.draw(30, seed=0), task.draw(30, seed=0), task.draw(30, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.images.shape == (30, 2, 9, 9)
    assert one.images.dtype == torch.float64
    assert torch.equal(one.images, same.images)
    assert not torch.equal(one.images, other.images)
    assert not torch.equal(one.images, task.draw(30, seed=0, split="test").images)
    assert torch.equal(one.labels, torch.arange(30) % 3)
    assert one.trivial_error() == pytest.approx(2 / 3)


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_moments(noise):
    task, count = Gratings(classes=2, channels=3, noise=noise), 4000
    images = task.draw(count, seed=0).images
    for label in range(2):
        part = images[label::2]
        # Of each pixel: the square of sqrt(2) cos has variance 1/2, that of its sum with the noise this.
        error = math.sqrt((1 + noise**2) / len(part))
        assert part.mean(0).abs().max() < 5 * error
        spread = math.sqrt((0.5 + 4 * noise**2 + 2 * noise**4) / len(part))
        assert (part.square().mean(0) - 1 - noise**2).abs().max() < 5 * spread


def power(images, task):
    """Power at the middle direction of each class: |<x, exp(i k . r)>|^2, summed over channels."""
    angle = torch.arange(task.classes) * math.pi / task.classes
    place = torch.arange(task.side, dtype=torch.float64) * 2 * math.pi / task.wavelength
    phase = angle.sin()[:, None, None] * place[:, None] + angle.cos()[:, None, None] * place
    return torch.einsum("bchw,khw->bck", images + 0j, torch.exp(-1j * phase)).abs().square().sum(1)


@pytest.mark.parametrize("options", [{}, {"channels": 3, "side": 12}, {"classes": 10, "side": 28, "noise": 3.0}])
def test_the_power_in_each_direction_tells_the_class(options):
    task = Gratings(**options)
    drawn = task.draw(400, seed=0)
    assert drawn.error(power(drawn.images, task), drawn.labels) < 0.01


def test_the_pixels_do_not():
    task = Gratings(classes=2)
    train, test = task.draw(4000, seed=0), task.draw(2000, seed=0, split="test")
    sign = 1.0 - 2.0 * train.labels
    weight = torch.linalg.lstsq(train.images.flatten(1), sign[:, None].double()).solution[:, 0]
    projected = test.images.flatten(1) @ weight
    error = ((projected < 0) != (test.labels == 1)).double().mean().item()
    assert error == pytest.approx(0.5, abs=5 * math.sqrt(0.25 / 2000))


def test_a_small_network_learns_it():
    train, test = (Gratings().draw(count, seed=0, split=split) for count, split in ((512, "train"), (256, "test")))
    design = FeedForward("plain", "convolution", 2, 8, input_shape=(1, 14, 14), normalisation="batch")
    network = draw_feedforward(design, seed=0).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(100):
        rows = slice(128 * (step % 4), 128 * (step % 4) + 128)
        loss = train.loss(network(train.images[rows].float()), train.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = test.error(network(test.images.float()), test.labels)
    assert found < 0.2
    assert test.trivial_error() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    "options", [{"classes": 1}, {"wavelength": 1.5}, {"jitter": 1.0}, {"side": 0}, {"noise": -1.0}]
)
def test_classes_that_cannot_be_told_apart_are_refused(options):
    with pytest.raises(OptionError, match="told apart"):
        Gratings(**options)

"""Losses apart from updates.

Oracles: torch's own modules and loss functions on the same sequences; the loss an update sees before its step.
"""

from __future__ import annotations

import torch

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.arms import arms
from gradstudy.training.evaluation import losses
from gradstudy.training.population import Shape, draw_population
from gradstudy.training.sequences import Draws, Feed
from gradstudy.training.trainer import Recipe, Trainer

TASK = TemporalOrder()
SHAPE = Shape("tanh", TASK.input_size, 7, TASK.output_size)


def test_losses_are_torchs_averaged_over_batches():
    population = draw_population(SHAPE, "default", [4, 9], seed=3)
    draws = Draws(TASK, 12, 30, seed=3, purpose="test")
    found = losses(population, [4, 9], draws, batches=2)
    for place, index in enumerate((4, 9)):
        module, head = population.modules(place)
        expected = [TASK.loss(head(module(inputs)[0]), targets) for inputs, targets in draws.block(index, 0)[:2]]
        torch.testing.assert_close(found[place], torch.stack(expected).mean().detach(), rtol=0, atol=1e-13)


def test_the_loss_before_an_update_is_the_updates():
    members = arms(["SGD"], range(2), rate=0.1)
    population = draw_population(SHAPE, "default", range(2), seed=1)
    draws = Draws(TASK, 12, 20, seed=1, purpose="training")
    before = losses(population, range(2), draws)
    seen = Trainer(population, members, TASK, Recipe(), 12).update(Feed(draws).batch(range(2), 0))
    torch.testing.assert_close(before, seen.loss, rtol=0, atol=1e-13)


def test_a_network_without_numbers_has_no_finite_loss():
    population = draw_population(SHAPE, "default", range(2), seed=1)
    population.weights[1, -1] = torch.nan
    found = losses(population, range(2), Draws(TASK, 12, 20, seed=1, purpose="test"))
    assert found.isfinite().tolist() == [True, False]

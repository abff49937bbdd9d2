"""Populations of small tanh networks.

Oracles: autograd of the recursion written out; gradient descent on one member alone, in plain Python with autograd.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gradstudy.training import latch
from gradstudy.training.latch import (
    MINIMAL_LATCH,
    TWO_SEQUENCE,
    Course,
    Lessons,
    backpropagate,
    draw_population,
    train,
)

FIXED = Lessons((8,), "gaussian", 5, "test")
VARIED = Lessons((4, 6, 9), "uniform", 5, "test")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=stream(seed), dtype=torch.float64)


def run(weight, drives, length):
    """x at the end of one sequence of one network, by the definition."""
    x = torch.zeros(len(weight), dtype=torch.float64)
    for u in drives[:length]:
        x = torch.tanh(weight @ x + torch.nn.functional.one_hot(torch.tensor(0), len(weight)) * u)
    return x[-1]


@pytest.mark.parametrize("units", [1, 5])
def test_gradients_against_autograd(units):
    weight = normal(units, units, 3).requires_grad_()
    drives = normal(7, 2, 3, seed=1).requires_grad_()
    lengths = torch.tensor([[7, 5, 4], [6, 7, 7]])
    targets = torch.tensor([[0.8], [-0.8]], dtype=torch.float64)
    outputs = torch.stack(
        [torch.stack([run(weight[..., m], drives[:, c, m], lengths[c, m]) for m in range(3)]) for c in range(2)]
    )
    loss = 0.5 * (outputs - targets).square().sum()
    exact = torch.autograd.grad(loss, (weight, drives))
    found = backpropagate(weight.detach(), drives.detach(), lengths, targets)
    assert torch.allclose(found[0], outputs.detach(), atol=1e-14)
    assert torch.allclose(found[1], exact[0], atol=1e-13)
    assert torch.allclose(found[2], exact[1], atol=1e-13)


@pytest.mark.parametrize(("problem", "lessons"), [(MINIMAL_LATCH, FIXED), (TWO_SEQUENCE, VARIED)])
def test_training_against_one_member_alone(problem, lessons):
    population = draw_population(problem, 3, [0.1, 0.5], 0.2, reach=0.5, seed=1)
    outcome = train(population, problem, lessons, Course(25, 1000))
    drawn = latch._draw(lessons, 3)
    member, search, rate = 4, 1, 0.5  # the second search with the second rate
    weight, told = population.weight[..., member].clone(), population.told[..., member].clone()
    for _ in range(25):
        noise, lengths = next(drawn)
        w, h = weight.requires_grad_(), told.requires_grad_()
        loss = 0.0
        for c, sign in enumerate((1, -1)):
            drives = torch.cat([h[:, c], 0.2 * noise[:, c, search]])
            loss = loss + 0.5 * (run(w, drives, lengths[c, search]) - sign * problem.target) ** 2
        grads = torch.autograd.grad(loss, (w, h))
        weight = (w - rate * grads[0]).detach()
        told = (h - rate * grads[1]).detach() if problem.learnt else h.detach()
    assert population.search[member] == search
    assert population.rate[member] == rate
    assert torch.allclose(outcome.population.weight[..., member], weight, atol=1e-12)
    assert torch.allclose(outcome.population.told[..., member], told, atol=1e-12)


def test_more_searches_leave_the_first_ones_as_they_are():
    few, many = (
        train(draw_population(MINIMAL_LATCH, n, [0.3], 0.2, reach=0.5, seed=1), MINIMAL_LATCH, FIXED, Course(60, 10))
        for n in (3, 8)
    )
    assert torch.equal(few.updates, many.updates[:3])
    assert torch.equal(few.population.weight, many.population.weight[..., :3])


def test_members_leave_when_they_have_a_streak_and_keep_what_they_had():
    population = draw_population(MINIMAL_LATCH, 12, [0.3], 0.2, reach=0.5, seed=1)
    population = replace(population, weight=torch.full_like(population.weight, 1.25))
    outcome = train(population, MINIMAL_LATCH, FIXED, Course(200, 20))
    assert outcome.solved.any()
    assert (outcome.updates[outcome.solved] >= 20).all()
    assert (outcome.updates[~outcome.solved] == 200).all()
    first = int(outcome.updates[outcome.solved].min())
    member = int((outcome.updates == first).nonzero()[0])
    alone = train(population, MINIMAL_LATCH, FIXED, Course(first, 1000))
    assert torch.equal(alone.population.weight[..., member], outcome.population.weight[..., member])


def test_an_examination_decides_and_a_failed_one_costs_the_streak():
    population = draw_population(MINIMAL_LATCH, 4, [0.3], 0.0, reach=0.5, seed=1)
    population = replace(population, weight=torch.full_like(population.weight, 3.0))
    asked = []

    def examine(members):
        asked.append(members.search.tolist())
        return torch.full((len(members),), len(asked) > 2)

    outcome = train(population, MINIMAL_LATCH, Lessons((5,), "gaussian", 0, "x"), Course(300, 10, examine))
    assert len(asked) > 2
    plain = train(population, MINIMAL_LATCH, Lessons((5,), "gaussian", 0, "x"), Course(300, 10))
    assert plain.solved.all()
    early = torch.tensor(asked[0])
    assert (outcome.updates[early] >= plain.updates[early] + 10).all()


def test_a_member_that_blows_up_stays_wrong_and_the_others_go_on():
    population = draw_population(MINIMAL_LATCH, 6, [0.1, 1e200], 0.2, reach=0.5, seed=1)
    population = replace(population, weight=torch.full_like(population.weight, 1.5))
    outcome = train(population, MINIMAL_LATCH, FIXED, Course(100, 20))
    broken = ~outcome.population.weight[0, 0].isfinite()
    assert not outcome.solved[broken].any()
    assert outcome.solved[:6].any()


def test_draws():
    population = draw_population(TWO_SEQUENCE, 4, [0.1, 0.2, 0.3], 0.2, reach=0.5, seed=1)
    assert len(population) == 12
    assert population.weight.shape == (5, 5, 12)
    assert population.weight[..., 0].numel() == 25
    assert population.weight.abs().max() <= 0.5
    assert torch.equal(population.weight[..., :4], population.weight[..., 4:8])
    assert population.told[:, 0].eq(1).all()
    assert population.told[:, 1].eq(-1).all()
    noise, lengths = next(latch._draw(VARIED, 500))
    assert noise.shape == (6, 2, 500)
    assert noise.abs().max() <= 1
    assert set(lengths.flatten().tolist()) == {4, 6, 9}
    gaussian, _ = next(latch._draw(FIXED, 500))
    assert gaussian.std().item() == pytest.approx(1, abs=0.05)

"""The same weights with a sigmoid and with another nonlinearity.

Oracles: the backward pass by hand; networks whose slopes are known; orthogonal weights, where the bound is attained.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure.layer_rates import Population
from gradstudy.measure.nonlinearities import nonlinearities
from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Stack, draw


def test_against_the_backward_pass_by_hand():
    pairs, bounds = nonlinearities(Population(Stack(6, 3), 1, seed=2), ["tanh"])
    stream = generator(2, 0, "network")
    h, gradient = (torch.randn(1, 6, generator=stream, dtype=torch.float64) for _ in range(2))
    weights = [link.weight for link in draw(Stack(6, 3), 1, stream)]
    for column, function, slope in (
        ("log_backward", torch.tanh, lambda z: 1 - z.tanh() ** 2),
        ("log_backward_sigmoid", torch.sigmoid, lambda z: z.sigmoid() * (1 - z.sigmoid())),
    ):
        states, back, norms = [h], gradient, [gradient.norm()]
        for weight in weights:
            states.append(function(states[-1]) @ weight.T)
        for weight, z in zip(reversed(weights), reversed(states[:-1]), strict=True):
            back = slope(z) * (back @ weight)
            norms.append(back.norm())
        assert pairs[column][0] == pytest.approx(2 * float(norms[-1].log() - norms[0].log()))
    logs = [2 * float(n.log()) for n in norms]  # of the sigmoid, from the last state to the first
    bound = [2 * math.log(0.25 * np.linalg.norm(weight.numpy(), 2)) for weight in reversed(weights)]
    margins = [b - a - limit for a, b, limit in zip(logs[:-1], logs[1:], bound, strict=True)]
    assert bounds["largest_margin"][0] == pytest.approx(max(margins))
    assert bounds["log_bound"][0] == pytest.approx(sum(bound))


def test_a_planted_lead_is_the_lead():
    pairs, _ = nonlinearities(Population(Stack(32, 5), 2), ["tanh", "relu"], lead=0.3)
    assert pairs["reference"].tolist() == ["tanh", "relu"] * 2
    np.testing.assert_allclose(pairs["log_backward"] - pairs["log_backward_sigmoid"], 5 * 0.3)


def test_a_planted_slope_attains_the_bound():
    population = Population(Stack(6, 5, scheme="orthogonal"), 2)
    for slope, margin in ((0.25, 0.0), (0.2525, 2 * math.log(1.01))):
        _, bounds = nonlinearities(population, ["tanh"], slope=slope)
        np.testing.assert_allclose(bounds["largest_margin"], margin, atol=1e-12)
    _, bounds = nonlinearities(population, ["tanh"])
    assert (bounds["largest_margin"] < 0).all()

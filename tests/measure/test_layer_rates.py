"""Rates of the squared gradient norm from layer to layer.

Oracles: the backward pass written out by hand (batch normalisation's derivative included); finite differences; networks
whose rate is known exactly; the mean of the population against the law with its own standard error.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.measure.layer_rates import (
    Population,
    critical_stack,
    layer_rates,
    log_differences,
    log_gradients,
    predicted,
    profile,
    start_of,
)
from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Stack, draw
from gradstudy.theory import he2015init, schoenholz2017

STREAM = lambda index=0: generator(0, index, "rates")  # noqa: E731


def normal(*size, index=1):
    return torch.randn(size, dtype=torch.float64, generator=STREAM(index))


def by_hand(links, inputs, cotangent):
    """Squared norms of the gradients at all states, the derivative of every operation written out."""
    states = [inputs]
    for link in links:
        states.append(link(states[-1]))
    gradient, found = cotangent, [cotangent.square().sum()]
    for link, h in zip(reversed(links), reversed(states[:-1]), strict=True):
        centred = h - h.mean(0)
        scale = centred.square().mean(0).sqrt()
        z = centred / scale if link.stack.normalisation == "batch" else h
        back = (gradient @ link.weight) * (1 - z.tanh() ** 2)
        if link.stack.normalisation == "batch":
            back = (back - back.mean(0) - z * (back * z).mean(0)) / scale
        gradient = back if link.stack.shortcut is None else gradient + link.stack.shortcut * back
        found.append(gradient.square().sum())
    return torch.stack(found[::-1])


@pytest.mark.parametrize("normalisation", ["none", "batch"])
@pytest.mark.parametrize("shortcut", [None, 0.7])
def test_against_the_backward_pass_by_hand(normalisation, shortcut):
    stack = Stack(5, 4, "tanh", "gaussian", normalisation, 1.3, 0.2, shortcut)
    links, inputs, cotangent = draw(stack, 6, STREAM()), normal(6, 5), normal(6, 5, index=2)
    torch.testing.assert_close(log_gradients(links, inputs, cotangent), by_hand(links, inputs, cotangent).log())


def test_differences_against_finite_ones():
    links, inputs, tangent = draw(Stack(5, 4, "tanh", "he"), 2, STREAM()), normal(2, 5), normal(2, 5, index=2)
    shift, ends = 1e-6, []
    for sign in (1, -1):
        state = inputs + sign * shift * tangent
        for link in links:
            state = link(state)
        ends.append(state)
    expected = ((ends[0] - ends[1]) / (2 * shift)).square().sum().log()
    # Central differences of step 1e-6: truncation and rounding are both near 1e-10.
    assert float(log_differences(links, inputs, tangent)[-1]) == pytest.approx(float(expected), abs=1e-8)


def test_a_network_of_known_rate_with_margins():
    networks, layers = layer_rates(Population(Stack(8, 10, rate=-0.3), 3, margin=2, differences=True))
    assert networks["links"].tolist() == [6] * 3
    np.testing.assert_allclose(networks["log_backward"], -1.8)
    np.testing.assert_allclose(networks["log_forward"], -1.8)
    np.testing.assert_allclose(layers["quenched"], -0.3 * np.arange(10, -1, -1), atol=1e-12)
    np.testing.assert_allclose(layers["annealed"], layers["quenched"], atol=1e-12)


def test_more_networks_leave_the_first_as_they_are():
    few, many = (layer_rates(Population(Stack(8, 5), n))[0]["log_backward"].tolist() for n in (2, 4))
    assert few == many[:2]


def test_annealed_is_the_log_of_the_mean():
    curves = np.array([[-500.0, 0.0], [-500.0 + math.log(3), 0.0]])
    found = profile(curves)
    assert found["annealed"][0] == pytest.approx(-500 + math.log(2))
    assert found["quenched"][0] == pytest.approx(-500 + math.log(3) / 2)


@pytest.mark.parametrize(
    ("stack", "law"),
    [
        (Stack(8, 2, "tanh", "standard"), -math.log(3)),
        (Stack(8, 2, "relu", "standard"), -math.log(6)),
        (Stack(8, 2), 0.0),
        (Stack(8, 2, "linear", "he", "batch"), math.log(3 / 2)),
        (Stack(8, 2, "relu", "gaussian", sigma_w=1.2), math.log(0.72)),
    ],
)
def test_laws(stack, law):
    assert predicted(Population(stack, 1, rows=5)) == pytest.approx(law)


def test_designs_without_a_law_have_none():
    assert math.isnan(predicted(Population(Stack(8, 2, "sigmoid", "standard"), 1)))
    assert math.isnan(predicted(Population(Stack(8, 2, "tanh", "glorot"), 1)))


def test_starts():
    ordered = Stack(8, 2, "tanh", "gaussian", sigma_w=1.5, sigma_b=0.1)
    assert start_of(Population(ordered, 1)) == pytest.approx(schoenholz2017.fixed_point("tanh", 1.5, 0.1))
    assert start_of(Population(Stack(8, 2, "relu", "gaussian", sigma_w=1.2), 1)) == 1.0  # q* = 0: nothing to start at
    assert start_of(Population(ordered, 1, start=0.25)) == 0.25
    assert start_of(Population(critical_stack(ordered, 0.1), 1)) == pytest.approx(0.1, rel=1e-3)


def test_populations_agree_with_the_laws_within_their_own_error():
    stack = Stack(24, 20)
    networks, _ = layer_rates(Population(stack, 200))
    rates = networks["log_backward"] / 20
    assert rates.mean() == pytest.approx(he2015init.quenched_rate(24), abs=4 * rates.std() / math.sqrt(200))
    ratios = np.exp(networks["log_backward"] - networks["log_backward"].max())
    annealed = math.log(ratios.mean()) + networks["log_backward"].max()
    assert annealed == pytest.approx(0, abs=5 * ratios.std() / ratios.mean() / math.sqrt(200))

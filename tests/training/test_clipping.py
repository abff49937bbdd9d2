"""Clipping of populations.

Oracles: Algorithm 1 and the released code written out member by member; torch's clip_grad_norm_ and clip_grad_value_.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradstudy.training.clipping import clip, gradient_norm, rescue
from gradstudy.training.population import Population, Shape

SHAPE = Shape("tanh", 2, 3, 2)
CLIPPINGS = ["algorithm-1", "code", "element-wise"]


def population(*scales, seed=0):
    drawn = torch.randn(len(scales), SHAPE.parameters, generator=torch.Generator().manual_seed(seed)).double()
    return Population(SHAPE, drawn * torch.tensor(scales, dtype=torch.float64)[:, None])


def clipped(gradient, thresholds, clipping):
    weights = gradient.weights.clone()
    after = gradient.like(weights)
    factor = clip(after, gradient_norm(after), torch.tensor(thresholds, dtype=torch.float64), clipping)
    return after, factor


@pytest.mark.parametrize("clipping", ["algorithm-1", "code"])
def test_each_member_is_clipped_by_its_own_norm_and_threshold(clipping):
    gradient, thresholds = population(10.0, 0.01, 3.0, 3.0), [1.0, 1.0, 0.5, math.inf]
    after, factor = clipped(gradient, thresholds, clipping)
    for place, threshold in enumerate(thresholds):
        g = gradient.weights[place]
        norm = math.sqrt(sum(float(x) ** 2 for x in g))  # over all parameters
        expected = threshold / norm * g if norm >= threshold else g
        torch.testing.assert_close(after.weights[place], expected, rtol=1e-14, atol=0)
        assert float(factor[place]) == pytest.approx(min(1.0, threshold / norm), rel=1e-14)
        parameter = nn.Parameter(torch.zeros_like(g))
        parameter.grad = g.clone()
        nn.utils.clip_grad_norm_([parameter], threshold)  # divides by norm + 1e-6
        torch.testing.assert_close(after.weights[place], parameter.grad, rtol=1e-6, atol=0)


def test_element_wise_clipping_is_torchs():
    gradient, thresholds = population(1.0, 1.0, 1e-3), [0.5, 0.1, 1.0]
    after, factor = clipped(gradient, thresholds, "element-wise")
    for place, threshold in enumerate(thresholds):
        parameter = nn.Parameter(torch.zeros(SHAPE.parameters, dtype=torch.float64))
        parameter.grad = gradient.weights[place].clone()
        nn.utils.clip_grad_value_([parameter], threshold)
        assert torch.equal(after.weights[place], parameter.grad)
        assert float(factor[place]) == pytest.approx(float(parameter.grad.norm() / gradient.weights[place].norm()))
    assert float(factor[2]) == 1.0


@pytest.mark.parametrize("clipping", ["algorithm-1", "code"])
def test_at_a_norm_of_exactly_the_threshold_both_leave_the_gradient(clipping):
    gradient = Population(SHAPE, torch.zeros(1, SHAPE.parameters, dtype=torch.float64))
    gradient.weights[0, :2] = torch.tensor([3.0, 4.0])
    after, factor = clipped(gradient, [5.0], clipping)
    assert torch.equal(after.weights, gradient.weights)
    assert float(factor) == 1.0


@pytest.mark.parametrize("clipping", CLIPPINGS)
def test_nan_goes_through_and_stays_with_its_member(clipping):
    gradient = population(10.0, 10.0)
    gradient.weights[0, 3] = torch.nan
    after, factor = clipped(gradient, [1.0, 1.0], clipping)
    alone, _ = clipped(gradient.take([1]), [1.0], clipping)
    assert after.weights[0].isnan().any()
    assert factor[0].isnan()
    assert torch.equal(after.weights[1], alone.weights[0])


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e11])
def test_the_codes_rule_for_norms_that_are_lost(bad):
    weights, gradient = population(1.0, 1.0, seed=1), population(1.0, 1.0)
    gradient.weights[0, 0] = bad
    before = gradient.weights.clone()
    rescue(gradient, gradient_norm(gradient), weights)
    assert torch.equal(gradient.weight_hh[0], 0.02 * weights.weight_hh[0])
    assert not gradient.recurrent[0, :, 3:].any()
    assert not gradient.readout[0].any()
    assert torch.equal(gradient.weights[1], before[1])

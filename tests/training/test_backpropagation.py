"""Backpropagation by hand through populations.

Oracles: autograd through torch's modules (tanh, relu, LSTM, GRU) and through a loop of its own (sigmoid); finite
differences of `predict`; the same members alone.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gradstudy.training.backpropagation import gradients, predict, predictions, unroll
from gradstudy.training.population import BLOCKS, Shape, draw_population

CELLS = ["tanh", "relu", "sigmoid", "lstm", "gru"]
MEMBERS, LENGTH, BATCH, INPUTS, OUTPUTS = 3, 23, 4, 2, 3


def targets(likelihood, steps, stream):
    if likelihood == "categorical":
        return torch.randint(0, OUTPUTS, (MEMBERS, steps, BATCH), generator=stream)
    drawn = torch.rand(MEMBERS, steps, BATCH, OUTPUTS, generator=stream).double()
    return drawn.round() if likelihood == "bernoulli" else drawn


def loss_of(likelihood, predictions, expected):
    if likelihood == "categorical":
        return functional.cross_entropy(predictions.flatten(0, 1), expected.flatten())
    if likelihood == "gaussian":
        return (predictions - expected).square().sum(-1).mean()
    return functional.binary_cross_entropy_with_logits(predictions, expected, reduction="none").sum(-1).mean()


def sigmoid_states(recurrent, inputs):
    """States kept one by one, so that autograd leaves their gradients."""
    h, states = inputs.new_zeros(BATCH, recurrent.shape[0]), []
    for x in inputs:
        h = torch.sigmoid(torch.cat([h, x, torch.ones_like(x[:, :1])], dim=1) @ recurrent.T)
        states.append(h)
    return states


def autograd(population, place, inputs, scored, likelihood, expected):
    """Loss, dL/dA, dL/dR and dL/dh_1 .. dL/dh_T of one member."""
    shape, readout = population.shape, population.readout[place].clone().requires_grad_()
    if shape.cell == "sigmoid":
        recurrent = population.recurrent[place].clone().requires_grad_()
        states = sigmoid_states(recurrent, inputs)
    else:
        module, _ = population.modules(place)
        states, state = [], None
        for x in inputs:  # step by step: the gradient of the fused module's output would be the direct part alone
            _, state = module(x[None], state)
            states.append(state[0] if shape.cell == "lstm" else state)
    predictions = torch.stack([h.view(BATCH, -1) for h in states])[scored] @ readout[:, :-1].T + readout[:, -1]
    loss = loss_of(likelihood, predictions, expected)
    if shape.cell == "sigmoid":
        by_weights, by_readout, *by_state = torch.autograd.grad(loss, [recurrent, readout, *states])
        return loss, by_weights, by_readout, torch.stack(by_state)
    names = ["weight_hh_l0", "weight_ih_l0", "bias_ih_l0"]
    weights = [dict(module.named_parameters())[name] for name in names]
    by_hh, by_ih, by_bias, by_readout, *by_state = torch.autograd.grad(loss, [*weights, readout, *states])
    whole = torch.cat([by_hh, by_ih, by_bias[:, None]], dim=1)
    blocks = whole.view(-1, shape.hidden, shape.width)[list(BLOCKS[shape.cell])]
    return loss, blocks.flatten(0, 1), by_readout, torch.stack([g.view(BATCH, -1) for g in by_state])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("likelihood", ["categorical", "gaussian", "bernoulli"])
@pytest.mark.parametrize("scored", [slice(-1, None), slice(0, None), slice(3, 20, 4)], ids=["last", "all", "every 4th"])
def test_gradients_are_those_of_autograd(cell, likelihood, scored):
    stream = torch.Generator().manual_seed(3)
    population = draw_population(Shape(cell, INPUTS, 11, OUTPUTS), "default", range(MEMBERS), seed=1)
    inputs = torch.randn(MEMBERS, LENGTH, BATCH, INPUTS, generator=stream).double()
    expected = targets(likelihood, len(range(LENGTH)[scored]), stream)
    unrolled = unroll(population.shape, (MEMBERS, LENGTH + 5, BATCH))  # more memory than needed is no matter
    for _ in range(2):  # nor is what an earlier pass left there
        found = gradients(population, unrolled, (inputs, expected), scored, likelihood)
    for place in range(MEMBERS):
        loss, by_weights, by_readout, by_state = autograd(
            population, place, inputs[place], scored, likelihood, expected[place]
        )
        torch.testing.assert_close(found.loss[place], loss, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(found.gradient.recurrent[place], by_weights, rtol=1e-11, atol=1e-15)
        torch.testing.assert_close(found.gradient.readout[place], by_readout, rtol=1e-11, atol=1e-15)
        torch.testing.assert_close(found.unrolled.state_gradient[1:, place].mT, by_state, rtol=1e-11, atol=1e-18)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_slopes_of_the_loss(cell):
    stream = torch.Generator().manual_seed(4)
    population = draw_population(Shape(cell, INPUTS, 5, OUTPUTS), "orthogonal", range(MEMBERS), seed=1)
    inputs = torch.randn(MEMBERS, LENGTH, BATCH, INPUTS, generator=stream).double()
    expected = targets("gaussian", 2, stream)
    scored = slice(-2, None)
    unrolled = unroll(population.shape, (MEMBERS, LENGTH, BATCH))
    found = gradients(population, unrolled, (inputs, expected), scored, "gaussian")
    direction = torch.randn(population.weights.shape, generator=stream).double()
    ends = []
    for sign in (1, -1):
        moved = population.like(population.weights + sign * 1e-6 * direction)
        error = predict(moved, inputs, scored) - expected
        ends.append(error.square().sum(-1).mean((1, 2)))
    slope = (ends[0] - ends[1]) / 2e-6
    expected_slope = (found.gradient.weights * direction).sum(1)
    # Error of a central difference: step^2 (1e-12) and rounding over step (1e-10).
    torch.testing.assert_close(slope, expected_slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("cell", CELLS)
def test_predictions_over_many_pieces_are_those_of_one_pass(cell):
    population = draw_population(Shape(cell, INPUTS, 6, OUTPUTS), "orthogonal", range(MEMBERS), seed=2)
    inputs = torch.randn(MEMBERS, 150, BATCH, INPUTS, generator=torch.Generator().manual_seed(0)).double()
    found = predict(population, inputs, slice(5, 150, 29))
    for place in range(MEMBERS):
        if cell == "sigmoid":
            states = torch.stack(sigmoid_states(population.recurrent[place], inputs[place]))
            readout = population.readout[place]
            expected = states @ readout[:, :-1].T + readout[:, -1]
        else:
            module, head = population.modules(place)
            expected = head(module(inputs[place])[0])
        torch.testing.assert_close(found[place], expected[5:150:29].detach(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_predictions_at_all_steps_come_piece_by_piece(cell):
    population = draw_population(Shape(cell, INPUTS, 6, OUTPUTS), "default", range(MEMBERS), seed=0)
    inputs = torch.randn(MEMBERS, LENGTH, BATCH, INPUTS, generator=torch.Generator().manual_seed(2)).double()
    pieces = list(predictions(population, inputs, 7))
    assert [piece.shape[1] for piece in pieces] == [7, 7, 7, 2]
    whole = predict(population, inputs, slice(None))
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_tiny_gradient_comes_back_as_it_is(dtype):
    """Through 60 sigmoid steps the error shrinks by 1e-80; what float32 cannot hold is 0, not NaN."""
    population = draw_population(Shape("sigmoid", 1, 6, 1), "sigmoid", range(2), seed=0, dtype=dtype)
    inputs, expected = torch.ones(2, 60, 3, 1, dtype=dtype), torch.ones(2, 1, 3, 1, dtype=dtype)
    found = gradients(
        population, unroll(population.shape, (2, 60, 3), dtype), (inputs, expected), slice(-1, None), "gaussian"
    )
    last, first = found.unrolled.state_gradient[-1].norm(), found.unrolled.state_gradient[1].norm()
    assert torch.isfinite(found.gradient.weights).all()
    assert last > 0
    assert (first > 0) == (dtype == torch.float64)

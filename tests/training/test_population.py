"""Populations and their draws.

Oracles: the moments that the paper's code prescribes, `models.initialisations`, torch's modules, members drawn alone.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy.errors import OptionError, UnsupportedModuleError
from gradstudy.models.initialisations import recurrence, spectral_radius
from gradstudy.models.randomness import generator
from gradstudy.training.population import Shape, draw_population, starts

CELLS = ["tanh", "relu", "sigmoid", "lstm", "gru"]


@pytest.mark.parametrize(("start", "outer"), [("sigmoid", 0.01), ("basic-tanh", 0.1), ("smart-tanh", 0.01)])
def test_the_papers_draws(start, outer):
    population = draw_population(Shape("tanh", 6, 50, 4), start, range(12), seed=3)
    inside = population.recurrent[..., 50:-1]
    # Relative error of a standard deviation from n numbers: 1 / sqrt(2 n), n = 3,600 and 2,400; four of them.
    assert float(inside.std()) == pytest.approx(outer, rel=0.05)
    assert float(population.readout[..., :-1].std()) == pytest.approx(outer, rel=0.06)
    assert not population.recurrent[..., -1].any()
    assert not population.readout[..., -1].any()
    for place in range(12):
        drawn = recurrence(start, 50, generator(3, place, "weights")).weight
        assert torch.equal(population.weight_hh[place], drawn)
    if start == "smart-tanh":
        assert [spectral_radius(weight) for weight in population.weight_hh] == pytest.approx([0.95] * 12)
        assert torch.equal((population.weight_hh != 0).sum(2), torch.full((12, 50), 15))


@pytest.mark.parametrize("cell", CELLS)
def test_default_and_orthogonal_draws_of_every_cell(cell):
    shape = Shape(cell, 3, 16, 2)
    default, orthogonal = (draw_population(shape, start, range(40), seed=1) for start in ("default", "orthogonal"))
    assert float(default.weights.abs().max()) <= 0.25
    # A uniform's standard deviation is its bound / sqrt(3); tens of thousands of numbers.
    assert float(default.weights.std()) == pytest.approx(0.25 / 3**0.5, rel=0.02)
    blocks = orthogonal.weight_hh.unflatten(1, (-1, 16))
    identity = torch.eye(16, dtype=torch.float64)
    torch.testing.assert_close(blocks @ blocks.mT, identity.expand_as(blocks), rtol=0, atol=1e-12)


def test_biases_of_named_gates_are_1():
    lstm, _ = draw_population(Shape("lstm", 3, 5, 2), "forget-bias-1", [0], seed=1).modules(0)
    gru, _ = draw_population(Shape("gru", 3, 5, 2), "update-bias-1", [0], seed=1).modules(0)
    for module in (lstm, gru):  # torch's second block is the forget gate of an LSTM and the update gate of a GRU
        bias = module.bias_ih_l0.detach() + module.bias_hh_l0.detach()
        assert torch.equal(bias[5:10], torch.ones(5, dtype=torch.float64))
        assert (bias[:5].abs() < 5**-0.5).all()


@pytest.mark.parametrize("cell", CELLS)
def test_a_member_depends_on_seed_and_index_alone(cell):
    shape = Shape(cell, 3, 5, 2)
    together = draw_population(shape, "default", [4, 9, 4], seed=1)
    alone = draw_population(shape, "default", [9], seed=1)
    assert torch.equal(together.weights[1], alone.weights[0])
    assert torch.equal(together.weights[0], together.weights[2])
    assert not torch.equal(together.weights[0], together.weights[1])
    assert not torch.equal(alone.weights, draw_population(shape, "default", [9], seed=2).weights)


@pytest.mark.parametrize("cell", CELLS)
def test_starts_names_what_can_be_drawn(cell):
    for start in starts(cell):
        assert len(draw_population(Shape(cell, 3, 20, 2), start, range(2), seed=1)) == 2
    with pytest.raises(OptionError, match="start='glorot'"):
        draw_population(Shape(cell, 3, 20, 2), "glorot", [0], seed=1)


def test_the_papers_matrices_are_refused_for_gated_cells():
    with pytest.raises(OptionError, match="start='basic-tanh' of lstm networks"):
        draw_population(Shape("lstm", 3, 20, 2), "basic-tanh", [0], seed=1)


def test_an_unknown_cell_is_refused():
    with pytest.raises(OptionError, match="cell='elman'"):
        Shape("elman", 3, 20, 2)


def test_a_gru_has_three_quarters_of_an_lstms_numbers():
    """Without read-out: 3 against 4 blocks, each with one bias a unit."""
    lstm, gru = (Shape(cell, 6, 50, 4) for cell in ("lstm", "gru"))
    readout = 4 * 51
    assert (gru.parameters - readout) * 4 == (lstm.parameters - readout) * 3


def test_taking_members_copies():
    population = draw_population(Shape("gru", 3, 5, 2), "default", range(4), seed=1)
    for which in (torch.tensor([False, True, False, True]), [1, 3], torch.tensor([1, 3])):
        taken = population.take(which)
        assert torch.equal(taken.weights, population.weights[[1, 3]])
        taken.weights.zero_()
    assert population.weights[1].any()


def test_torch_has_no_sigmoid_module():
    population = draw_population(Shape("sigmoid", 3, 5, 2), "default", [0], seed=1)
    with pytest.raises(UnsupportedModuleError, match="sigmoid"):
        population.modules(0)

"""Omega and its immediate derivative in closed form.

Oracles: `gs.pascanu_omega` on torch's module; finite differences of W_hh with states and errors held, by a formula
written out here; for sigmoid networks the released code's formula, with autograd.
"""

from __future__ import annotations

import pytest
import torch

import gradstudy as gs
from gradstudy.errors import UnsupportedModuleError
from gradstudy.training.backpropagation import gradients, unroll
from gradstudy.training.population import Shape, draw_population
from gradstudy.training.regularizers import check_omega, column_norms, omega

FORMS = ["eq9", "eq10", "code"]
LENGTH, BATCH = 17, 5


def found_in(cell, scored=slice(-1, None), start="default", size=8, length=LENGTH):
    population = draw_population(Shape(cell, 2, size, 1), start, range(2), seed=5)
    stream = torch.Generator().manual_seed(1)
    inputs = torch.randn(2, length, BATCH, 2, generator=stream).double()
    targets = torch.randn(2, len(range(length)[scored]), BATCH, 1, generator=stream).double()
    found = gradients(population, unroll(population.shape, (2, length, BATCH)), (inputs, targets), scored, "gaussian")
    return population, found, inputs, targets


def written_out(cell, a, h, weight, form):
    """Omega from dL/dh_t and h_t, t = 1 .. T, `(T, batch, H)`."""
    slope = {"tanh": 1 - h**2, "relu": (h > 0).double(), "sigmoid": h * (1 - h)}[cell]
    x, y = ((a * slope) @ weight).square().sum(-1), a.square().sum(-1)
    if form == "eq9":
        return ((x.sqrt() / y.sqrt() - 1) ** 2).mean(1).sum()
    terms = (x / y - 1) ** 2
    if form == "eq10":
        return terms.mean(1).sum()
    counts = y >= 1e-20
    return torch.where(counts, terms, 0.0).mean(1).sum() / counts.double().mean(1).sum()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", ["tanh", "relu"])
@pytest.mark.parametrize("scored", [slice(-1, None), slice(0, None), slice(4, 15, 3)], ids=["last", "all", "some"])
def test_omega_is_that_of_the_measurement(form, cell, scored):
    population, found, inputs, targets = found_in(cell, scored)
    values, derivatives = omega(population, found, slice(None), form)
    for place in range(2):
        value, derivative = values[place], derivatives[place]
        picked = omega(population, found, torch.tensor([place]), form)
        assert torch.equal(picked[0][0], value)
        assert torch.equal(picked[1][0], derivative)
        module, head = population.modules(place)
        chain = gs.time_chain(module, inputs[place])
        expected = gs.pascanu_omega(
            chain, lambda out, p=place, h=head: (h(out[scored]) - targets[p]).square().sum(-1).mean(), form
        )
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=1e-11, atol=1e-13)
        torch.testing.assert_close(derivative, module.weight_hh_l0.grad, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", ["tanh", "relu", "sigmoid"])
def test_the_derivative_holds_states_and_errors(form, cell):
    population, found, _, _ = found_in(cell)
    a, h = found.unrolled.state_gradient[1:, 0].mT.clone(), found.unrolled.hidden[1:, 0].mT.clone()
    weight = population.weight_hh[0].clone()
    value, derivative = (of[0] for of in omega(population, found, slice(0, 1), form))
    torch.testing.assert_close(value, written_out(cell, a, h, weight, form), rtol=1e-11, atol=0)
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(2)).double()
    up, down = (written_out(cell, a, h, weight + s * direction, form) for s in (1e-6, -1e-6))
    # Central difference: step^2 (1e-12) and rounding over step, relative to Omega (1e-10).
    torch.testing.assert_close((derivative * direction).sum(), (up - down) / 2e-6, rtol=1e-7, atol=1e-8)


def test_the_codes_form_leaves_out_errors_below_its_bound():
    """Sigmoid networks of small weights: after some 7 links |dL/dh|^2 is below 1e-20."""
    population, found, _, _ = found_in("sigmoid", start="sigmoid")
    a, h = found.unrolled.state_gradient[1:, 0].mT.clone(), found.unrolled.hidden[1:, 0].mT.clone()
    assert 0 < int((a.square().sum(-1) >= 1e-20).all(1).sum()) < LENGTH
    weight = population.weight_hh[0].clone().requires_grad_()
    expected = written_out("sigmoid", a, h, weight, "code")
    expected.backward()
    value, derivative = (of[0] for of in omega(population, found, slice(0, 1), "code"))
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(derivative, weight.grad, rtol=1e-10, atol=1e-18)


@pytest.mark.parametrize("form", ["eq9", "eq10"])
def test_errors_whose_squares_underflow_still_count(form):
    """After 120 links of a sigmoid network dL/dh is 1e-200: its ratio of norms is a number like any other."""
    population, found, _, _ = found_in("sigmoid", start="sigmoid", length=120)
    a, h = found.unrolled.state_gradient[1:, 0].mT.clone(), found.unrolled.hidden[1:, 0].mT.clone()
    assert 0 < float(a[0].abs().max()) < 1e-180
    rescaled = a / a.abs().amax(-1, keepdim=True)  # Omega does not depend on the length of a row
    value = omega(population, found, slice(0, 1), form)[0][0]
    expected = written_out("sigmoid", rescaled, h, population.weight_hh[0], form)
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_where_no_error_arrives_omega_is_0(form):
    population, found, _, _ = found_in("tanh")
    found.unrolled.state_gradient.zero_()
    for direct in found.direct.values():
        direct.zero_()
    value, derivative = (of[0] for of in omega(population, found, slice(0, 1), form))
    assert float(value) == 0.0
    assert not derivative.any()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gated_cells_are_refused(cell):
    with pytest.raises(UnsupportedModuleError, match=f"alpha > 0 for {cell}"):
        check_omega(cell)


@pytest.mark.parametrize(
    ("row", "norm"),
    [
        ([3e-200, 4e-200], 5e-200),
        ([3e200, 4e200], 5e200),
        ([0.0, 0.0], 0.0),
        ([3.0, 4.0], 5.0),
        ([torch.inf, 1.0], torch.inf),
        ([torch.nan, 1.0], torch.nan),
    ],
)
def test_column_norms_at_the_edges_of_the_range(row, norm):
    found = column_norms(torch.tensor([[1.0, 0.0], row], dtype=torch.float64).mT)
    torch.testing.assert_close(found[1], torch.tensor(norm, dtype=torch.float64), rtol=1e-15, atol=0, equal_nan=True)
    assert float(found[0]) == 1.0

"""pascanu_omega.

Oracles: the paper's and the released code's formulas written out for a tanh RNN, differentiated by autograd with
everything but the explicit W held; finite differences in W with states and gradients held; closed forms.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy import errors
from gradstudy.chains.adjoint import adjoint

TIME, BATCH, INPUT, HIDDEN = 12, 3, 2, 5


def setting(kind="RNN", seed=0):
    torch.manual_seed(seed)
    module = getattr(nn, kind)(INPUT, HIDDEN).double()
    x = torch.randn(TIME, BATCH, INPUT, dtype=torch.float64)
    return module, x, lambda out: (out[-1] ** 2).sum() / BATCH


def written_out(module, x, loss, form, bound=1e-20):
    """The formulas for a tanh RNN: h by a loop, dC/dh by autograd, then Omega of W with both held."""
    w_ih, w_hh, b_ih, b_hh = module.parameters()
    h, states = torch.zeros(BATCH, HIDDEN, dtype=torch.float64, requires_grad=True), []
    for u in x:
        h = torch.tanh(u @ w_ih.T + b_ih + h @ w_hh.T + b_hh)
        states.append(h)
    d_ht = torch.stack(torch.autograd.grad(loss(torch.stack(states)), states)).detach()
    hidden = torch.stack(states).detach()
    weight = w_hh.detach().clone().requires_grad_()
    back = (d_ht * (1 - hidden**2)) @ weight
    if form == "eq9":
        terms = (back.norm(dim=2) / d_ht.norm(dim=2) - 1) ** 2
        omega = terms.mean(1).sum()
    else:
        squares, norms = (back**2).sum(2), (d_ht**2).sum(2)
        counts = norms >= bound if form == "code" else torch.ones_like(norms, dtype=torch.bool)
        terms = (torch.where(counts, squares / norms, torch.ones_like(norms)) - 1) ** 2
        omega = terms.mean(1).sum()
        omega = omega / counts.double().mean(1).sum() if form == "code" else omega
    return omega, torch.autograd.grad(omega, weight)[0]


@pytest.mark.parametrize("form", ["eq9", "eq10", "code"])
@pytest.mark.parametrize("bound", [1e-20, 1e-4])
def test_value_and_gradient_against_the_formulas_written_out(form, bound):
    module, x, loss = setting()
    chain = gs.time_chain(module, x)
    omega = gs.pascanu_omega(chain, loss, form, bound)
    want, gradient = written_out(module, x, loss, form, bound)
    torch.testing.assert_close(omega.detach(), want.detach(), rtol=1e-12, atol=0)
    omega.backward()
    torch.testing.assert_close(module.weight_hh_l0.grad, gradient, rtol=1e-10, atol=1e-12)
    assert all(p.grad is None for name, p in module.named_parameters() if name != "weight_hh_l0")


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_gradient_against_finite_differences_with_states_gates_and_errors_held(kind):
    module, x, loss = setting(kind)
    chain = gs.time_chain(module, x)
    gs.pascanu_omega(chain, loss, "eq10").backward()
    rows = adjoint(chain.links, chain.direct_partials(loss)).vectors[1:]

    def omega(weight):
        links = replace(chain.links, weight=weight)
        back = torch.stack([links.vjp(t, rows[t - 1]) for t in range(1, TIME + 1)])
        return (((back**2).sum(2) / (rows**2).sum(2) - 1) ** 2).mean(1).sum()

    weight, size = module.weight_hh_l0.detach(), 1e-6
    for i, j in ((0, 0), (3, 2), (len(weight) - 1, 4)):
        nudge = torch.zeros_like(weight)
        nudge[i, j] = size
        slope = (omega(weight + nudge) - omega(weight - nudge)) / (2 * size)
        torch.testing.assert_close(module.weight_hh_l0.grad[i, j], slope, rtol=1e-6, atol=1e-8)


def test_the_code_averages_where_the_paper_sums():
    module, x, loss = setting()
    chain = gs.time_chain(module, x)
    summed, averaged = gs.pascanu_omega(chain, loss, "eq10"), gs.pascanu_omega(chain, loss, "code", bound=1e-300)
    assert float(summed.detach() / averaged.detach()) == pytest.approx(TIME)


def test_an_orthogonal_linear_chain_has_none_and_a_scaled_one_the_closed_form():
    from gradstudy.models.pascanu import PascanuRNN

    net = PascanuRNN(1, 6, "linear", generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        nn.init.orthogonal_(net.weight_rec, generator=torch.Generator().manual_seed(0))
    x = torch.zeros(900, 1, 1, dtype=torch.float64)
    assert float(gs.pascanu_omega(gs.time_chain(net, x), lambda out: out[-1].sum()).detach()) < 1e-25
    with torch.no_grad():
        net.weight_rec.mul_(0.1)  # the gradient falls to 1e-900; its direction is kept
    omega = gs.pascanu_omega(gs.time_chain(net, x), lambda out: out[-1].sum())
    assert float(omega.detach()) == pytest.approx(900 * 0.9**2)


def test_a_gradient_that_is_zero_counts_zero():
    module, x, _ = setting()
    chain = gs.time_chain(module, x)
    early = gs.pascanu_omega(chain, lambda out: out[3].sum())
    short = gs.pascanu_omega(gs.time_chain(module, x[:4]), lambda out: out[3].sum())
    torch.testing.assert_close(early, short)


def test_errors_are_named():
    module, x, loss = setting()
    chain = gs.time_chain(module, x)
    with pytest.raises(errors.OptionError, match="eq11"):
        gs.pascanu_omega(chain, loss, "eq11")
    with torch.no_grad():
        module.weight_hh_l0 += 0.1
    with pytest.raises(errors.WeightsChangedError, match="trained since"):
        gs.pascanu_omega(chain, loss)
    for bound in (0.0, -1.0, math.nan):
        with pytest.raises(errors.OptionError, match="bound"):
            gs.pascanu_omega(gs.time_chain(module, x), loss, "code", bound)
    cell = gs.time_chain(lambda u, s: 0.5 * s, torch.zeros(3, 1, 1), torch.ones(1, 2))
    with pytest.raises(errors.UnsupportedModuleError, match="recurrent matrix"):
        gs.pascanu_omega(cell, lambda out: out.sum())


def test_what_lies_below_the_bound_does_not_count():
    module, x, loss = setting()
    chain = gs.time_chain(module, x)
    size = float(gs.gradient_norms(chain, loss).log_norm[1:].max())
    for shift, counted in ((-24, False), (60, True)):  # log 1e-20 / 2 is -23.03
        omega = gs.pascanu_omega(chain, lambda out, shift=shift: math.exp(shift - size) * loss(out), "code")
        assert (float(omega.detach()) > 0) is counted


@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
@pytest.mark.parametrize("form", ["eq9", "eq10"])
def test_parametrized_weights_get_the_gradient_and_their_training_is_seen(kind, form):
    torch.manual_seed(0)
    net = torch.nn.utils.parametrizations.weight_norm(kind(3, 4).double(), "weight_hh_l0")
    chain = gs.time_chain(net, torch.randn(6, 2, 3, dtype=torch.float64))
    first = [gs.pascanu_omega(chain, lambda out: out[-1].sum(), form) for _ in range(2)]
    for omega in first:  # each with a graph of its own
        omega.backward()
    touched = {name for name, weight in net.named_parameters() if weight.grad is not None}
    assert touched == {f"parametrizations.weight_hh_l0.original{i}" for i in (0, 1)}
    with torch.no_grad():
        net.parametrizations.weight_hh_l0.original0 *= 1.1
    with pytest.raises(errors.WeightsChangedError, match="trained since"):
        gs.pascanu_omega(chain, lambda out: out[-1].sum(), form)


@pytest.mark.parametrize("form", ["eq9", "eq10"])
def test_the_loss_s_scale_does_not_matter(form):
    module, x, loss = setting()
    chain = gs.time_chain(module, x)
    found = [gs.pascanu_omega(chain, lambda out, size=size: size * loss(out), form) for size in (1.0, 1e-250, 1e250)]
    for omega in found[1:]:
        torch.testing.assert_close(omega, found[0], rtol=1e-12, atol=0)

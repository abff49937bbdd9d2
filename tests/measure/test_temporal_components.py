"""temporal_components.

Oracles: autograd's dL/dW_hh for the sum over lags; dense products of Jacobians with the links' immediate derivatives
for each lag, and these by autograd of the module with the state before held; closed form for a linear scalar network.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import dense
from gradstudy.measure.temporal_components import recurrent_links
from gradstudy.models.pascanu import PascanuRNN
from gradstudy.models.textbook_gru import TextbookGRU

TIME, BATCH, INPUT, HIDDEN = 7, 2, 3, 4


def module_of(kind):
    torch.manual_seed(5)
    own = {"textbook": TextbookGRU, "pascanu": PascanuRNN}
    return (own[kind] if kind in own else getattr(nn, kind))(INPUT, HIDDEN).double()


def loss_of(out):
    return (out**2).sum() / 3 + out[-1].sum()


def recurrent_weight(module):
    return getattr(module, "weight_hh_l0", getattr(module, "weight_hh", getattr(module, "weight_rec", None)))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "textbook", "pascanu"])
def test_components_of_every_lag_against_dense_products_and_their_sum_against_autograd(kind):
    module = module_of(kind)
    x = torch.randn(TIME, BATCH, INPUT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    chain = gs.time_chain(module, x)
    found = gs.temporal_components(chain, loss_of)
    out = module(x)
    (whole,) = torch.autograd.grad(loss_of(out if torch.is_tensor(out) else out[0]), recurrent_weight(module))
    direct, links = chain.direct_partials(loss_of).vectors, recurrent_links(chain)
    by_lag = []
    for lag in range(TIME):
        gradient = torch.zeros_like(whole)
        for t in range(lag + 1, TIME + 1):
            product = dense.jacobian_product(chain, t - lag, t)
            row = torch.einsum("bji,bj->bi", product, direct[t])
            gradient += links.weight_gradient(t - lag, row)
        by_lag.append(gradient)
    torch.testing.assert_close(sum(by_lag), whole, rtol=0, atol=1e-12)
    norms = torch.stack([g.norm() for g in by_lag])
    torch.testing.assert_close(found.log_norm, norms.log(), rtol=0, atol=1e-11)
    share = torch.stack([(g * whole).sum() / whole.norm() ** 2 for g in by_lag])
    torch.testing.assert_close(found.share, share, rtol=0, atol=1e-11)
    torch.testing.assert_close(found.absolute_share, norms / norms.sum(), rtol=0, atol=1e-11)
    assert found.cancellation == pytest.approx(float(whole.norm() / norms.sum()), abs=1e-11)
    assert found.log_total == pytest.approx(float(whole.norm().log()), abs=1e-11)
    assert float(found.share.sum()) == pytest.approx(1, abs=1e-11)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "textbook", "pascanu"])
def test_the_immediate_derivative_of_a_link_is_autograds_with_the_state_before_it_held(kind):
    module = module_of(kind)
    x = torch.randn(TIME, BATCH, INPUT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    chain = gs.time_chain(module, x)
    row = torch.randn(chain.states[0].shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for t in (1, 4, TIME):
        held = chain.states[t - 1]
        if kind == "LSTM":
            _, final = module(x[t - 1 : t], tuple(part[None].contiguous() for part in held.chunk(2, -1)))
            after = torch.cat(final, -1)[0]
        elif kind in ("RNN", "GRU"):
            after = module(x[t - 1 : t], held[None])[0][0]
        else:
            after = module(x[t - 1 : t], held)[0]
        (want,) = torch.autograd.grad((after * row).sum(), recurrent_weight(module))
        torch.testing.assert_close(recurrent_links(chain).weight_gradient(t, row), want, rtol=0, atol=1e-13)


def linear_scalar(weight, drive, steps):
    net = PascanuRNN(1, 1, "linear").double()
    with torch.no_grad():
        net.weight_rec.fill_(weight)
        net.weight_in.fill_(drive)
        net.bias.zero_()
    return gs.time_chain(net, torch.zeros(steps, 1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))


@pytest.mark.parametrize("weight", [0.01, 0.5, 1.0, 3.0])
def test_a_linear_scalar_has_the_closed_form_far_outside_floating_point(weight):
    # x_T = w^T x_0: every lag contributes w^l x_{T-l-1} = w^(T-1), so all have the same share; 0.01^499 is 1e-998.
    steps = 500
    found = gs.temporal_components(
        linear_scalar(weight, 0.0, 140 if weight < 0.1 else steps), lambda out: out[-1].sum()
    )
    count = len(found.share)
    torch.testing.assert_close(found.share, torch.full((count,), 1 / count, dtype=torch.float64), rtol=1e-9, atol=0)
    want = (count - 1) * math.log(weight)
    torch.testing.assert_close(found.log_norm, torch.full((count,), want, dtype=torch.float64), rtol=0, atol=1e-9)
    assert found.cancellation == pytest.approx(1)


def test_float32_modules_and_lags_that_underflow_float32():
    torch.manual_seed(0)
    rnn, x = nn.RNN(3, 6), torch.randn(300, 2, 3)
    found = gs.temporal_components(gs.time_chain(rnn, x), lambda out: out[-1].sum())
    wide = gs.temporal_components(gs.time_chain(rnn.double(), x.double()), lambda out: out[-1].sum())
    assert float(found.log_norm[-1]) < -100
    torch.testing.assert_close(found.log_norm, wide.log_norm, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e3])
def test_a_loss_at_every_step_of_a_chain_that_the_adjoint_has_to_rescale(weight):
    module = PascanuRNN(INPUT, HIDDEN, "linear", generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        module.weight_rec.mul_(weight)
    x = torch.randn(60, BATCH, INPUT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scale = torch.logspace(0, -60, 60, dtype=torch.float64)[:, None, None] if weight > 1 else 1.0
    parts = gs.temporal_components(gs.time_chain(module, x), lambda out: (out * scale).sum())
    (whole,) = torch.autograd.grad((module(x) * scale).sum(), module.weight_rec)
    assert parts.log_total == pytest.approx(whole.norm().log().item(), abs=1e-10)
    assert parts.share.sum().item() == pytest.approx(1, abs=1e-10)
    assert 0 < parts.cancellation <= 1 + 1e-12


def driven_scalar(steps, drive):
    """h_t = h_{t-1} / 2 + drive, from h_0 = 0: h_t = drive (2 - 2^(1 - t))."""
    net = nn.RNN(1, 1, nonlinearity="relu", bias=False).double()
    with torch.no_grad():
        net.weight_hh_l0.fill_(0.5)
        net.weight_ih_l0.fill_(drive)
    return gs.time_chain(net, torch.ones(steps, 1, 1, dtype=torch.float64))


def test_lags_beyond_the_range_of_float64_are_numbers():
    # A loss on the last step alone: all other steps' sources are exact zeros beside what has decayed to e^-1386.
    parts = gs.temporal_components(driven_scalar(2000, 1.0), lambda out: out[-1].sum())
    lag = torch.arange(2000).double()
    closed = lag * math.log(0.5) + torch.log(2 - 2 * 0.5 ** (1999 - lag))
    torch.testing.assert_close(parts.log_norm, closed, rtol=1e-12, atol=1e-12)
    assert float(parts.share.sum()) == pytest.approx(1, abs=1e-12)
    assert float(parts.absolute_share.sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_a_loss_s_size_moves_only_the_norms(kind, size):
    chain = gs.time_chain(module_of(kind), torch.randn(40, 2, 3, dtype=torch.float64))
    one = gs.temporal_components(chain, lambda out: out[-1].sum() + out[12].sum())
    other = gs.temporal_components(chain, lambda out: size * (out[-1].sum() + out[12].sum()))
    torch.testing.assert_close(other.log_norm, one.log_norm + math.log(size), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(other.share, one.share, rtol=1e-9, atol=1e-14)
    assert other.cancellation == pytest.approx(one.cancellation, rel=1e-12)


def test_states_whose_squares_underflow_still_count():
    parts = gs.temporal_components(driven_scalar(6, 1e-200), lambda out: out[-1].sum())
    lag = torch.arange(6).double()
    closed = lag * math.log(0.5) + torch.log(2 - 2 * 0.5 ** (5 - lag)) + math.log(1e-200)
    torch.testing.assert_close(parts.log_norm, closed, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_their_sum_in_every_layer_and_direction_is_autograd_s_gradient(kind, layer, direction):
    torch.manual_seed(3)
    net = kind(3, 4, num_layers=2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(9, 2, 3, dtype=torch.float64)
    chain = gs.time_chain(net, x, layer=layer, direction=direction)
    parts = gs.temporal_components(chain, loss_of)
    loss_of(net(x)[0]).backward()
    gradient = getattr(net, f"weight_hh_l{layer}" + ("_reverse" if direction == "reverse" else "")).grad
    assert parts.log_total == pytest.approx(float(gradient.norm().log()), abs=1e-10)
    assert float(parts.share.sum()) == pytest.approx(1, abs=1e-10)


def test_opposite_losses_cancel():
    torch.manual_seed(0)
    rnn, x = nn.RNN(3, 6).double(), torch.randn(6, 1, 3).double()
    chain = gs.time_chain(rnn, torch.cat([x, x], 1))
    found = gs.temporal_components(chain, lambda out: out[-1, 0].sum() - (1 + 1e-6) * out[-1, 1].sum())
    single = gs.temporal_components(gs.time_chain(rnn, x), lambda out: 1e-6 * out[-1].sum())
    assert found.log_total == pytest.approx(single.log_total, abs=1e-8)


def test_what_has_no_recurrent_matrix_is_refused():
    chain = gs.time_chain(lambda u, s: 0.5 * s, torch.zeros(3, 1, 1), torch.ones(1, 2))
    with pytest.raises(errors.UnsupportedModuleError, match="callable cell"):
        gs.temporal_components(chain, lambda out: out.sum())
    chain = gs.time_chain(nn.RNN(1, 2), torch.zeros(3, 1, 1))
    with pytest.raises(errors.LossError, match="does not depend"):
        gs.temporal_components(chain, torch.ones((), requires_grad=True))
    with pytest.raises(errors.NonFiniteError, match="t=1 is not finite"):
        gs.temporal_components(chain, lambda out: (out - out.detach()).norm(dim=-1).sum() + (0 * out).sqrt().sum())


def test_frame_and_plot():
    chain = gs.time_chain(nn.LSTM(1, 2), torch.randn(5, 1, 1))
    found = gs.temporal_components(chain, lambda out: out.sum())
    assert list(found.to_frame(log10=True).columns) == ["lag", "log10_norm", "share", "absolute_share"]
    assert found.plot().get_xlabel().startswith("lag")
    assert "cancellation" in repr(found)

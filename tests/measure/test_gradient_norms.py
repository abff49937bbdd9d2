"""gradient_norms.

Oracles: autograd through stepped cells; dense products of Jacobians (`measure.dense`); closed form for an orthogonal
network and for a gate all but shut; mpmath; float64 for float32.
"""

from __future__ import annotations

import copy
import math

import mpmath
import pytest
import torch

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import dense
from gradstudy.models.pascanu import PascanuRNN

LOSSES = {
    "last step": lambda out: out[-1].pow(2).sum(),
    "every step, averaged": lambda out: out.pow(2).mean(),
    "one step in the middle": lambda out: out[11].sum(),
    "first step": lambda out: out[0].sum(),
}


def stepped_log_norms(net, x, loss):
    """log |dL/dh_t| from a graph in which every h_t is a tensor of its own."""
    phi = torch.tanh if net.nonlinearity == "tanh" else torch.relu
    h = torch.zeros(x.shape[1], net.hidden_size, dtype=x.dtype).requires_grad_()
    states = [h]
    for u in x:
        h = phi(u @ net.weight_ih_l0.T + net.bias_ih_l0 + h @ net.weight_hh_l0.T + net.bias_hh_l0)
        states.append(h)
    grads = torch.autograd.grad(loss(torch.stack(states[1:])), states, allow_unused=True)
    return torch.stack([(torch.zeros_like(h) if g is None else g).norm(dim=-1).log() for g in grads])


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("name", LOSSES)
def test_against_autograd_and_against_dense_products(nonlinearity, name):
    torch.manual_seed(3)
    net, x = torch.nn.RNN(3, 6, nonlinearity=nonlinearity).double(), torch.randn(25, 4, 3).double()
    chain = gs.time_chain(net, x)
    norms = gs.gradient_norms(chain, LOSSES[name])
    torch.testing.assert_close(norms.log_norm, stepped_log_norms(net, x, LOSSES[name]), rtol=0, atol=1e-11)
    slow = dense.total_gradients(chain, chain.direct_partials(LOSSES[name]).vectors).norm(dim=-1).log()
    torch.testing.assert_close(norms.log_norm, slow, rtol=0, atol=1e-11)
    total = torch.logsumexp(2 * slow, 1) / 2
    torch.testing.assert_close(norms.log_norm_total, total, rtol=0, atol=1e-11)


def test_scalar_and_callable_agree_and_the_scalar_graph_survives():
    net, x = torch.nn.RNN(3, 4), torch.randn(10, 2, 3)
    chain = gs.time_chain(net, x)
    loss = chain.output.pow(2).sum()
    by_scalar = gs.gradient_norms(chain, loss)
    by_callable = gs.gradient_norms(chain, lambda out: out.pow(2).sum())
    assert torch.equal(by_scalar.log_norm, by_callable.log_norm)
    loss.backward()  # would raise had the graph been freed
    assert chain.output.grad is not None


def orthogonal_linear(gain, size=16, dtype=torch.float32):
    net = PascanuRNN(1, size, "linear").to(dtype)
    with torch.no_grad():
        torch.nn.init.orthogonal_(net.weight_rec, generator=torch.Generator().manual_seed(0))
        net.weight_rec.mul_(gain)
        net.weight_in.zero_()
        net.bias.zero_()
    return net


@pytest.mark.parametrize("gain", [0.01, 0.5, 1.0, 1.9, 100.0])
def test_orthogonal_linear_network_has_the_closed_form_far_outside_float32(gain):
    # |dL/dx_t| = gain^(T-t) |g| exactly; at gain 0.01 and T=400 that is 1e-800, and 1e+800 at 100.
    steps = 400
    chain = gs.time_chain(orthogonal_linear(gain), torch.zeros(steps, 2, 1))
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum())
    lag = steps - torch.arange(steps + 1).double()
    want = lag * math.log(gain) + 0.5 * math.log(16)
    # Float32 rounds the orthogonal matrix and each product: 6e-8 sqrt(16) a link at most.
    torch.testing.assert_close(norms.log_norm, want[:, None].expand(-1, 2), rtol=0, atol=2e-4)


def test_a_loss_early_in_time_after_a_long_decay_is_not_lost():
    # The last step's gradient has decayed by e^-690 when the loss's early term adds to it.
    chain = gs.time_chain(orthogonal_linear(0.1), torch.zeros(400, 1, 1))
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum() + 1e-20 * out[99].sum())
    lag = torch.arange(401).double()
    last = (400 - lag) * math.log(0.1) + math.log(4)
    early = torch.where(lag <= 100, (100 - lag) * math.log(0.1) + math.log(4) + math.log(1e-20), -torch.inf)
    torch.testing.assert_close(norms.log_norm[:, 0], torch.maximum(last, early), rtol=0, atol=2e-4)


def test_float32_keeps_seven_digits_where_autograd_underflows():
    torch.manual_seed(0)
    net = torch.nn.RNN(2, 12)
    with torch.no_grad():
        torch.nn.init.orthogonal_(net.weight_hh_l0).mul_(0.5)
    x = torch.randn(400, 3, 2)
    single = gs.gradient_norms(gs.time_chain(net, x), lambda out: out[-1].sum())
    double = gs.gradient_norms(gs.time_chain(net.double(), x.double()), lambda out: out[-1].sum())
    autograd = stepped_log_norms(net.float(), x, lambda out: out[-1].sum())
    assert torch.isneginf(autograd[:200]).all()
    assert torch.isfinite(single.log_norm).all()
    assert single.log_norm[0].max() < -250
    torch.testing.assert_close(single.log_norm, double.log_norm, rtol=0, atol=1e-3)


def test_rows_with_very_different_scales_in_one_batch():
    torch.manual_seed(1)
    net = torch.nn.RNN(2, 8)
    x = torch.randn(300, 3, 2) * torch.tensor([0.0, 1.0, 30.0])[:, None]  # the last row saturates
    norms = gs.gradient_norms(gs.time_chain(net, x), lambda out: out[-1].sum())
    alone = [gs.gradient_norms(gs.time_chain(net, x[:, [b]]), lambda out: out[-1].sum()).log_norm for b in range(3)]
    torch.testing.assert_close(norms.log_norm, torch.cat(alone, 1), rtol=1e-5, atol=1e-3)


def test_exact_zeros_are_minus_infinity_and_nothing_is_nan():
    net = torch.nn.RNN(2, 4, nonlinearity="relu")
    with torch.no_grad():
        net.bias_hh_l0.fill_(-100.0)  # every unit dead: all links are exactly zero
    norms = gs.gradient_norms(gs.time_chain(net, torch.randn(20, 2, 2)), lambda out: out[-1].sum())
    assert torch.isneginf(norms.log_norm[:-1]).all()
    torch.testing.assert_close(norms.log_norm[-1], torch.full((2,), math.log(2.0)).double())
    after = gs.gradient_norms(gs.time_chain(torch.nn.RNN(2, 4), torch.randn(20, 2, 2)), lambda out: out[4].sum())
    assert torch.isneginf(after.log_norm[6:]).all()


@pytest.mark.parametrize(
    ("loss", "word"),
    [
        (lambda chain: chain.output, "shape"),
        (lambda chain: torch.zeros(()), "does not depend"),
        (lambda chain: torch.nn.Linear(2, 1)(torch.ones(2)).sum(), "does not depend"),
        (lambda chain: chain.output.detach().sum(), "does not depend"),
        (lambda chain: lambda out: out * 1.0, "shape"),
    ],
)
def test_losses_that_cannot_be_measured_are_named(loss, word):
    chain = gs.time_chain(torch.nn.RNN(2, 4), torch.randn(5, 2, 2))
    with pytest.raises(errors.LossError, match=word):
        gs.gradient_norms(chain, loss(chain))


def test_the_result_is_a_table_a_plot_and_a_line():
    chain = gs.time_chain(torch.nn.RNN(2, 4), torch.randn(5, 2, 2))
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum())
    frame = norms.to_frame()
    assert list(frame.columns) == ["t", "row", "log_norm"]
    assert len(frame) == 12
    scaled = norms.to_frame(log10=True)["log10_norm"]
    torch.testing.assert_close(
        torch.tensor(scaled.to_numpy()) * math.log(10), torch.tensor(frame["log_norm"].to_numpy())
    )
    assert norms.plot().get_ylabel()
    assert "log10|dL/ds_0|" in repr(norms)
    assert norms.method
    assert norms.dtype is torch.float32
    with pytest.raises(AttributeError):
        norms.log_norm = None


def test_lower_layers_do_not_underflow_either():
    # Layer 0 feeds layer 1, whose gradient decays to 1e-400 in float32: the paths through it must not be lost.
    torch.manual_seed(0)
    net = torch.nn.RNN(2, 8, num_layers=2)
    with torch.no_grad():
        for name, gain in (("weight_hh_l0", 0.1), ("weight_hh_l1", 0.6)):
            torch.nn.init.orthogonal_(getattr(net, name)).mul_(gain)
    x = torch.randn(400, 2, 2)
    single = gs.gradient_norms(gs.time_chain(net, x, layer=0), lambda out: out[-1].sum()).log_norm
    double = gs.gradient_norms(gs.time_chain(net.double(), x.double(), layer=0), lambda out: out[-1].sum()).log_norm
    assert double[0].max() < -150
    torch.testing.assert_close(single, double, rtol=0, atol=1e-2)


@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
def test_below_a_bidirectional_layer_one_direction_s_zeros_do_not_hide_the_other(kind):
    # For a loss on the last step the upper layer's reverse direction gives exact zeros at all earlier steps.
    torch.manual_seed(1)
    net = kind(2, 4, num_layers=2, bidirectional=True)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            weight.mul_(0.3 if "hh" in name else 1.0)
    x = torch.randn(300, 1, 2)
    single = gs.gradient_norms(gs.time_chain(net, x, layer=0), lambda out: out[-1].sum()).log_norm
    double = gs.gradient_norms(gs.time_chain(net.double(), x.double(), layer=0), lambda out: out[-1].sum()).log_norm
    assert double[0].max() < -120
    torch.testing.assert_close(single, double, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("dtype", "bias"), [(torch.float32, -80.0), (torch.float64, -700.0)])
@pytest.mark.parametrize("size", [1e-7, 1.0, 1e7])
def test_a_gate_that_is_all_but_shut_does_not_make_the_gradient_zero(dtype, bias, size):
    # dL/dc_t = sigma(b) dL/dc_{t+1}: one link takes 80 nats (700), near the end of what the dtype holds.
    lstm = torch.nn.LSTM(1, 2, dtype=dtype)
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.zero_()
        lstm.bias_ih_l0[2:4] = bias
        lstm.bias_ih_l0[[0, 1, 4, 5]] = 1.0
    chain = gs.time_chain(lstm, torch.zeros(40, 1, 1, dtype=dtype))
    log_norm = gs.gradient_norms(chain, lambda out: size * out[-1].sum()).log_norm[:-1, 0]
    lag = torch.arange(39, -1, -1).double()
    reach = 0.5 * (1 - chain.states[-1, 0, 2].double().tanh() ** 2)
    closed = math.log(size * math.sqrt(2)) + torch.log(reach) + (lag + 1) * bias
    torch.testing.assert_close(log_norm, closed, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_terms_at_scattered_steps_of_wildly_different_sizes(dtype):
    sizes = {35: 1e-37, 30: 1e-30, 20: 1e30, 19: 1.0, 3: 1e37}
    if dtype == torch.float64:
        sizes = {35: 1e-300, 30: 1e-200, 20: 1e200, 19: 1.0, 3: 1e300}
    net = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=dtype)
    with torch.no_grad():
        net.weight_hh_l0.fill_(0.5), net.weight_ih_l0.fill_(1.0)
    chain = gs.time_chain(net, torch.ones(40, 1, 1, dtype=dtype))
    log_norm = gs.gradient_norms(chain, lambda out: sum(size * out[t - 1, 0, 0] for t, size in sizes.items())).log_norm
    for t in range(41):
        terms = [mpmath.mpf(size) * mpmath.mpf(0.5) ** (s - t) for s, size in sizes.items() if s >= t]
        assert log_norm[t, 0].item() == pytest.approx(float(mpmath.log(sum(terms))) if terms else -math.inf, rel=1e-7)


@pytest.mark.parametrize("part", [0, 1])
def test_a_loss_on_the_final_state_of_the_last_layer_reaches_the_lower_ones(part):
    # The lower layers' own final states have a gradient of exactly 0, which must not set the scale.
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(2, 3, num_layers=3)
    with torch.no_grad():
        lstm.weight_ih_l1.mul_(1e-25), lstm.weight_ih_l2.mul_(1e-25)
    x = torch.randn(20, 2, 2)
    found = [gs.chains(net, u) for net, u in ((lstm, x), (copy.deepcopy(lstm).double(), x.double()))]
    for name in ("[0]", "[1]", ""):
        single, double = (gs.gradient_norms(one[name], one.result[1][part][-1].sum()).log_norm for one in found)
        torch.testing.assert_close(single, double, rtol=0, atol=1e-4)


def test_a_loss_that_is_not_a_number_is_named():
    chain = gs.time_chain(torch.nn.RNN(2, 4), torch.randn(5, 2, 2))
    with pytest.raises(errors.NonFiniteError, match="loss of nan"):
        gs.gradient_norms(chain, lambda out: out.sum() * float("nan"))

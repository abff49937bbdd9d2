"""time_chain.

Oracles: torch's own module for outputs; `jacrev` of the cell for links; finite differences for links.
"""

from __future__ import annotations

import copy

import pytest
import torch

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import dense
from gradstudy.models.pascanu import PascanuRNN

TIME, BATCH, INPUT, HIDDEN = 9, 3, 4, 5


def rnn(**options):
    torch.manual_seed(7)
    return torch.nn.RNN(INPUT, HIDDEN, **options).double()


def inputs(*shape):
    torch.manual_seed(8)
    return torch.randn(*shape).double()


def stepped_jacobians(net, layer, x, h0=None):
    """jacrev of the one-step map written out with the layer's weights, state by state."""
    names = [f"{kind}_l{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    w_ih, w_hh, b_ih, b_hh = (getattr(net, name, torch.zeros(HIDDEN).double()) for name in names)
    phi = torch.tanh if net.nonlinearity == "tanh" else torch.relu

    def step(h, u):
        return phi(w_ih @ u + b_ih + w_hh @ h + b_hh)

    h = torch.zeros(x.shape[1], HIDDEN).double() if h0 is None else h0
    found = []
    for u in x:
        found.append(torch.stack([torch.func.jacrev(step)(h[b], u[b]) for b in range(len(h))]).detach())
        h = torch.stack([step(h[b], u[b]) for b in range(len(h))]).detach()
    return torch.stack(found), h


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_links_of_a_single_layer_against_jacrev(nonlinearity, bias, batch_first):
    net = rnn(nonlinearity=nonlinearity, bias=bias, batch_first=batch_first)
    x = inputs(TIME, BATCH, INPUT)
    chain = gs.time_chain(net, x.transpose(0, 1) if batch_first else x)
    want, last = stepped_jacobians(net, 0, x)
    got = torch.stack([chain.jacobian(t) for t in range(1, TIME + 1)])
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)
    torch.testing.assert_close(chain.states[-1], last, rtol=0, atol=1e-14)
    torch.testing.assert_close(chain.output, net(x.transpose(0, 1) if batch_first else x)[0], rtol=0, atol=0)


@pytest.mark.parametrize("layer", [0, 1, 2, -1])
@pytest.mark.parametrize("batch_first", [True, False])
def test_links_of_each_layer_with_given_state(layer, batch_first):
    net = rnn(num_layers=3, batch_first=batch_first)
    x, h0 = inputs(TIME, BATCH, INPUT), inputs(3, BATCH, HIDDEN)
    chain = gs.time_chain(net, x.transpose(0, 1) if batch_first else x, h0, layer=layer)
    index = layer % 3
    below = x
    for lower in range(index):  # torch's own one-layer module, with the layer's weights copied
        single = torch.nn.RNN(below.shape[-1], HIDDEN).double()
        single.load_state_dict(
            {k.replace(f"_l{lower}", "_l0"): v for k, v in net.state_dict().items() if f"_l{lower}" in k}
        )
        below = single(below, h0[lower : lower + 1])[0].detach()
    want, last = stepped_jacobians(net, index, below, h0[index])
    got = torch.stack([chain.jacobian(t) for t in range(1, TIME + 1)])
    torch.testing.assert_close(got, want, rtol=0, atol=1e-14)
    torch.testing.assert_close(chain.states[0], h0[index])
    torch.testing.assert_close(chain.states[-1], last, rtol=0, atol=1e-14)


def test_links_against_finite_differences():
    net, x = rnn(), inputs(TIME, BATCH, INPUT)
    chain = gs.time_chain(net, x)
    step, t = 1e-6, 4
    for i in range(HIDDEN):
        nudge = torch.zeros(HIDDEN).double()
        nudge[i] = step
        ahead = net(x[t - 1 : t], (chain.states[t - 1] + nudge)[None])[0][0]
        behind = net(x[t - 1 : t], (chain.states[t - 1] - nudge)[None])[0][0]
        # Central differences: truncation step^2, cancellation 1e-16 / step, so about 1e-10.
        torch.testing.assert_close((ahead - behind) / (2 * step), chain.jacobian(t)[:, :, i], rtol=0, atol=1e-8)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
def test_pascanu_links_against_jacrev_and_generic_cell(activation):
    net = PascanuRNN(INPUT, HIDDEN, activation, gain=1.3, generator=torch.Generator().manual_seed(0)).double()
    x, x0 = inputs(TIME, BATCH, INPUT), inputs(BATCH, HIDDEN)
    chain = gs.time_chain(net, x, x0)
    phi = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "linear": lambda v: v}[activation]

    def cell(u, state):
        return 1.3 * phi(state) @ net.weight_rec.T + u @ net.weight_in.T + net.bias

    generic = gs.time_chain(cell, x, x0)
    torch.testing.assert_close(generic.states, chain.states, rtol=0, atol=1e-13)
    for t in range(1, TIME + 1):
        torch.testing.assert_close(generic.jacobian(t), chain.jacobian(t), rtol=0, atol=1e-13)
        rows = [
            torch.func.jacrev(lambda s, b=b, t=t: cell(x[t - 1, b], s))(chain.states[t - 1, b]) for b in range(BATCH)
        ]
        torch.testing.assert_close(torch.stack(rows).detach(), chain.jacobian(t), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["rnn", "pascanu", "cell"])
def test_jvp_and_vjp_of_vectors_and_blocks_are_the_dense_products(kind):
    x = inputs(TIME, BATCH, INPUT)
    if kind == "rnn":
        chain = gs.time_chain(rnn(), x)
    elif kind == "pascanu":
        chain = gs.time_chain(PascanuRNN(INPUT, HIDDEN).double(), x)
    else:
        cell = torch.nn.RNNCell(INPUT, HIDDEN).double()
        chain = gs.time_chain(cell, x, torch.zeros(BATCH, HIDDEN).double())
    vector, block = inputs(BATCH, HIDDEN), inputs(BATCH, HIDDEN, 2)
    matrix = chain.jacobian(3)
    torch.testing.assert_close(chain.jvp(3, vector), (matrix @ vector[..., None])[..., 0])
    torch.testing.assert_close(chain.vjp(3, vector), (matrix.mT @ vector[..., None])[..., 0])
    torch.testing.assert_close(chain.jvp(3, block), matrix @ block)
    torch.testing.assert_close(chain.vjp(3, block), matrix.mT @ block)
    torch.testing.assert_close(dense.jacobians(chain)[2], matrix)


def test_unbatched_input():
    net, x = rnn(), inputs(TIME, INPUT)
    chain = gs.time_chain(net, x)
    torch.testing.assert_close(chain.output, net(x)[0], rtol=0, atol=0)
    assert chain.states.shape == (TIME + 1, 1, HIDDEN)
    norms = gs.gradient_norms(chain, chain.output[-1].sum())
    batched = gs.time_chain(net, x[:, None])
    torch.testing.assert_close(norms.log_norm, gs.gradient_norms(batched, batched.output[-1].sum()).log_norm)


def test_the_module_is_left_as_it_was():
    net = torch.nn.RNN(INPUT, HIDDEN, num_layers=2)
    net.train()
    x = torch.randn(TIME, BATCH, INPUT)
    net(x)[0].sum().backward()
    before = {name: (p.detach().clone(), p.grad.clone()) for name, p in net.named_parameters()}
    random = torch.get_rng_state()
    for layer in (0, 1):
        chain = gs.time_chain(net, x, layer=layer)
        gs.gradient_norms(chain, lambda out: out[-1].pow(2).sum())
        gs.product_spectrum(chain)
        gs.jacobian_spectra(chain)
    assert torch.equal(torch.get_rng_state(), random)
    assert net.training
    for name, p in net.named_parameters():
        assert torch.equal(p, before[name][0])
        assert torch.equal(p.grad, before[name][1])
        assert p.requires_grad


BAD_CALLS = {
    "wrong input size": (lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, 3)), errors.InputShapeError, "input_size"),
    "no steps": (lambda: gs.time_chain(rnn(), inputs(0, BATCH, INPUT)), errors.InputShapeError, "0 time steps"),
    "wrong state": (
        lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT), inputs(1, 2, HIDDEN)),
        errors.InputShapeError,
        "state",
    ),
    "integers": (lambda: gs.time_chain(rnn(), torch.ones(TIME, BATCH, INPUT).long()), errors.DTypeError, "int64"),
    "complex": (
        lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT).to(torch.complex128)),
        errors.DTypeError,
        "complex",
    ),
    "other float": (lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT).float()), errors.DTypeError, "float64"),
    "NaN input": (
        lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT) * float("nan")),
        errors.NonFiniteError,
        "inputs has",
    ),
    "layer": (lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT), layer=1), errors.LinkRangeError, "layer=1"),
    "projected LSTM": (
        lambda: gs.time_chain(torch.nn.LSTM(INPUT, HIDDEN, proj_size=2).double(), inputs(TIME, BATCH, INPUT)),
        errors.UnsupportedModuleError,
        "proj_size=2",
    ),
    "LSTM with h_0 alone": (
        lambda: gs.time_chain(torch.nn.LSTM(INPUT, HIDDEN).double(), inputs(TIME, BATCH, INPUT), inputs(1, 3, HIDDEN)),
        errors.UnsupportedModuleError,
        "pair",
    ),
    "reverse of one direction": (
        lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT), direction="reverse"),
        errors.UnsupportedModuleError,
        "one-directional",
    ),
    "reverse of a cell": (
        lambda: gs.time_chain(lambda u, s: s, inputs(3, 1, 1), inputs(1, 2), direction="reverse"),
        errors.UnsupportedModuleError,
        "direction='reverse'",
    ),
    "dropout": (
        lambda: gs.time_chain(rnn(num_layers=2, dropout=0.5), inputs(TIME, BATCH, INPUT)),
        errors.DropoutError,
        "eval",
    ),
    "packed": (
        lambda: gs.time_chain(rnn(), torch.nn.utils.rnn.pack_sequence([inputs(3, INPUT), inputs(2, INPUT)])),
        errors.PackedInputError,
        "pad_packed_sequence",
    ),
    "cell without state": (
        lambda: gs.time_chain(lambda u, s: s, inputs(3, 1, 1)),
        errors.UnsupportedModuleError,
        "state",
    ),
    "cell that changes shape": (
        lambda: gs.time_chain(lambda u, s: s[:, :1], inputs(3, 1, 1), inputs(1, 2)),
        errors.InputShapeError,
        "new state",
    ),
    "cell that mixes rows": (
        lambda: gs.time_chain(lambda u, s: s - s.mean(0), inputs(3, 2, 1), inputs(2, 2)),
        errors.UnsupportedModuleError,
        "mixes the rows",
    ),
    "not callable": (lambda: gs.time_chain(3, inputs(3, 2, 1)), errors.UnsupportedModuleError, "int"),
}


BAD_CALLS |= {
    "empty batch": (lambda: gs.time_chain(rnn(), inputs(TIME, 0, INPUT)), errors.InputShapeError, "batch of 0 rows"),
    "state that is a tuple": (
        lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT), (1, 2)),
        errors.UnsupportedModuleError,
        "state of type tuple",
    ),
    "layer that is text": (
        lambda: gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT), layer="a"),
        errors.LinkRangeError,
        "layer='a'",
    ),
    "inputs that are a list": (
        lambda: gs.time_chain(PascanuRNN(INPUT, HIDDEN), [1.0]),
        errors.UnsupportedModuleError,
        "inputs of type list",
    ),
    "cell inputs that are a list": (
        lambda: gs.time_chain(lambda u, s: s, [1.0], inputs(1, 2)),
        errors.UnsupportedModuleError,
        "inputs of type list",
    ),
    "cell that returns a tuple": (
        lambda: gs.time_chain(lambda u, s: (s, s), inputs(3, 1, 1), inputs(1, 2)),
        errors.UnsupportedModuleError,
        "new state of type tuple",
    ),
    "LSTMCell": (
        lambda: gs.time_chain(torch.nn.LSTMCell(INPUT, HIDDEN), inputs(3, 1, INPUT).float(), torch.zeros(1, HIDDEN)),
        errors.UnsupportedModuleError,
        "LSTMCell",
    ),
    "integer state": (
        lambda: gs.time_chain(lambda u, s: s, inputs(3, 1, 1), torch.ones(1, 2).long()),
        errors.UnsupportedModuleError,
        "int64",
    ),
    "dropout in a cell": (
        lambda: gs.time_chain(lambda u, s: torch.dropout(s, 0.5, True), inputs(3, 1, 1), torch.ones(1, 50)),
        errors.UnsupportedModuleError,
        "draws at random",
    ),
    "rows mixed by differences": (
        lambda: gs.time_chain(lambda u, s: s - s.roll(1, 0), inputs(3, 3, 1), inputs(3, 2)),
        errors.UnsupportedModuleError,
        "mixes the rows",
    ),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_input_is_named(case):
    call, kind, word = BAD_CALLS[case]
    with pytest.raises(kind, match=word) as caught:
        call()
    assert caught.value.remedy


def test_nan_weights_and_complex_weights_are_named():
    net = rnn()
    with torch.no_grad():
        net.weight_hh_l0[0, 0] = float("inf")
    with pytest.raises(errors.NonFiniteError, match="weight_hh_l0"):
        gs.time_chain(net, inputs(TIME, BATCH, INPUT))
    cell = torch.nn.Linear(2, 2).to(torch.complex64)
    with pytest.raises(errors.DTypeError, match="complex"):
        gs.time_chain(cell, inputs(3, 1, 1), inputs(1, 2))


def test_a_state_that_overflows_is_reported_with_its_first_timestep():
    net = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        net.weight_hh_l0.fill_(1e10)
        net.weight_ih_l0.fill_(1.0)
    # h_t = 1e10^(t-1): float32 ends at 3.4e38, so t = 5 (1e40) is the first infinite state.
    with pytest.raises(errors.NonFiniteError, match="timestep t=5"):
        gs.time_chain(net, torch.ones(8, 1, 1))


def test_links_outside_the_chain_are_named():
    chain = gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT))
    for t in (0, TIME + 1):
        with pytest.raises(errors.LinkRangeError, match=f"t={t}"):
            chain.jacobian(t)


def test_dropout_in_eval_mode_is_measured():
    net = rnn(num_layers=2, dropout=0.5).eval()
    assert gs.time_chain(net, inputs(TIME, BATCH, INPUT)).length == TIME


def test_a_cell_with_batch_statistics_is_refused_and_its_buffers_stay():
    class Cell(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(2)

        def forward(self, u, state):
            return self.norm(state)

    cell = Cell()
    before = {name: value.clone() for name, value in cell.named_buffers()}
    with pytest.raises(errors.UnsupportedModuleError, match="changes its buffers"):
        gs.time_chain(cell, torch.zeros(3, 4, 1), torch.randn(4, 2))
    assert all(torch.equal(value, before[name]) for name, value in cell.named_buffers())


def test_a_subclass_with_its_own_forward_is_refused():
    class Halved(torch.nn.RNN):
        def forward(self, x, hx=None):
            out, final = super().forward(x, hx)
            return 0.5 * out, final

    with pytest.raises(errors.UnsupportedModuleError, match="Halved"):
        gs.time_chain(Halved(INPUT, HIDDEN), torch.randn(3, 1, INPUT))


def test_training_after_the_chain_was_made_does_not_move_it():
    net, x, h0 = rnn(num_layers=2), inputs(TIME, BATCH, INPUT), inputs(2, BATCH, HIDDEN)
    chains = [gs.time_chain(net, x, h0, layer=layer) for layer in (0, 1)]
    before = [gs.gradient_norms(chain, lambda out: out[-1].sum()).log_norm for chain in chains]
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(2)
        h0.zero_()
    for chain, log_norm in zip(chains, before, strict=True):
        assert torch.equal(gs.gradient_norms(chain, lambda out: out[-1].sum()).log_norm, log_norm)


def test_contexts_that_change_what_is_computed_are_refused():
    with torch.inference_mode(), pytest.raises(errors.UnsupportedModuleError, match="inference_mode"):
        gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT))
    with torch.autocast("cpu"), pytest.raises(errors.UnsupportedModuleError, match="autocast"):
        gs.time_chain(torch.nn.RNN(2, 3), torch.randn(3, 1, 2))
    with torch.no_grad():
        chain = gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT))
    assert torch.isfinite(gs.gradient_norms(chain, lambda out: out.sum()).log_norm).all()


def test_vectors_of_another_shape_are_named():
    chain = gs.time_chain(rnn(), inputs(TIME, BATCH, INPUT))
    for product in (chain.jvp, chain.vjp):
        with pytest.raises(errors.InputShapeError, match="shape"):
            product(1, torch.ones(HIDDEN).double())


def test_weight_norm_on_a_lower_layer():
    net = torch.nn.RNN(INPUT, HIDDEN, num_layers=2).double()
    plain = gs.time_chain(net, inputs(TIME, BATCH, INPUT), layer=0)
    parametrized = torch.nn.utils.parametrizations.weight_norm(net, "weight_hh_l0")
    normed = gs.time_chain(parametrized, inputs(TIME, BATCH, INPUT), layer=0)
    torch.testing.assert_close(normed.jacobian(3), plain.jacobian(3))


@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
def test_a_users_hooks_do_not_part_the_states_from_the_links(kind):
    # A pre-hook changes what goes in, a hook what comes out: the chain is that of the module in between.
    torch.manual_seed(0)
    net = kind(INPUT, HIDDEN, dtype=torch.float64)
    x = inputs(TIME, BATCH, INPUT)
    plain = gs.time_chain(net, 2 * x)
    net.register_forward_pre_hook(lambda module, args: (2 * args[0], *args[1:]))
    net.register_forward_hook(lambda module, args, out: (out[0].mul_(3), out[1]))
    net.register_forward_hook(lambda module, args, out: (out[0] + 1, out[1]))
    before = len(net._forward_hooks)
    hooked = gs.time_chain(net, x)
    assert len(net._forward_hooks) == before
    torch.testing.assert_close(hooked.states, plain.states, rtol=0, atol=0)
    torch.testing.assert_close(hooked.output, plain.output, rtol=0, atol=0)
    torch.testing.assert_close(hooked.jacobian(3), plain.jacobian(3), rtol=0, atol=0)


@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
def test_hooks_of_all_modules_are_seen_too(kind):
    net = kind(INPUT, HIDDEN, dtype=torch.float64)
    x = inputs(TIME, BATCH, INPUT)
    plain = gs.time_chain(net, 2 * x)
    handle = torch.nn.modules.module.register_module_forward_pre_hook(lambda module, args: (2 * args[0], *args[1:]))
    try:
        hooked = gs.time_chain(net, x)
    finally:
        handle.remove()
    torch.testing.assert_close(hooked.states, plain.states, rtol=0, atol=0)
    torch.testing.assert_close(hooked.jacobian(3), plain.jacobian(3), rtol=0, atol=0)


def test_our_hook_is_gone_after_an_exception():
    net = rnn()

    def fail(module, args):
        raise RuntimeError("the user's own")

    net.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="the user's own"):
        gs.time_chain(net, inputs(TIME, BATCH, INPUT))
    assert not net._forward_hooks
    assert all(p.grad is None for p in net.parameters())


def test_a_forward_or_a_call_of_its_own_is_refused():
    class Called(torch.nn.GRU):
        def __call__(self, *args):
            out, h = super().__call__(*args)
            return 2 * out, h

    patched = torch.nn.GRU(INPUT, HIDDEN)
    patched.forward = lambda x, h=None: torch.nn.GRU.forward(patched, 2 * x, h)
    for net in (Called(INPUT, HIDDEN), patched):
        with pytest.raises(errors.UnsupportedModuleError, match="whose forward"):
            gs.time_chain(net, torch.randn(TIME, BATCH, INPUT))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_the_meta_device_are_refused(dtype):
    net = torch.nn.LSTM(INPUT, HIDDEN)
    with pytest.raises(errors.UnsupportedModuleError, match="meta device"):
        gs.time_chain(copy.deepcopy(net).to("meta"), torch.randn(TIME, BATCH, INPUT))
    with pytest.raises(errors.DTypeError, match="float16"):
        gs.time_chain(net.to(dtype), torch.randn(TIME, BATCH, INPUT).to(dtype))


@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU])
def test_spectral_norm_is_measured_where_reading_it_does_not_change_it(kind):
    torch.manual_seed(0)
    net = torch.nn.utils.parametrizations.spectral_norm(kind(INPUT, HIDDEN).double(), "weight_hh_l0")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = inputs(TIME, BATCH, INPUT)
    with pytest.raises(errors.UnsupportedModuleError, match="eval"):
        gs.time_chain(net, x)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    chain = gs.time_chain(net.eval(), x)
    assert torch.equal(chain.links.weight, net.weight_hh_l0)
    torch.testing.assert_close(chain.output, net(x)[0])

"""Chains of nn.LSTM, nn.GRU and the textbook GRU.

Oracles: `jacrev` of torch's own LSTMCell and GRUCell, and of the textbook's equations; finite differences; for
gradients autograd through stepped cells, layer by layer and direction by direction.
"""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy import errors
from gradstudy.chains.closed_form import ClosedFormLinks
from gradstudy.chains.lstm import LSTMLinks
from gradstudy.measure import dense
from gradstudy.models.textbook_gru import TextbookGRU

TIME, BATCH, INPUT, HIDDEN = 9, 3, 4, 5
KINDS = ("RNN", "LSTM", "GRU")


def net(kind, **options):
    torch.manual_seed(7)
    return getattr(nn, kind)(INPUT, HIDDEN, **options).double()


def normal(*shape, seed=8):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def given_state(kind, rows):
    h0, c0 = 0.7 * normal(rows, BATCH, HIDDEN, seed=1), 0.7 * normal(rows, BATCH, HIDDEN, seed=2)
    return (h0, c0) if kind == "LSTM" else h0


def cell_of(module, layer, reverse):
    """torch's cell with one direction's weights of one layer."""
    suffix = f"_l{layer}" + ("_reverse" if reverse else "")
    weights = {}
    for name, value in module.named_parameters():
        if name.endswith(suffix) and (reverse or not name.endswith("_reverse")):
            weights[name.removesuffix(suffix)] = value
    cell = getattr(nn, f"{type(module).__name__}Cell")(
        weights["weight_ih"].shape[1], HIDDEN, bias=module.bias, dtype=torch.float64
    )
    cell.load_state_dict(weights)
    return cell


def step_through(module, x, state=None):
    """Outputs and, by (layer, reverse), the list of states in the direction's own order, all in one autograd graph."""
    lstm, both = isinstance(module, nn.LSTM), (False, True) if module.bidirectional else (False,)
    below, states = list(x), {}
    for layer in range(module.num_layers):
        outputs = []
        for reverse in both:
            cell, row = cell_of(module, layer, reverse), layer * len(both) + reverse
            zero = torch.zeros(x.shape[1], HIDDEN, dtype=torch.float64)
            start = tuple(s[row] for s in state) if lstm and state else state[row] if state is not None else None
            start = start if start is not None else ((zero, zero) if lstm else zero)
            s = tuple(v.clone().requires_grad_() for v in (start if lstm else (start,)))
            run = [s]
            for u in reversed(below) if reverse else below:
                out = cell(u, s if lstm else s[0])
                s = out if lstm else (out,)
                run.append(s)
            states[layer, reverse] = run
            hidden = [part[0] for part in run[1:]]
            outputs.append(hidden[::-1] if reverse else hidden)
        below = [torch.cat(parts, -1) for parts in zip(*outputs, strict=True)]
    return torch.stack(below), states


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_links_against_jacrev_of_the_cell(kind, bias, given):
    module, x = net(kind, bias=bias), normal(TIME, BATCH, INPUT)
    state = given_state(kind, 1) if given else None
    chain = gs.time_chain(module, x, state)
    cell, (_, states) = cell_of(module, 0, False), step_through(module, x, state)

    def step(s, u):
        if kind == "GRU":
            return cell(u[None], s[None])[0]
        return torch.cat(cell(u[None], tuple(part[None] for part in s.chunk(2))), -1)[0]

    for t in range(1, TIME + 1):
        before = torch.cat(states[0, False][t - 1], -1).detach()
        want = torch.stack([torch.func.jacrev(step)(before[b], x[t - 1, b]) for b in range(BATCH)])
        torch.testing.assert_close(chain.jacobian(t), want, rtol=0, atol=1e-14)
    torch.testing.assert_close(chain.states[-1], torch.cat(states[0, False][-1], -1), rtol=0, atol=1e-14)


def test_textbook_gru_against_jacrev_of_its_equations():
    module = TextbookGRU(INPUT, HIDDEN, generator=torch.Generator().manual_seed(0)).double()
    x, h0 = normal(TIME, BATCH, INPUT), normal(BATCH, HIDDEN, seed=3)
    chain = gs.time_chain(module, x, h0)
    (u_r, u_u, u), (w_r, w_u, w), (b_r, b_u, b) = (m.chunk(3) for m in module.parameters())

    def step(h, v):
        reset, update = torch.sigmoid(w_r @ h + u_r @ v + b_r), torch.sigmoid(w_u @ h + u_u @ v + b_u)
        return (1 - update) * h + update * torch.tanh(w @ (reset * h) + u @ v + b)

    for t in range(1, TIME + 1):
        before = chain.states[t - 1]
        want = torch.stack([torch.func.jacrev(step)(before[i], x[t - 1, i]) for i in range(BATCH)]).detach()
        torch.testing.assert_close(chain.jacobian(t), want, rtol=0, atol=1e-14)
        after = torch.stack([step(before[i], x[t - 1, i]) for i in range(BATCH)])
        torch.testing.assert_close(chain.states[t], after.detach(), rtol=0, atol=1e-14)


def test_the_two_grus_differ_only_where_the_reset_gate_stands():
    torch.manual_seed(0)
    fused, textbook = nn.GRU(INPUT, HIDDEN).double(), TextbookGRU(INPUT, HIDDEN).double()
    with torch.no_grad():
        textbook.weight_hh.copy_(fused.weight_hh_l0)
        textbook.weight_ih.copy_(fused.weight_ih_l0)
        textbook.bias.copy_(fused.bias_ih_l0 + fused.bias_hh_l0)
        for weights in (textbook.weight_ih, textbook.weight_hh, textbook.bias):  # u = 1 - z
            weights[HIDDEN : 2 * HIDDEN] *= -1
    x = normal(TIME, BATCH, INPUT)
    other = gs.time_chain(textbook, x).states
    assert (gs.time_chain(fused, x).states - other).abs().max() > 1e-3
    with torch.no_grad():  # with the reset gate open and b_hn = 0 they are one network
        fused.bias_hh_l0[2 * HIDDEN :] = 0
        textbook.bias[2 * HIDDEN :] = fused.bias_ih_l0[2 * HIDDEN :]
        for weights in (fused.weight_ih_l0, fused.weight_hh_l0, textbook.weight_ih, textbook.weight_hh):
            weights[:HIDDEN] = 0
        fused.bias_ih_l0[:HIDDEN] = textbook.bias[:HIDDEN] = 50
    ours, theirs = gs.time_chain(fused, x), gs.time_chain(textbook, x)
    torch.testing.assert_close(ours.states, theirs.states, rtol=0, atol=1e-14)
    torch.testing.assert_close(ours.jacobian(5), theirs.jacobian(5), rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "textbook"])
def test_links_against_finite_differences(kind):
    module = TextbookGRU(INPUT, HIDDEN).double() if kind == "textbook" else net(kind)
    x, t, size = normal(TIME, BATCH, INPUT), 4, 1e-6
    chain = gs.time_chain(module, x)

    def after(state):
        if kind == "LSTM":
            return gs.time_chain(module, x[t - 1 : t], tuple(s[None].clone() for s in state.chunk(2, -1))).states[1]
        return gs.time_chain(module, x[t - 1 : t], state if kind == "textbook" else state[None]).states[1]

    for i in range(chain.states.shape[-1]):
        nudge = torch.zeros(chain.states.shape[-1], dtype=torch.float64)
        nudge[i] = size
        slope = (after(chain.states[t - 1] + nudge) - after(chain.states[t - 1] - nudge)) / (2 * size)
        torch.testing.assert_close(slope, chain.jacobian(t)[:, :, i], rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "textbook", "pascanu"])
def test_products_abreast_and_in_a_sweep_are_those_of_the_dense_links(kind):
    from gradstudy.models.pascanu import PascanuRNN

    own = {"textbook": TextbookGRU, "pascanu": PascanuRNN}
    module = own[kind](INPUT, HIDDEN).double() if kind in own else net(kind)
    chain = gs.time_chain(module, normal(TIME, BATCH, INPUT))
    size = chain.states.shape[-1]
    matrices = chain.links.jacobians(0, TIME)
    torch.testing.assert_close(matrices, dense.jacobians(chain), rtol=0, atol=1e-14)
    vector, block = normal(BATCH, size), normal(BATCH, size, 2)
    for t in (1, 4, TIME):
        torch.testing.assert_close(chain.jvp(t, vector), (matrices[t - 1] @ vector[..., None])[..., 0])
        torch.testing.assert_close(chain.vjp(t, vector), (matrices[t - 1].mT @ vector[..., None])[..., 0])
        torch.testing.assert_close(chain.jvp(t, block), matrices[t - 1] @ block)
        torch.testing.assert_close(chain.vjp(t, block), matrices[t - 1].mT @ block)
    abreast = chain.links.abreast(2, 6)
    torch.testing.assert_close(abreast.jacobians(0, 1)[0], matrices[2:6].flatten(0, 1))
    totals = normal(5, BATCH, size, seed=9)
    want = totals.clone()
    for i in range(4, 0, -1):
        want[i - 1] += (matrices[2 + i - 1].mT @ want[i][..., None])[..., 0]
    chain.links.accumulate(2, totals)
    torch.testing.assert_close(totals, want, rtol=0, atol=1e-13)


def log_norms(loss, run, part):
    grads = torch.autograd.grad(loss, [state[part] for state in run], retain_graph=True, allow_unused=True)
    zero = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    return torch.stack([(zero if g is None else g).norm(dim=-1).log() for g in grads])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_gradients_of_every_layer_and_direction_against_stepped_cells(kind, layers, bidirectional, batch_first, bias):
    module = net(kind, num_layers=layers, bidirectional=bidirectional, batch_first=batch_first, bias=bias)
    x, state = normal(TIME, BATCH, INPUT), given_state(kind, layers * (1 + bidirectional))
    output, states = step_through(module, x, state)
    weight = normal(*output.shape, seed=4)

    def in_time(out):
        return out.transpose(0, 1) if batch_first else out

    def loss(out):
        return (weight * in_time(out) ** 2).sum()

    reference = loss(in_time(output))
    for (layer, reverse), run in states.items():
        chain = gs.time_chain(module, in_time(x), state, layer=layer, direction="reverse" if reverse else "forward")
        torch.testing.assert_close(in_time(chain.output), output, rtol=0, atol=1e-13)
        torch.testing.assert_close(chain.states, torch.stack([torch.cat(s, -1) for s in run]), rtol=0, atol=1e-13)
        norms = gs.gradient_norms(chain, loss)
        hidden = norms.log_norm_hidden if kind == "LSTM" else norms.log_norm
        torch.testing.assert_close(hidden, log_norms(reference, run, 0), rtol=0, atol=1e-10)
        if kind == "LSTM":
            torch.testing.assert_close(norms.log_norm_cell_total, log_norms(reference, run, 1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_total_gradients_against_dense_products_and_the_cell_readings(kind):
    chain = gs.time_chain(net(kind), normal(TIME, BATCH, INPUT))
    slow = dense.total_gradients(chain, chain.direct_partials(lambda out: out[-1].sum()).vectors)
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum())
    torch.testing.assert_close(norms.log_norm, slow.norm(dim=-1).log(), rtol=0, atol=1e-12)
    if kind == "GRU":
        assert norms.log_norm_hidden is None
        return
    torch.testing.assert_close(norms.log_norm_hidden, slow[..., :HIDDEN].norm(dim=-1).log(), rtol=0, atol=1e-12)
    torch.testing.assert_close(norms.log_norm_cell, slow[..., HIDDEN:].norm(dim=-1).log(), rtol=0, atol=1e-12)
    # A loss on h_T: with h_T held c_T has no way to it, as autograd's c_T.grad it has.
    assert torch.isneginf(norms.log_norm_cell[-1]).all()
    assert torch.isfinite(norms.log_norm_cell_total[-1]).all()
    assert list(norms.to_frame(log10=True).columns[2:]) == [
        "log10_norm",
        "log10_norm_hidden",
        "log10_norm_cell",
        "log10_norm_cell_total",
    ]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_unbatched_and_float32(kind):
    module, x = net(kind), normal(TIME, INPUT)
    chain, batched = gs.time_chain(module, x), gs.time_chain(module, x[:, None])
    torch.testing.assert_close(chain.states, batched.states)
    torch.testing.assert_close(
        gs.gradient_norms(chain, lambda out: out[-1].sum()).log_norm,
        gs.gradient_norms(batched, lambda out: out[-1].sum()).log_norm,
    )
    single = gs.gradient_norms(gs.time_chain(module.float(), x.float()), lambda out: out[-1].sum())
    want = gs.gradient_norms(chain, lambda out: out[-1].sum()).log_norm
    torch.testing.assert_close(single.log_norm, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_module_is_left_as_it_was(kind):
    module = net(kind, num_layers=2, bidirectional=True).float()
    x = torch.randn(TIME, BATCH, INPUT)
    module(x)[0].sum().backward()
    before = {name: (p.detach().clone(), p.grad.clone()) for name, p in module.named_parameters()}
    random = torch.get_rng_state()
    for layer in (0, 1):
        gs.gradient_norms(gs.time_chain(module, x, layer=layer), lambda out: out[-1].pow(2).sum())
    assert torch.equal(torch.get_rng_state(), random)
    for name, p in module.named_parameters():
        assert torch.equal(p, before[name][0])
        assert torch.equal(p.grad, before[name][1])


@pytest.mark.parametrize("kind", KINDS)
def test_chains_of_a_model_with_a_loss_on_the_final_states(kind):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = net(kind, num_layers=2, bidirectional=True)

        def forward(self, x):
            out, final = self.encoder(x)
            finals = final if isinstance(final, tuple) else (final,)
            return out[3].sum() + sum((f**2).sum() for f in finals)

    model, x = Model(), normal(TIME, BATCH, INPUT)
    found = gs.chains(model, x)
    assert sorted(found) == ["encoder", "encoder[0]", "encoder[0]_reverse", "encoder_reverse"]
    output, states = step_through(model.encoder, x)
    reference = output[3].sum() + sum((part**2).sum() for run in states.values() for part in run[-1])
    torch.testing.assert_close(found.result, reference)
    names = {
        (0, False): "encoder[0]",
        (0, True): "encoder[0]_reverse",
        (1, False): "encoder",
        (1, True): "encoder_reverse",
    }
    for place, run in states.items():
        norms = gs.gradient_norms(found[names[place]], found.result)
        hidden = norms.log_norm_hidden if kind == "LSTM" else norms.log_norm
        torch.testing.assert_close(hidden, log_norms(reference, run, 0), rtol=0, atol=1e-10)


def test_an_infinite_cell_is_named_and_one_near_the_end_of_float32_is_measured():
    lstm = nn.LSTM(1, 1)
    with torch.no_grad():
        for p in lstm.parameters():
            p.zero_()
        lstm.bias_ih_l0[1] = 100  # f = 1, i g = 0.5 tanh(0) = 0, so c_t = c_0
    with pytest.raises(errors.NonFiniteError, match="state has 1 non-finite"):
        gs.time_chain(lstm, torch.zeros(4, 1, 1), (torch.zeros(1, 1, 1), torch.full((1, 1, 1), float("inf"))))
    with torch.no_grad():
        lstm.bias_ih_l0[2] = (
            100  # g = 1 and i = 1, so c_t = c_{t-1} + 1, which rounds to c_{t-1}: f <= 1 never overflows
        )
        lstm.bias_ih_l0[0] = 100
    chain = gs.time_chain(lstm, torch.zeros(4, 1, 1), (torch.zeros(1, 1, 1), torch.full((1, 1, 1), 3.0e38)))
    assert torch.isfinite(chain.states).all()


@pytest.mark.parametrize("b", [0.0, 1.0, 2.0, 5.0])
def test_the_cell_path_of_an_lstm_with_pinned_gates_decays_as_sigma_of_b(b):
    lstm = net("LSTM")
    with torch.no_grad():
        lstm.weight_hh_l0.zero_()
        lstm.weight_ih_l0.zero_()
        lstm.bias_ih_l0.zero_()
        lstm.bias_hh_l0.zero_()
        lstm.bias_ih_l0[HIDDEN : 2 * HIDDEN] = b / 4
        lstm.bias_hh_l0[HIDDEN : 2 * HIDDEN] = 3 * b / 4  # torch has two forget biases; their sum counts
    chain = gs.time_chain(lstm, normal(TIME, BATCH, INPUT))
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum())
    steps = torch.arange(TIME - 1, -1, -1, dtype=torch.float64)[:, None].expand(-1, BATCH)
    rate = torch.nn.functional.logsigmoid(torch.tensor(b, dtype=torch.float64))
    torch.testing.assert_close(norms.log_norm_cell[:-1] - norms.log_norm_cell[-2], steps * rate, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["GRU", "textbook"])
def test_a_gru_whose_update_gate_is_pinned_retains_its_state(kind):
    module = TextbookGRU(INPUT, HIDDEN).double() if kind == "textbook" else net("GRU")
    with torch.no_grad():
        gate = slice(HIDDEN, 2 * HIDDEN)
        if kind == "textbook":
            module.weight_hh[gate], module.weight_ih[gate], module.bias[gate] = 0, 0, -800.0
        else:
            module.weight_hh_l0[gate], module.weight_ih_l0[gate], module.bias_ih_l0[gate] = 0, 0, 800.0
    h0 = normal(BATCH, HIDDEN, seed=5)
    chain = gs.time_chain(module, normal(TIME, BATCH, INPUT), h0 if kind == "textbook" else h0[None])
    identity = torch.eye(HIDDEN, dtype=torch.float64).expand(TIME, BATCH, HIDDEN, HIDDEN)
    torch.testing.assert_close(chain.links.jacobians(0, TIME), identity, rtol=0, atol=0)
    # torch computes n + z (h - n), which rounds where z h + (1 - z) n would not.
    torch.testing.assert_close(chain.states, h0.expand(TIME + 1, BATCH, HIDDEN), rtol=0, atol=1e-14)


def test_maps_of_an_lstm_are_products_with_its_dense_jacobians():
    torch.manual_seed(3)
    chain = gs.time_chain(torch.nn.LSTM(3, 5).double(), torch.randn(6, 2, 3, dtype=torch.float64))
    block = torch.randn(2, 10, 4, dtype=torch.float64)
    assert isinstance(chain.links, LSTMLinks)
    for t, link in enumerate(chain.links.maps(1, 6), 2):
        torch.testing.assert_close(link(block), dense.jacobians(chain)[t - 1] @ block, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_and_factors_do_not_depend_on_how_many_links_are_taken_together(kind, monkeypatch):
    x, totals = normal(TIME, BATCH, INPUT), normal(7, BATCH, HIDDEN * (2 if kind == "LSTM" else 1))
    whole = gs.time_chain(net(kind), x).links
    monkeypatch.setattr(sys.modules[ClosedFormLinks.__module__], "_CACHED", 2 * BATCH * HIDDEN)
    pieces = gs.time_chain(net(kind), x).links
    torch.testing.assert_close(pieces.gates, whole.gates, rtol=0, atol=1e-15)
    torch.testing.assert_close(pieces.factors, whole.factors, rtol=0, atol=1e-15)
    found = totals.clone()
    pieces.accumulate(1, found)
    for i in range(6, 0, -1):  # the links of one whole, one after the other
        totals[i - 1] += whole.vjp(1 + i, totals[i])
    torch.testing.assert_close(found, totals, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_links_abreast_take_over_what_was_derived(kind):
    links = gs.time_chain(net(kind), normal(TIME, BATCH, INPUT)).links
    want = links.factors[2:6].flatten(0, 1)
    abreast = links.abreast(2, 6)
    assert abreast.factors.data_ptr() == links.factors[2].data_ptr()
    torch.testing.assert_close(abreast.factors[0], want, rtol=0, atol=0)
    assert links.double().factors.data_ptr() != links.factors.data_ptr()

"""gate_statistics, block_norms, cell_path and steps_in_the_past.

Oracles: gates of torch's cells written out; dense Jacobians by jacrev; `product_spectrum` for the full Jacobian; closed
forms for pinned gates; counts by a plain loop.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import gradstudy as gs
from gradstudy import errors
from gradstudy.models.textbook_gru import TextbookGRU

TIME, BATCH, INPUT, HIDDEN = 8, 3, 2, 4


def chain_of(kind, scale=1.0):
    torch.manual_seed(2)
    module = TextbookGRU(INPUT, HIDDEN).double() if kind == "textbook" else getattr(nn, kind)(INPUT, HIDDEN).double()
    x = scale * torch.randn(TIME, BATCH, INPUT, dtype=torch.float64)
    return module, x, gs.time_chain(module, x)


def lstm_gates(module, x, states):
    h = states[:-1, :, :HIDDEN]
    a = x @ module.weight_ih_l0.T + module.bias_ih_l0 + h @ module.weight_hh_l0.T + module.bias_hh_l0
    i, f, g, o = a.chunk(4, -1)
    return torch.stack([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], 2).detach()


def test_gate_statistics_against_gates_written_out():
    module, x, chain = chain_of("LSTM", scale=6.0)
    found, gates = gs.gate_statistics(chain), lstm_gates(module, x, chain.states)
    torch.testing.assert_close(found.mean, gates.mean((1, 3)))
    edges = torch.tensor([0.1, 0.1, -0.8, 0.1], dtype=torch.float64)[:, None]
    torch.testing.assert_close(found.low, (gates < edges).double().mean((1, 3)))
    edges = torch.tensor([0.9, 0.9, 0.8, 0.9], dtype=torch.float64)[:, None]
    torch.testing.assert_close(found.high, (gates > edges).double().mean((1, 3)))
    assert 0 < float(found.high.mean()) < 1
    frame = found.to_frame()
    assert list(frame.columns) == ["t", "gate", "mean", "low", "high"]
    assert set(frame["gate"]) == {"input", "forget", "candidate", "output"}
    assert found.plot().get_ylabel() == "mean activation"


def test_gates_of_both_grus_are_recovered_from_the_states():
    # h_t = (1 - z) n + z h_{t-1} (torch), (1 - u) h_{t-1} + u h~ (textbook), with the gates that are reported.
    for kind in ("GRU", "textbook"):
        _, _, chain = chain_of(kind)
        _, gate, candidate = chain.links.gates.unbind(2)
        before = chain.states[:-1]
        keep = gate if kind == "GRU" else 1 - gate
        torch.testing.assert_close(keep * before + (1 - keep) * candidate, chain.states[1:])
        assert gs.gate_statistics(chain).names == ("reset", "update", "candidate")


def test_block_norms_against_jacrev_blocks():
    module, x, chain = chain_of("LSTM")
    found = gs.block_norms(chain)
    cell = nn.LSTMCell(INPUT, HIDDEN).double()
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in module.state_dict().items()})

    def step(h, c, u):
        return tuple(part[0] for part in cell(u[None], (h[None], c[None])))

    for t in (1, 5, TIME):
        for b in range(BATCH):
            h, c = chain.states[t - 1, b].chunk(2)
            (hh, hc), (ch, cc) = torch.func.jacrev(step, argnums=(0, 1))(h, c, x[t - 1, b])
            for name, block in {"hh": hh, "hc": hc, "ch": ch, "cc": cc}.items():
                want = torch.linalg.svdvals(block)[0].detach()
                torch.testing.assert_close(getattr(found, name)[t - 1, b], want, rtol=1e-12, atol=0)
    frame = found.to_frame(log10=True)
    assert list(frame.columns) == ["t", "row", "block", "log10_norm"]
    assert found.plot().get_xlabel() == "link $t$"


def test_steps_in_the_past_against_a_loop_and_the_closed_form():
    torch.manual_seed(0)
    rnn = nn.RNN(2, 5)
    chain = gs.time_chain(rnn, torch.randn(200, 3, 2))
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum())
    steps = gs.steps_in_the_past(norms)
    for b in range(3):
        count = -1
        while count < 200 and 2 * float(norms.log_norm[200 - count - 1, b]) >= math.log(1e-20):
            count += 1
        assert int(steps[b]) == count
    # |dL/dh_{T-l}| = 0.1^l: its square is at or above 1e-9 up to l = 4.
    linear = gs.time_chain(lambda u, s: 0.1 * s, torch.zeros(20, 1, 1), torch.ones(1, 1))
    assert gs.steps_in_the_past(gs.gradient_norms(linear, lambda out: out[-1].sum()), 1e-9).tolist() == [4]
    assert gs.steps_in_the_past(gs.gradient_norms(linear, lambda out: out[-1].sum()), 10.0).tolist() == [-1]


def test_a_gap_ends_the_count_and_an_lstm_is_read_on_its_hidden_block():
    chain = gs.time_chain(lambda u, s: 0.0 * s, torch.zeros(5, 1, 1), torch.ones(1, 1))
    assert gs.steps_in_the_past(gs.gradient_norms(chain, lambda out: out.sum())).tolist() == [4]
    assert gs.steps_in_the_past(gs.gradient_norms(chain, lambda out: out[-1].sum() + out[0].sum())).tolist() == [0]
    _, _, chain = chain_of("LSTM")
    norms = gs.gradient_norms(chain, lambda out: out[-1].sum())
    bound = float(torch.exp(2 * norms.log_norm_hidden[3].min()))
    assert int(gs.steps_in_the_past(norms, bound).max()) >= TIME - 3


def test_cell_path_against_gates_written_out_and_product_spectrum():
    module, x, chain = chain_of("LSTM")
    found = gs.cell_path(chain)
    forget = lstm_gates(module, x, chain.states)[:, :, 1]
    for t in (0, 3, TIME):
        torch.testing.assert_close(found.log_factor[t], forget[t:].log().sum(0), rtol=0, atol=1e-12)
        largest = forget[t:].prod(0).amax(-1).log()
        torch.testing.assert_close(found.log_norm[t], largest, rtol=0, atol=1e-12)
    for t in (0, 3, TIME - 1):
        full = gs.product_spectrum(chain, start=t).log_singular_values[:, 0]
        torch.testing.assert_close(found.log_norm_full[t], full, rtol=0, atol=1e-9)
    assert float(found.log_norm_full[TIME].abs().max()) == 0
    assert list(found.to_frame(log10=True).columns) == ["t", "row", "log10_norm", "log10_norm_full"]
    assert found.plot().get_xlabel() == "state $t$"


@pytest.mark.parametrize("b", [0.0, 1.0, 5.0])
def test_cell_path_of_pinned_gates_is_sigma_of_b_to_the_t(b):
    module = nn.LSTM(1, 3).double()
    with torch.no_grad():
        for p in module.parameters():
            p.zero_()
        module.bias_hh_l0[3:6] = b
    found = gs.cell_path(gs.time_chain(module, torch.zeros(5000, 1, 1, dtype=torch.float64)))
    want = (5000 - torch.arange(5001, dtype=torch.float64)) * math.log(1 / (1 + math.exp(-b)))
    torch.testing.assert_close(found.log_norm[:, 0], want, rtol=1e-12, atol=1e-12)


def test_errors_are_named():
    _, _, chain = chain_of("RNN")
    with pytest.raises(errors.UnsupportedModuleError, match="has no gates"):
        gs.gate_statistics(chain)
    with pytest.raises(errors.UnsupportedModuleError, match=r"nn\.LSTM"):
        gs.block_norms(chain)
    with pytest.raises(errors.UnsupportedModuleError, match=r"nn\.LSTM"):
        gs.cell_path(chain)
    with pytest.raises(errors.OptionError, match="positive number"):
        gs.steps_in_the_past(gs.gradient_norms(chain, lambda out: out.sum()), 0.0)

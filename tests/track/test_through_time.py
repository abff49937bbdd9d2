"""Gradients at the states of recurrent layers during training.

Oracles: autograd through a loop over torch's cells with the same weights; `gs.gradient_norms` on the same pass.
"""

from __future__ import annotations

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import gradstudy as gs

CELLS = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}


def stepped(model, x):
    """Norms of dL/dh_t (and of c_t.grad) from a loop over cells."""
    net = model.encoder
    cell = CELLS[type(net)](net.input_size, net.hidden_size).to(x.dtype)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in net.state_dict().items()})
    inputs = model.embed(x)
    state = torch.zeros(x.shape[1], net.hidden_size, dtype=x.dtype, requires_grad=True)
    state = (state, torch.zeros_like(state).requires_grad_()) if isinstance(net, nn.LSTM) else state
    states = [state]
    for u in inputs:
        states.append(cell(u, states[-1]))
    hidden = [s[0] if isinstance(s, tuple) else s for s in states]
    cells = [s[1] for s in states if isinstance(s, tuple)]
    for tensor in (*hidden, *cells):
        tensor.retain_grad()
    loss_of(model.head(torch.stack(hidden[1:]))).backward()
    return [h.grad.norm().item() for h in hidden], [c.grad.norm().item() for c in cells if c.grad is not None]


def loss_of(output):
    return output[-1].pow(2).mean() + 0.1 * output.sum()


def by_time(tracker, quantity, name="encoder", step=0):
    frame = tracker.to_frame()
    rows = frame[(frame["quantity"] == quantity) & (frame["name"] == name) & (frame["step"] == step)]
    assert list(rows["index"]) == list(range(len(rows)))
    return list(rows["value"])


@pytest.mark.parametrize("kind", list(CELLS))
def test_norms_are_those_of_a_loop_over_cells(tagger, kind):
    model = tagger(kind).double()
    x = torch.randn(9, 4, 3).double()
    hidden, cells = stepped(model, x)
    with gs.track(model) as tracker:
        loss_of(model(x)).backward()
        tracker.step()
    if kind is not nn.LSTM:  # an LSTM's h_t has c_t held here, autograd's as well: c_t does not depend on h_t
        assert by_time(tracker, "cell_gradient") == []
    assert by_time(tracker, "hidden_gradient") == pytest.approx(hidden, rel=1e-9)
    assert by_time(tracker, "cell_gradient") == pytest.approx(cells, rel=1e-9)


@pytest.mark.parametrize(
    "options", [{"num_layers": 2}, {"num_layers": 2, "bidirectional": True}, {"batch_first": True}]
)
def test_layers_and_directions_are_those_of_gradient_norms(tagger, options):
    model = tagger(nn.GRU, **options).double()
    x = torch.randn(6, 4, 3).double()
    found = gs.chains(model, x)
    loss = loss_of(found.result)
    want = {name: gs.gradient_norms(found[name], loss).log_norm_total.exp().tolist() for name in found}
    with gs.track(model) as tracker:
        loss_of(model(x)).backward()
        tracker.step()
    for name, norms in want.items():
        assert by_time(tracker, "hidden_gradient", name) == pytest.approx(norms, rel=1e-9)


def test_norms_go_on_where_float32_reads_zero_and_the_scale_of_the_loss_is_taken_out():
    torch.manual_seed(0)
    model = nn.RNN(2, 8)
    with torch.no_grad():
        model.weight_hh_l0.copy_(0.5 * torch.eye(8))
    x, scaler = 0.1 * torch.randn(400, 3, 2), torch.amp.GradScaler("cpu", init_scale=4096.0)
    with gs.track(model, scaler=scaler) as tracker:
        scaler.scale(model(x)[0][-1].sum()).backward()
        tracker.step()
    frame = tracker.to_frame()
    rows = frame[frame["quantity"] == "hidden_gradient"]
    want = gs.gradient_norms(gs.time_chain(model, x), lambda out: out[-1].sum()).log_norm_total
    assert rows["log_value"].to_numpy() == pytest.approx(want.numpy(), abs=1e-4)
    assert rows["log_value"].iloc[1] < -270
    assert math.isfinite(rows["log_value"].iloc[0])


def test_a_loss_on_the_final_state_only_and_a_second_backward_pass():
    model, x = nn.LSTM(2, 3), torch.randn(5, 4, 2)
    results = []
    for twice in (False, True):
        with gs.track(model) as tracker:
            _, (h, c) = model(x)
            losses = h.sum(), c.pow(2).sum()
            if twice:
                losses[0].backward(retain_graph=True)
                losses[1].backward()
            else:
                sum(losses).backward()
            tracker.step()
        results.append(by_time(tracker, "hidden_gradient", "(root)"))
    assert results[0] == pytest.approx(results[1], rel=1e-5)
    assert results[0][-1] == pytest.approx(math.sqrt(12))


def test_several_passes_and_a_second_call(tagger):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(2, 3)

        def forward(self, x):
            return self.rnn(x)[0][-1].sum() + 2 * self.rnn(x)[0][-1].sum()

    model, x = Twice(), torch.randn(5, 4, 2)
    with gs.track(model) as tracker:
        model(x).backward()
        tracker.step()
        model(x[:, :2]).backward()
        model(x[:, 2:]).backward()
        tracker.step()
    first = by_time(tracker, "hidden_gradient", "rnn")
    assert by_time(tracker, "hidden_gradient", "rnn#2") == pytest.approx([2 * v for v in first], rel=1e-5)
    assert by_time(tracker, "hidden_gradient", "rnn", step=1) == pytest.approx(first, rel=1e-5)


def test_output_changed_in_place_by_the_next_module():
    torch.manual_seed(0)
    plain, changed = (nn.ModuleList([nn.RNN(2, 3), nn.Hardtanh(-0.2, 0.2, inplace=flag)]) for flag in (False, True))
    changed.load_state_dict(plain.state_dict())
    x, results = torch.randn(5, 4, 2), []
    for model in (plain, changed):
        model[0].register_forward_hook(lambda module, args, out: (out[0].clone(), out[1]))
        with gs.track(model) as tracker:
            model[1](model[0](x)[0]).sum().backward()
            tracker.step()
        results.append(by_time(tracker, "hidden_gradient", "0"))
    assert results[0] == pytest.approx(results[1])


def test_gates_that_are_saturated(values):
    model = nn.LSTM(2, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.bias_ih_l0[4:8] = 5.0  # the forget gate, at 0.993
    with gs.track(model) as tracker:
        model(torch.randn(5, 3, 2))[0].sum().backward()
        tracker.step()
    found = values(tracker, "gate_saturation")
    assert found == {f"(root).{gate}": float(gate == "forget") for gate in ("input", "forget", "candidate", "output")}


def test_gradients_that_are_not_finite_are_nan_with_a_count():
    model = nn.RNN(2, 3)
    with gs.track(model) as tracker:
        out = model(torch.zeros(4, 2, 2))[0]
        (out[-1] * torch.tensor([1.0, math.nan, 1.0])).sum().backward()
        tracker.step()
    frame = tracker.to_frame()
    rows = frame[frame["quantity"] == "hidden_gradient"]
    assert rows["value"].isna().all()
    assert set(rows["non_finite"]) == {2}


def test_singular_values_of_the_last_link(tagger):
    model, x = tagger(nn.LSTM), torch.randn(9, 4, 3)
    chain = gs.chains(model, x)["encoder"]
    want = torch.linalg.eigvalsh(chain.jacobian(9)[0].mT.double() @ chain.jacobian(9)[0].double()).flip(0).sqrt()
    with gs.track(model, every={"spectrum": 1}) as tracker:
        loss_of(model(x)).backward()
        tracker.step()
    assert by_time(tracker, "jacobian_singular_value") == pytest.approx(want.tolist(), rel=1e-4, abs=1e-6)
    assert by_time(tracker, "hidden_gradient") == []
    assert "T-1" in tracker.plot("jacobians", Figure().subplots()).get_xlabel()


@pytest.mark.parametrize(
    ("module", "what"),
    [(nn.LSTM(2, 3, proj_size=2), "proj_size"), (nn.GRU(2, 3, num_layers=2, dropout=0.5), "dropout")],
)
def test_layers_that_cannot_be_measured_are_noted_and_training_goes_on(module, what):
    with gs.track(module) as tracker:
        module(torch.randn(4, 2, 2))[0].sum().backward()
        tracker.step()
    assert by_time(tracker, "hidden_gradient", "(root)") == []
    (note,) = [finding for finding in tracker.findings() if finding.severity == "note"]
    assert "not measured through time" in note.what
    assert what in note.evidence
    assert len(tracker.to_frame()) > 4


def test_packed_sequences_and_autocast_are_noted_too():
    rnn = nn.RNN(2, 3)
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(4, 2, 2), [4, 3])
    with gs.track(rnn) as tracker:
        rnn(packed)[0].data.sum().backward()
        tracker.step()
    assert "PackedSequence" in tracker.findings()[0].evidence
    model = nn.Sequential(nn.Linear(2, 2), rnn)
    with gs.track(model) as tracker:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(torch.randn(4, 2, 2))[0].float().sum()
        loss.backward()
        tracker.step()
    assert "autocast" in tracker.findings()[0].evidence

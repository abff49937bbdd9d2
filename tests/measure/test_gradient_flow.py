"""gradient_flow.

Oracles: plain products and their SVD (`measure.dense`); `product_spectrum`, which takes another way; closed forms for
scaled orthogonal, identity and diagonal chains.
"""

from __future__ import annotations

import math

import pytest
import torch

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import dense
from gradstudy.measure import gradient_flow as module


def gaussian(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(steps=24, batch=3, size=7, gain=1.0, nonlinearity="tanh"):
    torch.manual_seed(0)
    net = torch.nn.RNN(2, size, nonlinearity=nonlinearity).double()
    torch.nn.init.normal_(net.weight_hh_l0, std=gain / math.sqrt(size))
    return gs.time_chain(net, torch.randn(steps, batch, 2).double())


def linear(matrices, steps, batch=1):
    """A chain with J_t the matrix of t (all of them the same, or one a step), whose state stays at 0."""
    matrices = matrices.expand(steps, *matrices.shape[-2:])
    index = torch.arange(steps, dtype=torch.float64)[:, None].expand(-1, batch)
    cell = lambda u, s: torch.einsum("bij,bj->bi", matrices[u.long()], s - s.detach())  # noqa: E731
    return gs.time_chain(cell, index, torch.zeros(batch, matrices.shape[-1], dtype=torch.float64))


def rotated(rate, size=4):
    return torch.linalg.qr(gaussian(size, size, seed=3))[0] * math.exp(rate)


@pytest.mark.parametrize(("norm", "order"), [("spectral", 2), ("frobenius", "fro")])
def test_every_pair_against_the_plain_product(norm, order):
    chain = network()
    flow = gs.gradient_flow(chain, norm=norm)
    want = dense.log_flow(chain, order)
    assert torch.equal(torch.isneginf(flow.log_norm), torch.isneginf(want))  # no state depends on a later one
    torch.testing.assert_close(flow.log_norm, want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
def test_long_lags_against_the_product_spectrum(gain):
    chain = network(steps=200, size=5, gain=gain)
    flow = gs.gradient_flow(chain, every=20)
    for i, j in ((10, 0), (10, 7), (5, 1), (1, 0)):
        want = gs.product_spectrum(chain, flow.times[j], flow.times[i]).log_singular_values[:, 0]
        torch.testing.assert_close(flow.log_norm[i, j], want, rtol=0, atol=1e-9)


def test_a_grid_is_every_so_manieth_state_of_all():
    chain = network()
    whole, grid = gs.gradient_flow(chain), gs.gradient_flow(chain, every=5)
    assert grid.times == (0, 5, 10, 15, 20)
    torch.testing.assert_close(grid.log_norm, whole.log_norm[:21:5, :21:5], rtol=0, atol=1e-12)


def test_pieces_do_not_show(monkeypatch):
    chain = network()
    whole = gs.gradient_flow(chain).log_norm
    monkeypatch.setattr(module, "_TOGETHER", 300)
    torch.testing.assert_close(gs.gradient_flow(chain).log_norm, whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("rate", [-2.0, -0.05, -1e-6])
def test_an_orthogonal_chain_with_a_rate(rate, batch):
    steps = 60
    flow = gs.gradient_flow(linear(rotated(rate), steps, batch))
    t, k = torch.tril_indices(steps + 1, steps + 1)
    want = (rate * (t - k).to(torch.float64))[:, None].expand(-1, batch)
    torch.testing.assert_close(flow.log_norm[t, k], want, rtol=0, atol=1e-9)
    assert flow.window == (0, 30)
    assert flow.decay_length == pytest.approx(-1 / rate, rel=1e-4)
    if steps * -rate > math.log(2):
        assert flow.half_life == pytest.approx(math.log(2) / -rate, rel=1e-6)
        assert not flow.half_life_censored
    else:
        assert (flow.half_life, flow.half_life_censored) == (steps, True)


def test_a_thousand_links_do_not_underflow():
    for rate in (-2.0, 2.0):
        flow = gs.gradient_flow(linear(rotated(rate, size=2), 1000), every=100)
        assert flow.log_norm[10, 0, 0].item() == pytest.approx(1000 * rate, abs=1e-8)
    # One step of the grid is 1000 links, and every link 69 nats.
    flow = gs.gradient_flow(linear(1e-30 * rotated(0.0, size=2), 1000), every=1000)
    assert flow.log_norm[1, 0, 0].item() == pytest.approx(1000 * math.log(1e-30), rel=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.1])
@pytest.mark.parametrize("batch", [1, 3])
def test_what_does_not_decay_has_no_length(rate, batch):
    flow = gs.gradient_flow(linear(rotated(rate), 40, batch))
    assert flow.decay_length == math.inf
    assert (flow.half_life, flow.half_life_censored) == (40.0, True)
    assert flow.slope == pytest.approx(rate, abs=1e-9)


def test_identity():
    flow = gs.gradient_flow(linear(torch.eye(3).double(), 40))
    assert flow.decay_length == math.inf
    assert (flow.log_norm.flatten()[torch.isfinite(flow.log_norm.flatten())].abs() < 1e-12).all()


def test_a_slope_that_rows_do_not_agree_on_is_no_decay():
    # Rows decay at -0.1, grow at 0.08 and decay at -0.1: the mean falls, its interval reaches over 0.
    rates = torch.tensor([-0.1, 0.08, -0.1], dtype=torch.float64)
    chain = gs.time_chain(
        lambda u, s: s * rates.exp()[:, None], torch.zeros(40, 3, 1), torch.ones(3, 2, dtype=torch.float64)
    )
    flow = gs.gradient_flow(chain)
    assert flow.slope == pytest.approx(-0.04)
    low, high = flow.slope_interval
    half = 4.302652729911275 * 0.18 / 3  # t(0.975, 2) s / sqrt 3, s = 0.18 / sqrt 3
    assert (low, high) == pytest.approx((-0.04 - half, -0.04 + half))
    assert flow.decay_length == math.inf


def test_one_row_takes_its_interval_from_links_that_are_not_shared():
    # The rate of a link is -0.2 +- 0.1, drawn for each: the interval of the rate over some thirty links.
    rates = -0.2 + 0.1 * gaussian(60, seed=5)
    flow = gs.gradient_flow(linear(rates.exp()[:, None, None] * torch.eye(2).double(), 60))
    low, high = flow.slope_interval
    assert low < -0.2 < high < 0
    assert 0.01 < high - low < 0.25
    assert flow.decay_length == pytest.approx(-1 / flow.slope)


def test_exact_zeros_end_the_window_and_are_minus_infinity():
    nilpotent = torch.diag(torch.full((5,), 0.5, dtype=torch.float64), 1)  # size 6: its sixth power is 0
    flow = gs.gradient_flow(linear(nilpotent, 30))
    want = [lag * math.log(0.5) if lag < 6 else -math.inf for lag in range(31)]
    assert flow.log_norm_by_lag[:, 0].tolist() == pytest.approx(want, abs=1e-12)
    assert flow.window == (0, 5)
    assert flow.decay_length == pytest.approx(1 / math.log(2))
    gone = gs.gradient_flow(linear(torch.zeros(3, 3).double(), 30))
    assert gone.window is None
    assert math.isnan(gone.decay_length)
    assert math.isnan(gone.slope)
    assert (gone.half_life, gone.half_life_censored) == (0.0, False)


def test_too_few_states_have_no_window():
    flow = gs.gradient_flow(linear(rotated(-1.0), 3), every=2)
    assert flow.times == (0, 2)
    assert flow.window is None
    assert math.isnan(flow.decay_length)


def test_mean_and_quartiles_over_rows():
    flow = gs.gradient_flow(network(batch=5))
    rows = flow.log_norm[9, 2].sort().values
    assert flow.mean[9, 2] == pytest.approx(rows.mean().item())
    assert flow.quartiles[:, 9, 2].tolist() == rows[[1, 2, 3]].tolist()
    assert torch.isneginf(flow.mean[2, 9])
    assert not torch.isnan(flow.quartiles).any()


@pytest.mark.parametrize("every", [0, 25, -1])
def test_a_grid_outside_the_chain_is_named(every):
    with pytest.raises(errors.LinkRangeError, match="every"):
        gs.gradient_flow(network(), every=every)


def test_another_norm_is_named():
    with pytest.raises(errors.OptionError, match="nuclear"):
        gs.gradient_flow(network(), norm="nuclear")


def test_a_jacobian_that_is_not_finite_is_named_by_its_timestep():
    steps = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]).double()[:, None, None]
    cell = lambda u, s: s.abs().sqrt() * u  # noqa: E731
    chain = gs.time_chain(cell, steps, torch.full((1, 3), 0.5).double())
    with pytest.raises(errors.NonFiniteError, match="timestep t=4"):
        gs.gradient_flow(chain)


def test_the_result_is_a_table_a_plot_and_a_line():
    flow = gs.gradient_flow(network(), every=4)
    frame, decades = flow.to_frame(), flow.to_frame(log10=True)
    assert list(frame.columns) == ["t", "k", "row", "log_norm"]
    assert len(frame) == 7 * 8 // 2 * 3
    row = frame[(frame["t"] == 20) & (frame["k"] == 4) & (frame["row"] == 2)]
    assert row["log_norm"].item() == flow.log_norm[5, 1, 2].item()
    assert decades["log10_norm"].tolist() == pytest.approx((frame["log_norm"] / math.log(10)).tolist())
    ax = flow.plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("from state $k$", "to state $t$")
    assert "decay length" in repr(flow)
    assert "exactly 0" in gs.gradient_flow(linear(torch.zeros(2, 2).double(), 5)).plot().get_title()

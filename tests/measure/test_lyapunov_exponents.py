"""lyapunov_exponents.

Oracles: eigenvalues of constant and periodic chains; closed forms (orthogonal networks, the scalar latch, the logistic
map, Arnold's cat map, independent Gaussian matrices, mean-field theory of random tanh networks); a QR at every link,
plain (`measure.dense`) and in 60 digits (mpmath).
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.special import polygamma, psi

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import dense
from gradstudy.measure.graded import random_basis
from gradstudy.measure.precise import exact_rank


def gaussian(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chain_of(matrices, repeats=1, batch=1):
    """A chain with the given Jacobians, over and over, whose state stays at 0."""
    period, size = len(matrices), matrices.shape[-1]
    steps = (torch.arange(period * repeats) % period).to(torch.float64)[:, None].expand(-1, batch)

    def cell(index, state):
        return torch.einsum("bij,bj->bi", matrices[index.long()], state - state.detach())

    return gs.time_chain(cell, steps, torch.zeros(batch, size, dtype=torch.float64))


def log_moduli(matrix):
    return torch.linalg.eigvals(matrix).abs().log().sort(descending=True).values


def with_real_spectrum(size, seed=0):
    """Matrices whose product has real, well separated eigenvalues; and the flag of its eigenvectors."""
    matrices = gaussian(3, size, size, seed=seed)
    period = gaussian(size, size, seed=seed + 1)
    period = period @ torch.diag(2.0 ** -torch.arange(size, dtype=torch.float64)) @ torch.linalg.inv(period)
    matrices[2] = period @ torch.linalg.inv(matrices[1] @ matrices[0])
    values, vectors = torch.linalg.eig(period)
    return matrices, vectors.real[:, values.abs().argsort(descending=True)]


def test_linear_network_has_the_moduli_of_its_eigenvalues():
    matrix = gaussian(6, 6, seed=3)
    chain = gs.time_chain(lambda u, s: s @ matrix.T, torch.zeros(3000, 1, 1).double(), torch.zeros(1, 6).double())
    torch.testing.assert_close(gs.lyapunov_exponents(chain).exponents, log_moduli(matrix), rtol=0, atol=5 / 3000)


def test_orthogonal_network_has_exponents_zero():
    net = torch.nn.RNN(1, 12, nonlinearity="relu", bias=False).double()
    with torch.no_grad():
        torch.nn.init.orthogonal_(net.weight_hh_l0)
    weight = net.weight_hh_l0.detach()
    chain = gs.time_chain(lambda u, s: s @ weight.T, torch.zeros(500, 2, 1).double(), gaussian(2, 12))
    found = gs.lyapunov_exponents(chain)
    torch.testing.assert_close(found.exponents, torch.zeros(12).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("weight", [1.05, 1.25, 2.0])
def test_bengio_s_latch_rests_at_the_rate_of_its_attractor(weight):
    start = torch.tensor([[0.3], [-2.0], [1e-3]], dtype=torch.float64)
    chain = gs.time_chain(lambda u, a: weight * torch.tanh(a), torch.zeros(3000, 3, 1).double(), start)
    x = math.sqrt(1 - 1 / weight)
    for _ in range(2000):  # x = tanh(w x), where a = w x
        x = math.tanh(weight * x)
    rate = math.log(weight * (1 - x * x))
    by_row = gs.lyapunov_exponents(chain, burn_in=2500).by_row
    torch.testing.assert_close(by_row, torch.full((3, 1), rate, dtype=torch.float64), rtol=0, atol=1e-12)


def test_logistic_map_has_log_two():
    start = torch.tensor([[0.3]], dtype=torch.float64)
    chain = gs.time_chain(lambda u, x: 4 * x * (1 - x), torch.zeros(100_000, 1, 1).double(), start)
    found = gs.lyapunov_exponents(chain, burn_in=100)
    assert found.exponents.item() == pytest.approx(math.log(2), abs=1e-3)
    assert found.entropy_rate == found.exponents.item()  # Pesin: the metric entropy of the map is log 2
    assert abs(found.exponents.item() - math.log(2)) < 4 * found.stderr.item()
    assert found.dimension == 1


def test_arnold_s_cat_map_has_the_golden_mean_squared_and_its_inverse():
    matrix = torch.tensor([[2.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    start = torch.tensor([[0.3, 0.2]], dtype=torch.float64)
    chain = gs.time_chain(lambda u, s: (s @ matrix.T) % 1, torch.zeros(5000, 1, 1).double(), start)
    found = gs.lyapunov_exponents(chain, burn_in=50)
    rate = math.log((3 + math.sqrt(5)) / 2)
    assert found.exponents.tolist() == pytest.approx([rate, -rate], abs=1e-10)
    assert found.dimension == pytest.approx(2)
    assert found.entropy_rate == pytest.approx(rate)


@pytest.mark.parametrize("seed", range(4))
def test_a_periodic_chain_has_the_eigenvalues_of_its_period_map(seed):
    matrices, flag = with_real_spectrum(4, seed=10 * seed)
    want = log_moduli(matrices[2] @ matrices[1] @ matrices[0]) / 3
    chain = chain_of(matrices, 40)
    exact = gs.lyapunov_exponents(chain, basis=flag)
    torch.testing.assert_close(exact.exponents, want, rtol=0, atol=1e-10)
    torch.testing.assert_close(gs.lyapunov_exponents(chain).exponents, want, rtol=0, atol=5 / 120)


def test_transposed_links_in_forward_order_would_be_another_product():
    matrices, _ = with_real_spectrum(4)
    right = log_moduli(matrices[2] @ matrices[1] @ matrices[0]) / 3
    wrong = log_moduli(matrices[2].T @ matrices[1].T @ matrices[0].T) / 3
    assert (right - wrong).abs().max() > 0.1
    found = gs.lyapunov_exponents(chain_of(matrices, 100)).exponents
    assert (found - right).abs().max() < 5 / 300 < (found - wrong).abs().max()


def test_burn_in_turns_the_basis_and_counts_nothing():
    matrices, _ = with_real_spectrum(4)
    want = log_moduli(matrices[2] @ matrices[1] @ matrices[0]) / 3
    # From a random basis: the transient lies within the burn-in, the rest are whole periods of the turned flag.
    found = gs.lyapunov_exponents(chain_of(matrices, 60), burn_in=3 * 40)
    torch.testing.assert_close(found.exponents, want, rtol=0, atol=1e-10)
    assert (found.burn_in, found.links) == (120, 60)
    without = gs.lyapunov_exponents(chain_of(matrices, 60))
    assert (without.exponents - want).abs().max() > 1e-4


def test_independent_gaussian_links_have_newman_s_exponents_and_their_scatter():
    # E log chi and var log chi: (psi(m/2) + log 2) / 2 and psi'(m/2) / 4 for m = n, n-1, ..., 1 degrees of freedom.
    size, steps = 5, 4000
    found = gs.lyapunov_exponents(chain_of(gaussian(steps, size, size) / math.sqrt(size)))
    freedom = np.arange(size, 0, -1) / 2
    want, scatter = (psi(freedom) + math.log(2 / size)) / 2, np.sqrt(polygamma(1, freedom) / 4 / steps)
    assert (np.abs(found.exponents.numpy() - want) < 4 * scatter).all()
    assert found.stderr.numpy() == pytest.approx(scatter, rel=0.35)


def origin_and_far(gain, weight, start, steps=700):
    """Top exponent at the resting point 0 and on the trajectory from afar, of h = tanh(g W h)."""
    net = torch.nn.RNN(1, len(weight), bias=False).double()
    with torch.no_grad():
        net.weight_hh_l0.copy_(gain * weight)
    inputs = torch.zeros(steps, 2, 1, dtype=torch.float64)
    chain = gs.time_chain(net, inputs, torch.stack([torch.zeros_like(start), start])[None])
    return gs.lyapunov_exponents(chain, k=2, burn_in=200).by_row[:, 0].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_random_tanh_networks_lose_their_resting_point_at_gain_one_and_turn_chaotic(seed):
    size = 500
    weight, start = gaussian(size, size, seed=seed) / math.sqrt(size), gaussian(size, seed=seed + 100)
    assert max(origin_and_far(0.95, weight, start)) < 0
    assert origin_and_far(1.05, weight, start)[0] > 0
    # Mean field, gain 2: l = log(g^2 <phi'^2>) / 2 at the variance q = g^2 <phi(sqrt q z)^2>.
    z, mass = np.polynomial.hermite_e.hermegauss(100)
    q = 1.0
    for _ in range(1000):
        q = 4 * (mass * np.tanh(math.sqrt(q) * z) ** 2).sum() / mass.sum()
    slope = 4 * (mass * (1 - np.tanh(math.sqrt(q) * z) ** 2) ** 2).sum() / mass.sum()
    assert origin_and_far(2.0, weight, start)[1] == pytest.approx(math.log(slope) / 2, abs=0.02)


def graded(kind):
    scales = 10.0 ** -torch.arange(0, 12, 2, dtype=torch.float64)
    big, small = torch.tensor([1e100, 1e-100], dtype=torch.float64)
    return {
        "plain": lambda m: m,
        "graded rows": lambda m: scales[:, None] * m,
        "graded columns": lambda m: m * scales,
        "tiny": lambda m: 1e-30 * m,
        "huge": lambda m: 1e30 * m,
        "huge and tiny in turn": lambda m: m * torch.where(torch.arange(len(m)) % 2 == 0, big, small)[:, None, None],
    }[kind](gaussian(40, 6, 6, seed=4))


def in_many_digits(matrices, basis, burn_in):
    """Mean log diagonals of R, by a QR at every link in 60 digits."""
    with mpmath.workdps(60):
        frame, growth = mpmath.matrix(basis.tolist()), [mpmath.mpf(0)] * basis.shape[1]
        for t, matrix in enumerate(matrices):
            frame, factor = mpmath.qr(mpmath.matrix(matrix.tolist()) * frame, mode="skinny")
            if t >= burn_in:
                growth = [g + mpmath.log(abs(factor[i, i])) for i, g in enumerate(growth)]
        return torch.tensor([float(g / (len(matrices) - burn_in)) for g in growth], dtype=torch.float64)


@pytest.mark.parametrize("kind", ["plain", "graded rows", "graded columns", "tiny", "huge", "huge and tiny in turn"])
def test_seldom_factorised_is_factorised_at_every_link(kind):
    matrices = graded(kind)
    chain, basis = chain_of(matrices, 2), random_basis(1, 6, 6, torch.device("cpu"))[0]
    want = in_many_digits(matrices.repeat(2, 1, 1), basis, 7)
    twin = dense.lyapunov_exponents(chain, basis, burn_in=7)[0]
    # A link that spreads its directions by e^23 costs the weakest as many digits, however it is factorised.
    tolerance = 1e-9 + 4 * (twin - want).abs()
    for every in (None, 1):
        found = gs.lyapunov_exponents(chain, burn_in=7, every=every, basis=basis)
        assert ((found.by_row[0] - want).abs() <= tolerance).all()


@pytest.mark.parametrize(("size", "gain"), [(64, None), (64, 3.0), (33, 1.0)])
def test_networks_against_a_qr_at_every_link(size, gain):
    torch.manual_seed(0)
    net = torch.nn.RNN(2, size).double()
    if gain:
        torch.nn.init.normal_(net.weight_hh_l0, std=gain / math.sqrt(size))
    chain = gs.time_chain(net, torch.randn(300, 2, 2).double())
    want = dense.lyapunov_exponents(chain, random_basis(1, size, size, chain.states.device)[0])
    order = want.mean(0).argsort(descending=True)
    whole, few = gs.lyapunov_exponents(chain), gs.lyapunov_exponents(chain, k=5)
    torch.testing.assert_close(whole.by_row, want[:, order], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(few.by_row, want[:, order[:5]], rtol=1e-9, atol=1e-9)  # by Jacobian-vector products
    sums = torch.stack([torch.linalg.slogdet(chain.jacobian(t))[1] for t in range(1, 301)]).mean(0)
    torch.testing.assert_close(whole.by_row.sum(1), sums, rtol=1e-9, atol=0)  # bookkeeping, which a wrong order passes


@pytest.mark.parametrize("seed", range(3))
def test_exact_zeros_are_minus_infinity_and_the_others_stay(seed):
    matrices = gaussian(5, 4, 4, seed=seed)
    matrices[2, 1] = matrices[2, 0]  # singular without a zero in it
    chain = chain_of(matrices, 20)
    found = gs.lyapunov_exponents(chain)
    want = dense.lyapunov_exponents(chain, random_basis(1, 4, 4, chain.states.device)[0])[0, :3]
    want = want.sort(descending=True).values
    assert torch.isneginf(found.exponents).tolist() == [False] * 3 + [True]
    torch.testing.assert_close(found.exponents[:3], want, rtol=1e-9, atol=1e-9)
    assert torch.isnan(found.stderr).tolist() == [False] * 3 + [True]


def test_dead_relu_units_leave_as_many_exponents_as_the_product_s_rank():
    torch.manual_seed(0)
    net = torch.nn.RNN(2, 6, nonlinearity="relu").double()
    with torch.no_grad():
        net.bias_hh_l0.add_(torch.tensor([-100.0, 1.0, 1.0, 0.3, 1.0, 0.1]))
    chain = gs.time_chain(net, torch.randn(150, 3, 2).double())
    found = gs.lyapunov_exponents(chain)
    ranks = [exact_rank(chain.links.jacobians(0, 150)[:, row]) for row in range(3)]
    assert torch.isfinite(found.by_row).sum(1).tolist() == ranks
    assert min(ranks) < 6
    assert not torch.isnan(found.by_row).any()
    assert math.isfinite(found.dimension)


def test_a_zero_chain_is_all_minus_infinity():
    chain = chain_of(torch.zeros(200, 3, 3).double(), batch=2)
    for k in (None, 1):
        found = gs.lyapunov_exponents(chain, k=k)
        assert torch.isneginf(found.by_row).all()
    assert (gs.lyapunov_exponents(chain).dimension, gs.lyapunov_exponents(chain).entropy_rate) == (0.0, 0.0)


@pytest.mark.parametrize("k", [None, 1])
def test_a_jacobian_that_is_not_finite_is_named_by_its_timestep(k):
    # |s|^(1/2) has no slope at 0, which the third state is.
    steps = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]).double()[:, None, None]
    cell = lambda u, s: s.abs().sqrt() * u  # noqa: E731
    chain = gs.time_chain(cell, steps, torch.full((1, 3), 0.5).double())
    with pytest.raises(errors.NonFiniteError, match="timestep t=4"):
        gs.lyapunov_exponents(chain, k=k)


def diagonal(*rates, steps=200):
    return chain_of(torch.diag(torch.tensor(rates, dtype=torch.float64).exp())[None], steps)


@pytest.mark.parametrize(
    ("rates", "k", "dimension", "entropy"),
    [
        ((0.5, -0.2, -1.0), None, 2.3, 0.5),
        ((-0.1, -0.2), None, 0.0, 0.0),
        ((0.5, 0.2), None, 2.0, 0.7),
        ((0.5, 0.2, -2.0), 2, math.nan, math.nan),
        ((0.5, -0.2, -2.0), 2, math.nan, 0.5),
        ((0.5, -0.7, -2.0), 2, 1 + 5 / 7, 0.5),
        ((0.5, -math.inf), None, 1.0, 0.5),
    ],
)
def test_dimension_and_entropy_rate(rates, k, dimension, entropy):
    basis = torch.eye(len(rates)).double()
    found = gs.lyapunov_exponents(diagonal(*rates), k=k, basis=basis)
    assert found.exponents.tolist() == pytest.approx(list(rates)[: k or len(rates)])
    assert found.dimension == pytest.approx(dimension, nan_ok=True)
    assert found.entropy_rate == pytest.approx(entropy, nan_ok=True)


def test_a_basis_is_its_flag_and_need_not_be_ordered_by_growth():
    basis = torch.tensor([[0.0, 3.0], [2.0, 7.0]]).double()  # the slow direction first, neither of unit length
    found = gs.lyapunov_exponents(diagonal(0.5, -0.2), basis=basis)
    assert found.exponents.tolist() == pytest.approx([0.5, -0.2], abs=1e-12)


def test_too_short_for_a_standard_error():
    matrices = gaussian(120, 3, 3)
    assert torch.isfinite(gs.lyapunov_exponents(chain_of(matrices), burn_in=20).stderr).all()
    assert torch.isnan(gs.lyapunov_exponents(chain_of(matrices), burn_in=21).stderr).all()


def test_rows_are_averaged_and_do_not_influence_each_other():
    torch.manual_seed(0)
    net, x = torch.nn.RNN(2, 8).double(), torch.randn(150, 3, 2).double()
    together = gs.lyapunov_exponents(gs.time_chain(net, x))
    for row in range(3):
        alone = gs.lyapunov_exponents(gs.time_chain(net, x[:, [row]])).exponents
        torch.testing.assert_close(together.by_row[row].sort(descending=True).values, alone, rtol=0, atol=1e-9)
    torch.testing.assert_close(together.by_row.mean(0), together.exponents)


@pytest.mark.parametrize(
    "bad",
    [
        {"k": 0},
        {"k": 5},
        {"burn_in": 6},
        {"burn_in": -1},
        {"every": 0},
        {"every": 7},
        {"k": 3, "basis": torch.eye(4)[:, :2]},
    ],
)
def test_what_lies_outside_the_chain_is_named(bad):
    with pytest.raises(errors.LinkRangeError, match=next(iter(bad))):
        gs.lyapunov_exponents(chain_of(gaussian(6, 4, 4)), **bad)


def test_a_basis_of_another_size_or_not_finite_is_named():
    chain = chain_of(gaussian(6, 4, 4))
    with pytest.raises(errors.InputShapeError, match="basis"):
        gs.lyapunov_exponents(chain, basis=torch.eye(3))
    with pytest.raises(errors.NonFiniteError, match="basis"):
        gs.lyapunov_exponents(chain, basis=torch.full((4, 1), torch.nan))
    for basis in (torch.zeros(4, 2), torch.ones(4, 2), torch.eye(4)[:, [0, 1, 0]]):
        with pytest.raises(errors.OptionError, match="columns that span"):
            gs.lyapunov_exponents(chain, basis=basis)
    assert gs.lyapunov_exponents(chain, basis=torch.eye(4) * torch.tensor([1e-30, 1.0, 1e30, 1.0])).by_row.shape[1] == 4


def test_nothing_is_drawn_from_the_global_generator():
    chain = chain_of(gaussian(50, 3, 3))
    before = torch.get_rng_state()
    first = gs.lyapunov_exponents(chain)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.exponents, gs.lyapunov_exponents(chain).exponents)


def test_the_result_is_a_table_a_plot_and_a_line():
    found = gs.lyapunov_exponents(chain_of(gaussian(200, 3, 3)))
    frame, decades = found.to_frame(), found.to_frame(log10=True)
    assert list(frame.columns) == ["index", "exponent", "stderr"]
    assert decades["log10_exponent"].tolist() == pytest.approx((frame["exponent"] / math.log(10)).tolist())
    ax = found.plot()
    assert "nats per link" in ax.get_ylabel()
    assert "3 of 3" in repr(found)
    zero = gs.lyapunov_exponents(diagonal(0.5, -math.inf)).plot()
    assert "1 exponent(s) of -inf" in zero.get_title()


def test_an_lstm_whose_links_spread_far_agrees_with_a_qr_at_every_link():
    # Conditions of 1e5 a link: both ways round in the weakest directions, and the report of costs says how much.
    torch.manual_seed(0)
    chain = gs.time_chain(torch.nn.LSTM(64, 64).double(), torch.randn(200, 1, 64, dtype=torch.float64))
    planned, every = gs.lyapunov_exponents(chain), gs.lyapunov_exponents(chain, every=1)
    torch.testing.assert_close(planned.exponents, every.exponents, rtol=0, atol=1e-7)
    torch.testing.assert_close(planned.exponents[:64], every.exponents[:64], rtol=0, atol=1e-9)

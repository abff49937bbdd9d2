"""product_spectrum.

Oracles: the plain product in 200 to 9,000 digits (mpmath, `measure.dense`) on the same float64 links; QR passes in
FLINT's arithmetic where that is too slow; exact rank by rational arithmetic (fractions); closed forms for orthogonal,
diagonal and constant chains.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import dense
from gradstudy.measure.graded import log_singular_values, random_basis
from gradstudy.measure.precise import precise_factor
from gradstudy.models.pascanu import PascanuRNN


def rnn_chain(kind, seed, *, size=8, steps=60, gain=1.0, nonlinearity="tanh"):
    torch.manual_seed(seed)
    net = torch.nn.RNN(2, size, nonlinearity=nonlinearity).double()
    with torch.no_grad():
        if kind == "gaussian":
            net.weight_hh_l0.normal_(0, gain / math.sqrt(size))
        if kind == "orthogonal":
            torch.nn.init.orthogonal_(net.weight_hh_l0).mul_(gain)
    return gs.time_chain(net, torch.randn(steps, 1, 2).double())


def gated_chain(kind, seed, *, size, steps=60, batch=1):
    torch.manual_seed(seed)
    net = getattr(torch.nn, kind)(2, size).double()
    return gs.time_chain(net, torch.randn(steps, batch, 2, dtype=torch.float64))


def linear_chain(matrices):
    """The chain whose links are the matrices, `(T, n, n)`."""
    steps = torch.arange(len(matrices), dtype=torch.float64)[:, None, None]
    cell = lambda u, s: torch.einsum("bij,bj->bi", matrices[u[:, 0].long()], s)  # noqa: E731
    return gs.time_chain(cell, steps, torch.zeros(1, matrices.shape[-1], dtype=torch.float64))


def links(chain):
    return torch.stack([chain.jacobian(t)[0] for t in range(1, chain.length + 1)]).double()


def check(chain, digits):
    """Every value within 1e-9 nats, and the error bound between the true error and 100 times it + 1e-9."""
    spectrum = gs.product_spectrum(chain)
    calibrated(spectrum, torch.tensor(dense.log_singular_values(links(chain), digits), dtype=torch.float64))
    return spectrum


def check_with_flint(chain):
    """The same against QR passes in FLINT's arithmetic."""
    spectrum, matrices = gs.product_spectrum(chain), links(chain)
    size = matrices.shape[-1]
    log_diagonal, unit = precise_factor(matrices, random_basis(1, size, size, matrices.device)[0])
    calibrated(spectrum, log_singular_values(log_diagonal[None], unit.T[None])[0])
    return spectrum


def calibrated(spectrum, want):
    error = (spectrum.log_singular_values[0] - want).abs()
    assert error.max() <= 1e-9
    assert (spectrum.error[0] >= error).all()
    assert (spectrum.error[0] <= 100 * error + 1e-9).all()


@pytest.mark.parametrize("kind", ["default", "gaussian", "orthogonal"])
def test_twenty_seeds_against_high_precision(kind):
    for seed in range(20):
        check(rnn_chain(kind, seed), digits=600)


@pytest.mark.parametrize(("kind", "size"), [("GRU", 8), ("LSTM", 6)])
def test_twenty_seeds_of_gated_cells_against_high_precision(kind, size):
    spectra = [check(gated_chain(kind, seed, size=size), digits=1200) for seed in range(20)]
    # The LSTM's links are of condition 1e3 to 1e6 ; double-double is for them.
    assert any("double-double" in spectrum.method for spectrum in spectra) == (kind == "LSTM")
    assert not any("extra bits" in spectrum.method for spectrum in spectra)


@pytest.mark.parametrize(("size", "steps"), [(24, 80), (3, 2000)])
def test_large_and_long_lstm_against_flint(size, steps):
    spectrum = check_with_flint(gated_chain("LSTM", 0, size=size, steps=steps))
    assert "1 row(s) in double-double" in spectrum.method


@pytest.mark.parametrize("decades", range(9, 14))
@pytest.mark.parametrize("kind", ["spread", "rows", "two clusters"])
def test_ill_conditioned_links(kind, decades):
    torch.manual_seed(decades)
    left, right = torch.linalg.qr(torch.randn(2, 8, 6, 6, dtype=torch.float64))[0]
    spectrum = 10.0 ** -torch.linspace(0, decades, 6, dtype=torch.float64)
    matrices = {
        "spread": left * spectrum @ right,
        "rows": spectrum[:, None] * torch.randn(8, 6, 6, dtype=torch.float64),
        "two clusters": left * torch.where(torch.arange(6) < 3, 1.0, spectrum[-1]) @ right,
    }[kind]
    for steps in (1, 3, 8):
        check(linear_chain(matrices[:steps]), digits=800)


@pytest.mark.parametrize("kind", ["entries", "rows", "columns"])
def test_links_that_range_from_1e_minus_150_to_1e150(kind):
    shape = {"entries": (2, 8, 8), "rows": (2, 8, 1), "columns": (2, 1, 8)}[kind]
    for seed in range(3):
        torch.manual_seed(seed)
        sizes = 10.0 ** (300 * torch.rand(shape, dtype=torch.float64) - 150)
        spectrum = check(linear_chain(sizes * torch.randn(2, 8, 8, dtype=torch.float64)), digits=5000)
        assert "1 row(s) with extra bits" in spectrum.method


def test_rows_in_double_double_and_in_float64_do_not_influence_each_other():
    chain = gated_chain("LSTM", 1, size=24, batch=3)
    together = gs.product_spectrum(chain)
    assert "in double-double" in together.method  # how many rows need it hangs on the last bits of the links
    torch.manual_seed(1)
    net = torch.nn.LSTM(2, 24).double()
    x = torch.randn(60, 3, 2, dtype=torch.float64)
    for row in range(3):
        alone = gs.product_spectrum(gs.time_chain(net, x[:, [row]])).log_singular_values
        # A batch of another size rounds its links otherwise: 1e-16 times their condition of 1e5, over 60 links.
        torch.testing.assert_close(together.log_singular_values[[row]], alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("kind", "gain"), [("gaussian", 2.0), ("gaussian", 4.0), ("orthogonal", 6.0)])
def test_saturated_chains_get_extra_bits(kind, gain):
    # Slopes down to 1e-8: float64 passes disagree by up to 1e-5 nats there, so rows are done again.
    for seed in range(3):
        check(rnn_chain(kind, seed, gain=gain, steps=40), digits=2000)


def test_float32_chain_is_the_product_of_its_float32_links():
    torch.manual_seed(0)
    chain = gs.time_chain(torch.nn.RNN(2, 6), torch.randn(50, 1, 2))
    check(chain, digits=400)


def test_two_thousand_links_without_overflow():
    # Orthogonal linear network: every singular value is gain^T, here e^4605 and e^-4605.
    for gain in (0.1, 10.0):
        net = PascanuRNN(1, 8, "linear").double()
        with torch.no_grad():
            torch.nn.init.orthogonal_(net.weight_rec).mul_(gain)
            net.bias.zero_()
            net.weight_in.zero_()
        chain = gs.time_chain(net, torch.zeros(2000, 1, 1).double())  # the state stays 0, the links do not
        values = gs.product_spectrum(chain).log_singular_values
        torch.testing.assert_close(
            values, torch.full((1, 8), 2000 * math.log(gain), dtype=torch.float64), rtol=0, atol=1e-9
        )


def test_a_diagonal_chain_with_a_range_of_thousands_of_nats():
    scales = torch.tensor([3.0, 1.0, 0.5, 0.01]).double()
    chain = gs.time_chain(lambda u, s: s * scales, torch.zeros(2000, 1, 1).double(), torch.zeros(1, 4).double())
    spectrum = gs.product_spectrum(chain)
    torch.testing.assert_close(spectrum.log_singular_values[0], 2000 * scales.log(), rtol=0, atol=1e-9)


def test_a_long_saturating_chain_against_high_precision():
    check(rnn_chain("default", 5, size=4, steps=600), digits=3000)


def exact_rank_by_fractions(matrices):
    rows = [[Fraction(v) for v in row] for row in matrices[0].tolist()]
    for matrix in matrices[1:]:
        left = [[Fraction(v) for v in row] for row in matrix.tolist()]
        columns = list(zip(*rows, strict=True))
        rows = [[sum(a * b for a, b in zip(r, c, strict=True) if a and b) for c in columns] for r in left]
    rank = 0
    while rows and rows[0]:
        pivot = next((r for r in rows if r[0]), None)
        if pivot is None:
            rows = [r[1:] for r in rows]
            continue
        rows.remove(pivot)
        rows = [[b - r[0] / pivot[0] * a for a, b in zip(pivot[1:], r[1:], strict=True)] for r in rows]
        rank += 1
    return rank


@pytest.mark.parametrize("seed", range(8))
def test_rank_deficient_relu_chains_have_as_many_finite_values_as_the_exact_rank(seed):
    torch.manual_seed(seed)
    net = torch.nn.RNN(2, 6, nonlinearity="relu").double()
    with torch.no_grad():
        net.bias_hh_l0[: seed % 4] = -100.0
        net.bias_hh_l0[seed % 4 :] += 0.8
    chain = gs.time_chain(net, torch.randn(12, 1, 2).double())
    spectrum = gs.product_spectrum(chain)
    rank = exact_rank_by_fractions(links(chain))
    assert int(torch.isfinite(spectrum.log_singular_values).sum()) == rank
    assert not torch.isnan(spectrum.log_singular_values).any()
    assert (spectrum.error[0, rank:] == 0).all()
    want = torch.tensor(dense.log_singular_values(links(chain), 400)[:rank], dtype=torch.float64)
    torch.testing.assert_close(spectrum.log_singular_values[0, :rank], want, rtol=0, atol=1e-9)


def test_a_singular_link_that_is_not_an_empty_row():
    # Two equal rows: singular without a zero in it; and its neighbour, one ulp away, which is not singular.
    base = torch.tensor([[1.0, 2.0, 0.3], [1.0, 2.0, 0.3], [0.2, 0.1, 1.0]]).double()
    near = base.clone()
    near[0, 0] = torch.nextafter(near[0, 0], torch.tensor(2.0).double())
    for matrix, rank in ((base, 2), (near, 3)):
        chain = gs.time_chain(lambda u, s, m=matrix: s @ m.T, torch.zeros(5, 1, 1).double(), torch.zeros(1, 3).double())
        spectrum = gs.product_spectrum(chain)
        assert int(torch.isfinite(spectrum.log_singular_values).sum()) == rank == exact_rank_by_fractions([matrix] * 5)
        want = dense.log_singular_values(torch.stack([matrix] * 5), 400)[:rank]
        assert spectrum.log_singular_values[0, :rank].tolist() == pytest.approx(want, abs=1e-9)


def test_a_zero_chain_is_all_minus_infinity():
    net = torch.nn.RNN(2, 4, nonlinearity="relu").double()
    with torch.no_grad():
        net.bias_hh_l0.fill_(-100.0)
    spectrum = gs.product_spectrum(gs.time_chain(net, torch.randn(5, 2, 2).double()))
    assert torch.isneginf(spectrum.log_singular_values).all()


def test_a_window_of_the_chain():
    chain = rnn_chain("default", 3, steps=20)
    want = dense.log_singular_values(links(chain)[4:11], 200)
    got = gs.product_spectrum(chain, start=4, stop=11)
    assert (got.start, got.stop) == (4, 11)
    assert got.log_singular_values[0].tolist() == pytest.approx(want, abs=1e-9)


def test_batch_rows_do_not_influence_each_other():
    torch.manual_seed(0)
    net, x = torch.nn.RNN(2, 6).double(), torch.randn(40, 3, 2).double()
    together = gs.product_spectrum(gs.time_chain(net, x)).log_singular_values
    for row in range(3):
        alone = gs.product_spectrum(gs.time_chain(net, x[:, [row]])).log_singular_values
        torch.testing.assert_close(together[[row]], alone, rtol=0, atol=1e-10)


def test_k_largest_matrix_free_equals_the_whole_spectrum():
    torch.manual_seed(0)
    net, x = torch.nn.RNN(2, 40).double(), torch.randn(50, 2, 2).double()
    chain = gs.time_chain(net, x)
    whole, top = gs.product_spectrum(chain), gs.product_spectrum(chain, k=3)
    assert "block power" in top.method
    gap = (whole.log_singular_values[:, :3] - top.log_singular_values).abs()
    assert (gap <= top.error + whole.error[:, :3]).all()
    assert top.error.max() < 1e-9
    assert torch.equal(gs.product_spectrum(chain, k=30).log_singular_values, whole.log_singular_values[:, :30])


def test_nothing_is_drawn_from_the_global_generator():
    chain = rnn_chain("default", 0)
    before = torch.get_rng_state()
    first = gs.product_spectrum(chain)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.log_singular_values, gs.product_spectrum(chain).log_singular_values)


@pytest.mark.parametrize("bad", [{"start": 5, "stop": 5}, {"stop": 61}, {"start": -1}, {"k": 0}, {"k": 9}])
def test_windows_and_k_outside_the_chain_are_named(bad):
    with pytest.raises(errors.LinkRangeError):
        gs.product_spectrum(rnn_chain("default", 0), **bad)


def test_the_result_is_a_table_a_plot_and_a_line():
    spectrum = gs.product_spectrum(rnn_chain("default", 0))
    assert list(spectrum.to_frame().columns) == ["row", "index", "log_singular_value", "error"]
    assert spectrum.plot().get_ylabel()
    assert "nats" in repr(spectrum)


def exact_values(matrices):
    """Log singular values of the exact product (fractions), -inf beyond its exact rank."""
    rank = exact_rank_by_fractions(matrices)
    return dense.log_singular_values(matrices, 2000)[:rank] + [-math.inf] * (len(matrices[0]) - rank)


def test_a_singular_chain_that_is_ill_conditioned_besides():
    # One value is exactly 0 and another 1e-20 of the largest: the start basis needs the extra bits too.
    torch.manual_seed(2)
    scales = torch.tensor([1.0, 1e-20, 0.0]).double()
    matrices = torch.stack([scales[:, None] * torch.randn(3, 3).double() for _ in range(2)])
    steps = torch.arange(2).double()[:, None, None]
    cell = lambda u, s: torch.einsum("bij,bj->bi", matrices[u[:, 0].long()], s)  # noqa: E731
    spectrum = gs.product_spectrum(gs.time_chain(cell, steps, torch.zeros(1, 3).double()))
    assert spectrum.log_singular_values[0].tolist() == pytest.approx(exact_values(matrices), abs=1e-9)


@pytest.mark.parametrize("gain", [12.0, 20.0])
def test_chains_whose_slopes_round_to_zero(gain):
    for seed in range(5):
        chain = rnn_chain("gaussian", seed, gain=gain, steps=9)
        spectrum = gs.product_spectrum(chain)
        assert spectrum.log_singular_values[0].tolist() == pytest.approx(exact_values(links(chain)), abs=1e-9)


def test_k_largest_of_a_cluster_that_block_power_cannot_separate():
    torch.manual_seed(0)
    values = 1 + 1e-6 * torch.arange(60).double()
    basis = torch.linalg.qr(torch.randn(60, 60).double())[0]
    matrix = basis @ torch.diag(values) @ basis.T
    chain = gs.time_chain(lambda u, s: s @ matrix.T, torch.zeros(3, 1, 1).double(), torch.zeros(1, 60).double())
    want = torch.linalg.svdvals(matrix).log()[:3] * 3
    torch.testing.assert_close(gs.product_spectrum(chain, k=3).log_singular_values[0], want, rtol=0, atol=1e-9)


def test_k_largest_of_rank_deficient_and_zero_chains():
    torch.manual_seed(0)
    net = torch.nn.RNN(2, 32, nonlinearity="relu").double()
    with torch.no_grad():
        net.bias_hh_l0[:30] = -100.0
        net.bias_hh_l0[30:] = 5.0
    chain = gs.time_chain(net, torch.randn(6, 1, 2).double())
    top, whole = gs.product_spectrum(chain, k=4), gs.product_spectrum(chain)
    assert torch.equal(top.log_singular_values, whole.log_singular_values[:, :4])
    assert torch.isfinite(top.log_singular_values).tolist() == [[True, True, False, False]]
    zero = gs.time_chain(lambda u, s: 0 * s, torch.zeros(4, 1, 1).double(), torch.zeros(1, 32).double())
    assert torch.isneginf(gs.product_spectrum(zero, k=2).log_singular_values).all()


def test_k_largest_of_a_float32_chain_are_those_of_its_float32_links():
    torch.manual_seed(0)
    chain = gs.time_chain(torch.nn.RNN(2, 32), torch.randn(40, 1, 2))
    top, whole = gs.product_spectrum(chain, k=2), gs.product_spectrum(chain)
    assert "block power" in top.method
    torch.testing.assert_close(top.log_singular_values, whole.log_singular_values[:, :2], rtol=0, atol=1e-9)

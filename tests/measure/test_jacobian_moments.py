"""jacobian_moments.

Oracles: traces of the dense product (the slow twin) and sums of the squared singular values of `product_spectrum`;
closed forms: orthogonal links, scaled identities, the moments of a product of Gaussian matrices.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import gradstudy as gs
from gradstudy.measure import dense
from gradstudy.measure import jacobian_moments as module


def linear_chain(matrices, rows=2):
    """The chain s_t = M_t s_{t-1}; a timestep's input is its matrix."""
    inputs = matrices[:, None].expand(-1, rows, -1, -1)
    state = torch.ones(rows, matrices.shape[-1], dtype=matrices.dtype)
    return gs.time_chain(lambda matrix, s: torch.einsum("bij,bj->bi", matrix, s), inputs, state)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_estimates_lie_about_the_dense_moments_as_their_standard_errors_say(kind):
    torch.manual_seed(1)
    chain = gs.time_chain(getattr(torch.nn, kind)(3, 6).double(), torch.randn(4, 3, 3).double())
    one, two = dense.jacobian_moments(chain, 1, 4)
    want = {"log_mean": one.log(), "log_second_moment": two.log(), "relative_variance": two / one**2 - 1}
    squares = (2 * gs.product_spectrum(chain, 1, 4).log_singular_values).exp()
    size = squares.shape[-1]
    torch.testing.assert_close(one, squares.sum(-1) / size)
    torch.testing.assert_close(two, squares.square().sum(-1) / size)
    found = [gs.jacobian_moments(chain, 1, 4, probes=64, seed=seed) for seed in range(40)]
    for name, exact in want.items():
        deviation = torch.stack([(getattr(f, name) - exact) / getattr(f, f"{name}_stderr") for f in found])
        # 120 standardised deviations: mean 0 within 4 / sqrt(120) and small-sample bias, scale 1 within a third.
        assert abs(deviation.mean()) < 0.5
        assert 0.7 < deviation.square().mean().sqrt() < 1.4


def test_many_probes_come_to_the_dense_moments():
    torch.manual_seed(0)
    chain = gs.time_chain(torch.nn.GRU(3, 5).double(), torch.randn(6, 2, 3).double())
    one, two = dense.jacobian_moments(chain)
    found = gs.jacobian_moments(chain, probes=4000, seed=3)
    torch.testing.assert_close(found.log_mean, one.log(), rtol=0, atol=0.05)
    torch.testing.assert_close(found.log_second_moment, two.log(), rtol=0, atol=0.1)
    assert found.log_mean_stderr.max() < 0.02


def test_orthogonal_links_are_isometries_whatever_the_probes():
    chain = linear_chain(torch.linalg.qr(random(50, 7, 7))[0])
    found = gs.jacobian_moments(chain, probes=3, seed=0)
    zero = torch.zeros(2, dtype=torch.float64)
    for name in ("log_mean", "log_second_moment", "relative_variance"):
        torch.testing.assert_close(getattr(found, name), zero, rtol=0, atol=1e-12)
        torch.testing.assert_close(getattr(found, f"{name}_stderr"), zero, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gain", [0.01, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_long_chains_neither_under_nor_overflow(gain, dtype):
    chain = gs.time_chain(lambda u, s: gain * s, torch.zeros(200, 1, 1, dtype=dtype), torch.zeros(1, 4, dtype=dtype))
    found = gs.jacobian_moments(chain, probes=4, seed=0)
    assert found.log_mean.item() == pytest.approx(400 * math.log(gain), rel=1e-6)
    assert found.log_second_moment.item() == pytest.approx(800 * math.log(gain), rel=1e-6)
    assert abs(found.relative_variance.item()) < 1e-5


def test_a_product_of_gaussian_matrices_has_relative_variance_equal_to_its_length():
    # Wide limit: m_1 = g^2L and m_2 = (L + 1) m_1^2; corrections of order 1/n, and the matrices' own fluctuation.
    size, length, gain = 400, 3, 0.9
    chain = linear_chain(gain * random(length, size, size) / size**0.5, rows=1)
    found = gs.jacobian_moments(chain, probes=200, seed=0)
    assert found.log_mean.item() == pytest.approx(2 * length * math.log(gain), abs=0.05)
    assert found.relative_variance.item() == pytest.approx(length, abs=0.25)


def test_a_product_that_is_exactly_zero():
    matrices = random(3, 4, 4)
    matrices[1] = 0
    found = gs.jacobian_moments(linear_chain(matrices), probes=5, seed=0)
    assert found.log_mean.tolist() == found.log_second_moment.tolist() == [-math.inf, -math.inf]
    for name in ("log_mean_stderr", "log_second_moment_stderr", "relative_variance", "relative_variance_stderr"):
        assert getattr(found, name).isnan().all()
    assert len(found.plot(Figure().subplots()).get_lines()) > 0


def test_probes_are_a_function_of_the_seed_alone(monkeypatch):
    chain = linear_chain(random(4, 5, 5))
    state = torch.random.get_rng_state()
    found = gs.jacobian_moments(chain, probes=6, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    monkeypatch.setattr(module, "_TOGETHER", 1)  # one probe at a time
    torch.testing.assert_close(gs.jacobian_moments(chain, probes=6, seed=1).log_mean, found.log_mean)
    assert not torch.equal(gs.jacobian_moments(chain, probes=6, seed=2).log_mean, found.log_mean)


def test_a_window_of_one_link_is_the_link():
    matrices = random(3, 4, 4)
    found = gs.jacobian_moments(linear_chain(matrices), 1, 2, probes=4000, seed=0)
    want = matrices[1].square().sum().item() / 4
    np.testing.assert_allclose(found.log_mean, math.log(want), atol=0.1)
    assert (found.start, found.stop) == (1, 2)


def test_the_result_is_a_table_a_plot_and_a_line():
    found = gs.jacobian_moments(linear_chain(random(3, 4, 4)), probes=8, seed=0)
    names = ["mean", "mean_stderr", "second_moment", "second_moment_stderr"]
    spread = ["relative_variance", "relative_variance_stderr"]
    assert list(found.to_frame().columns) == ["row", *(f"log_{name}" for name in names), *spread]
    frame = found.to_frame(log10=True)
    assert list(frame.columns) == ["row", *(f"log10_{name}" for name in names), *spread]
    np.testing.assert_allclose(frame["log10_mean"] * math.log(10), found.log_mean)
    np.testing.assert_allclose(frame["relative_variance"], found.relative_variance)
    assert "moment" in found.plot(Figure().subplots()).get_ylabel()
    assert "8 probes" in repr(found)

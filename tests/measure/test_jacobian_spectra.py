"""jacobian_spectra.

Oracles: eigenvalues of J^T J in 50 digits (mpmath) on Jacobians from `jacrev`; closed form for orthogonal weights.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import mpmath
import pytest
import torch

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import block_lanczos
from gradstudy.measure import jacobian_spectra as module
from gradstudy.models.pascanu import PascanuRNN


@pytest.fixture
def chain():
    torch.manual_seed(2)
    return gs.time_chain(torch.nn.RNN(3, 5).double(), torch.randn(6, 2, 3).double())


def test_singular_values_and_eigenvalues_against_50_digits(chain):
    spectra = gs.jacobian_spectra(chain, eigenvalues=True)
    assert spectra.singular_values.shape == (6, 2, 5)
    with mpmath.workdps(50):
        for t in (1, 6):
            for row in range(2):
                matrix = mpmath.matrix(chain.jacobian(t)[row].tolist())
                squares = mpmath.eigsy(matrix.T * matrix, eigvals_only=True)
                want = sorted((float(mpmath.sqrt(s)) for s in squares), reverse=True)
                assert spectra.singular_values[t - 1, row].tolist() == pytest.approx(want, abs=1e-14)
                eigen = sorted((abs(v) for v in mpmath.eig(matrix, left=False, right=False)), reverse=True)
                moduli = spectra.eigenvalues[t - 1, row].abs().tolist()
                assert moduli == pytest.approx([float(v) for v in eigen], abs=1e-13)


def test_orthogonal_weights_and_zero_state_have_all_singular_values_one():
    net = PascanuRNN(1, 6, "tanh").double()
    with torch.no_grad():
        torch.nn.init.orthogonal_(net.weight_rec)
        net.bias.zero_()
    chain = gs.time_chain(net, torch.zeros(4, 1, 1).double())
    torch.testing.assert_close(gs.jacobian_spectra(chain).singular_values, torch.ones(4, 1, 6).double())


def test_k_keeps_the_largest_and_chunks_do_not_show(chain, monkeypatch):
    whole = gs.jacobian_spectra(chain).singular_values
    assert torch.equal(gs.jacobian_spectra(chain, k=2).singular_values, whole[..., :2])
    monkeypatch.setattr(module, "_CHUNK", 110)  # two links of two rows of 5 x 5 at a time
    assert torch.equal(gs.jacobian_spectra(chain).singular_values, whole)


def test_k_out_of_range_is_named(chain):
    for k in (0, 6):
        with pytest.raises(errors.LinkRangeError, match=f"k={k}"):
            gs.jacobian_spectra(chain, k=k)


def test_the_result_is_a_table_a_plot_and_a_line(chain):
    spectra = gs.jacobian_spectra(chain)
    frame = spectra.to_frame()
    assert list(frame.columns) == ["t", "row", "index", "singular_value"]
    assert frame["t"].min() == 1
    assert len(frame) == 60
    assert "log10_singular_value" in spectra.to_frame(log10=True)
    assert spectra.plot().get_xlabel()
    assert "5 values" in repr(spectra)


def large(kind, orthogonal=False, dtype=torch.float64):
    torch.manual_seed(0)
    size = 300 if kind == "LSTM" else 600
    module = getattr(torch.nn, kind)(4, size, dtype=dtype)
    if orthogonal:
        with torch.no_grad():
            torch.nn.init.orthogonal_(module.weight_hh_l0)
    return gs.time_chain(module, torch.randn(3, 2, 4, dtype=dtype))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_largest_of_large_links_come_without_forming_them(kind, orthogonal):
    # Oracle: dense SVD. Orthogonal weights make a cluster of values near the largest.
    chain = large(kind, orthogonal)
    found = gs.jacobian_spectra(chain, k=5)
    assert "block Lanczos" in found.method
    want = torch.linalg.svdvals(chain.links.jacobians(0, 3))[..., :5]
    torch.testing.assert_close(found.singular_values, want, rtol=5e-10, atol=0)


def test_the_largest_of_large_links_in_float32_and_of_an_identity():
    chain = large("LSTM", dtype=torch.float32)
    want = torch.linalg.svdvals(chain.links.jacobians(0, 3).double())[..., :5].float()
    torch.testing.assert_close(gs.jacobian_spectra(chain, k=5).singular_values, want, rtol=1e-5, atol=0)
    module = torch.nn.GRU(4, 600).double()
    with torch.no_grad():  # the update gate keeps everything: all singular values are 1, none stands out
        module.weight_hh_l0[600:1200], module.weight_ih_l0[600:1200], module.bias_ih_l0[600:1200] = 0, 0, 800
    pinned = gs.jacobian_spectra(gs.time_chain(module, torch.randn(2, 1, 4).double()), k=5).singular_values
    torch.testing.assert_close(pinned, torch.ones(2, 1, 5, dtype=torch.float64), rtol=1e-9, atol=0)


def test_values_whose_squares_underflow_are_not_read_as_zero():
    chain = large("RNN")
    scaled = replace(chain, links=replace(chain.links, weight=chain.links.weight * 1e-170))
    want = torch.linalg.svdvals(scaled.links.jacobians(0, 3))[..., :5]
    torch.testing.assert_close(gs.jacobian_spectra(scaled, k=5).singular_values, want, rtol=1e-12, atol=0)
    none = replace(chain, links=replace(chain.links, weight=torch.zeros_like(chain.links.weight)))
    assert not gs.jacobian_spectra(none, k=5).singular_values.any()


def test_rows_that_do_not_converge_are_done_densely(monkeypatch):
    one_block = partial(block_lanczos.largest_singular_values, most_blocks=1)  # too few for any row
    monkeypatch.setattr(module, "largest_singular_values", one_block)
    chain = large("LSTM")
    want = torch.linalg.svdvals(chain.links.jacobians(0, 3))[..., :5]
    torch.testing.assert_close(gs.jacobian_spectra(chain, k=5).singular_values, want, rtol=1e-12, atol=0)

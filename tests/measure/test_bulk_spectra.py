"""Bulk of the eigenvalues of products.

Oracles: numpy's eigenvalues of explicit products; matrices whose eigenvalues are known; the law of large matrices.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradstudy.measure.bulk_spectra import bulk_spectra, eigenvalue_roots
from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import Matrices, matrix_sequence


@pytest.mark.parametrize("sharing", ["tied", "independent"])
def test_against_numpys_eigenvalues(sharing):
    factors = matrix_sequence(Matrices(7), sharing, 1, generator(0, 0, "matrices"))
    weights = [next(factors)[0].numpy() for _ in range(3)]
    expected = np.linalg.eigvals(weights[2] @ weights[1] @ weights[0])
    found = eigenvalue_roots(Matrices(7), sharing, 3, generator(0, 0, "matrices")).numpy()
    order = np.lexsort((found.imag, np.abs(found).round(8)))
    against = np.lexsort((expected.imag, (np.abs(expected) ** (1 / 3)).round(8)))
    np.testing.assert_allclose(np.abs(found[order]) ** 3, np.abs(expected[against]), rtol=1e-9)
    np.testing.assert_allclose(np.cos(np.angle(found[order])), np.cos(np.angle(expected[against])), atol=1e-9)


def test_isometries_lie_on_the_circle():
    for sharing in ("tied", "independent"):
        roots = eigenvalue_roots(Matrices(9, "orthogonal"), sharing, 4, torch.Generator().manual_seed(0))
        torch.testing.assert_close(roots.abs(), torch.ones(9).double())


def test_large_matrices_fill_the_disc_evenly_and_a_scale_moves_the_independent_ones_alone():
    counts, eigenvalues = bulk_spectra(Matrices(150), 4, 6, [0.25, 0.75], seed=0, most=40)
    share = counts.groupby(["sharing", "law_share"])["share"].mean()
    for sharing in ("tied", "independent"):
        for law in (0.25, 0.75):
            assert share[sharing, law] == pytest.approx(law, abs=0.03)
    assert len(counts) == 24
    assert 60 < len(eigenvalues) <= 80
    scaled, _ = bulk_spectra(Matrices(150), 4, 6, [0.25, 0.75], seed=0, independent_scale=1.3)
    again = scaled.groupby(["sharing", "law_share"])["share"].mean()
    assert again["tied", 0.25] == share["tied", 0.25]
    assert again["independent", 0.25] == pytest.approx(0.25 / 1.3**2, abs=0.03)

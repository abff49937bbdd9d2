"""Weight matrices for all steps or one a step.

Oracles: moments of the laws; orthogonality; numpy's eigenvalues.
"""

from __future__ import annotations

import math
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from gradstudy.models.shared_matrices import Matrices, draw_matrices, matrix_sequence, spectral_radii


def stream():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize(("scheme", "variance"), [("gaussian", 1 / 30), ("uniform", 1 / 90), ("orthogonal", 1 / 30)])
def test_entries_have_their_variance_and_gain(scheme, variance):
    drawn = draw_matrices(Matrices(30, scheme, gain=1.5), 40, stream())
    assert drawn.shape == (40, 30, 30)
    assert drawn.dtype == torch.float64
    assert float(drawn.var()) == pytest.approx(1.5**2 * variance, rel=0.03)
    assert float(drawn.mean()) == pytest.approx(0, abs=0.003)


def test_bounds_and_isometries():
    assert float(draw_matrices(Matrices(16, "uniform", 2.0), 10, stream()).abs().max()) <= 2 / math.sqrt(16)
    drawn = draw_matrices(Matrices(16, "orthogonal"), 10, stream())
    torch.testing.assert_close(drawn.mT @ drawn, torch.eye(16).double().expand(10, 16, 16), atol=1e-12, rtol=0)


def test_sequences_share_their_first_matrix():
    tied, independent = (
        list(islice(matrix_sequence(Matrices(5), sharing, 3, stream()), 4)) for sharing in ("tied", "independent")
    )
    assert all(torch.equal(weight, tied[0]) for weight in tied)
    assert torch.equal(independent[0], tied[0])
    assert all(not torch.equal(a, b) for a, b in pairwise(independent))
    together = torch.stack(independent).flatten(2)
    assert len(torch.unique(together)) == together.numel()


def test_spectral_radii_against_numpy():
    drawn = draw_matrices(Matrices(7), 4, stream())
    expected = [np.abs(np.linalg.eigvals(weight)).max() for weight in drawn.numpy()]
    np.testing.assert_allclose(spectral_radii(drawn), expected, rtol=1e-12)

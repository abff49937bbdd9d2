"""Logarithms of matrix norms, for matrices that have been scaled first."""

from __future__ import annotations

import torch
from torch import Tensor


def log_spectral_norm(matrices: Tensor) -> Tensor:
    """Of matrices `(..., n, n)` whose largest entry is 1, or which are 0: no square comes near the ends of float64."""
    return torch.linalg.eigvalsh(matrices.mT @ matrices)[..., -1].clamp(min=0).log() / 2


def log_frobenius_norm(matrices: Tensor) -> Tensor:
    """Of matrices `(..., n, n)` whose largest entry is 1, or which are 0."""
    return torch.linalg.matrix_norm(matrices).log()

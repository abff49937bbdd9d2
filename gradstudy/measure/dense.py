"""Slow twins of the measurements: dense, direct, and exact where digits matter. For checking, not for use."""

from __future__ import annotations

import mpmath
import torch
from torch import Tensor

from gradstudy.chains.chain import Chain


def jacobians(chain: Chain) -> Tensor:
    """All dense Jacobians, `(T, batch, n_out, n_in)`, one unit vector after another through `chain.jvp`."""
    size = chain.square_size()
    columns = []
    for t in range(1, chain.length + 1):
        basis = torch.eye(size, dtype=chain.dtype, device=chain.device).expand(chain.rows, size, size)
        columns.append(torch.stack([chain.jvp(t, basis[:, i]) for i in range(size)], dim=-1))
    return torch.stack(columns)


def jacobian_product(chain: Chain, start: int = 0, stop: int | None = None) -> Tensor:
    """The plain product J_stop ... J_{start+1} in the chain's own dtype, `(batch, n_out, n_in)`; it may underflow."""
    size = chain.sizes[start]
    product = torch.eye(size, dtype=chain.dtype, device=chain.device).expand(chain.rows, size, size)
    for t in range(start + 1, (chain.length if stop is None else stop) + 1):
        product = chain.jacobian(t) @ product
    return product


def jacobian_moments(chain: Chain, start: int = 0, stop: int | None = None) -> tuple[Tensor, Tensor]:
    """tr(J^T J) / n and tr((J^T J)^2) / n of the product formed as it stands, `(batch,)` both."""
    product = jacobian_product(chain, start, stop).double()
    gram = product.mT @ product
    size = gram.shape[-1]
    return gram.diagonal(dim1=1, dim2=2).sum(-1) / size, gram.square().sum((1, 2)) / size


def log_flow(chain: Chain, norm: int | str = 2) -> Tensor:
    """log |d s_t / d s_k| for all t >= k, every plain product formed anew; -inf for t < k; `(T + 1, T + 1, batch)`."""
    states, batch = len(chain.states), chain.rows
    found = torch.full((states, states, batch), -torch.inf, dtype=torch.float64, device=chain.device)
    for t in range(states):
        for k in range(t + 1):
            found[t, k] = torch.linalg.matrix_norm(jacobian_product(chain, k, t).double(), norm).log()
    return found


def total_gradients(chain: Chain, direct: Tensor) -> Tensor:
    """dL/ds_t = sum over t' >= t of (J_{t'} ... J_{t+1})^T g_{t'}, every product formed anew; `(T + 1, batch, n)`."""
    total = torch.zeros_like(direct)
    for t in range(chain.length + 1):
        for later in range(t, chain.length + 1):
            product = jacobian_product(chain, t, later)
            total[t] += torch.einsum("bji,bj->bi", product, direct[later])
    return total


def lyapunov_exponents(chain: Chain, basis: Tensor, burn_in: int = 0) -> Tensor:
    """Mean of log |diag R_t| over the links after the burn-in, with a QR at every link, `(batch, k)`."""
    growth = torch.zeros(chain.rows, basis.shape[1], dtype=torch.float64, device=basis.device)
    frame = torch.linalg.qr(basis)[0].expand(len(growth), *basis.shape)
    for t, jacobian in enumerate(jacobians(chain).double(), start=1):
        frame, factor = torch.linalg.qr(jacobian @ frame)
        if t > burn_in:
            growth += factor.diagonal(dim1=-2, dim2=-1).abs().log()
    return growth / (chain.length - burn_in)


def log_singular_values(matrices: Tensor, digits: int = 300) -> list[float]:
    """Log singular values of M_T ... M_1 by multiplying in high precision; -inf for what `digits` cannot tell from 0.

    Args:
        matrices: `(T, n, n)`, first factor first.
        digits: decimal digits; twice the range of the values in decades, and then some, is needed.
    """
    with mpmath.workdps(digits):
        product = mpmath.eye(matrices.shape[-1])
        for matrix in matrices:
            product = mpmath.matrix(matrix.tolist()) * product
        squares = mpmath.eigsy(product.T * product, eigvals_only=True)
        floor = max(squares) * mpmath.mpf(10) ** (-digits // 2)
        return sorted((float(mpmath.log(s) / 2) if s > floor else -float("inf") for s in squares), reverse=True)

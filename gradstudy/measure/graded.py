"""Long products of matrices as graded factors: QR passes in the log domain and an SVD that keeps every digit.

The product P = J_T ... J_1 of T links spans hundreds of nats, so it is never formed. A pass carries an orthonormal
basis Z along the links, J_t Z_{t-1} = Z_t R_t, and keeps R_T ... R_1 = diag(exp l) U with l as logarithms and U unit
upper triangular. Its singular values are those of P on the start basis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.measure.double_double import DoubleDouble, matrix_product, power_of_two, product_error, two_sum

_MAX_SWEEPS = 60
# What a double-double link may lose at most: less than float64 loses on an orthogonal one.
_LOST = 1e-15


@dataclass(frozen=True, eq=False)
class GradedFactor:
    """R = diag(exp(log_diagonal)) @ unit, unit upper triangular, for each row of the batch.

    Args:
        log_diagonal: l, `(batch, k)`.
        unit: U, `(batch, k, k)`.
        basis: Z_T, the orthonormal basis the pass ends on, `(batch, n, k)`.
        worst: the largest ratio |J_t z_j| / R_t[j, j] met on the way, `(batch,)`: how close a link came to being
            singular on the basis.
    """

    log_diagonal: Float[Tensor, "batch k"]
    unit: Float[Tensor, "batch k k"]
    basis: Float[Tensor, "batch n k"]
    worst: Float[Tensor, " batch"]


def graded_pass(links: Iterable[Callable[[Tensor], Tensor]], basis: Tensor) -> GradedFactor:
    """Carry an orthonormal basis through the links and keep the triangular product in the log domain.

    Args:
        links: maps of blocks `(batch, n_in, k)` to `(batch, n_out, k)`, first applied first.
        basis: orthonormal start, `(batch, n, k)`.
    """
    product = _GradedProduct.identity(basis)
    for link in links:
        basis, factor = positive_qr(link(basis))
        product = product.then(factor)
    return product.ending_on(basis)


def double_double_pass(links: Tensor, basis: Tensor) -> GradedFactor:
    """Carry a basis through the links as `graded_pass` does, in double-double.

    Between links the basis need not be orthonormal, only well conditioned and exactly where the link took it: with R
    the float64 QR factor of J Z, the next basis is the double-double J Z R^-1, whatever the rounding errors in R^-1.
    One more QR makes the last basis orthonormal. What is rounded to float64 is R alone, so the error of a value is
    that of its logarithms, and no longer their error times the condition number of the links.

    Args:
        links: `(T, batch, n, n)`, float64, first applied first.
        basis: orthonormal to float64, `(batch, n, k)`.

    Returns:
        The graded factor; NaN in the rows with a link too ill-conditioned even for double-double.

    Cost: thirty products of n x n and n x k matrices a link.
    """
    product = _GradedProduct.identity(basis)
    frame = DoubleDouble(basis, torch.zeros_like(basis))
    size = power_of_two(links.abs().amax((2, 3), keepdim=True))
    for link in links / size:
        frame, factor = _double_double_qr(link, frame)
        product = product.then(factor)
    basis, factor = positive_qr(frame.high)
    end = product.then(factor).ending_on(basis)
    return replace(end, log_diagonal=end.log_diagonal + size.log2().sum(0)[:, :, 0] * log(2))


def _double_double_qr(link: Tensor, frame: DoubleDouble) -> tuple[DoubleDouble, Tensor]:
    """The next frame and R with link @ frame = next @ R; NaN in R where too many digits are lost."""
    image = matrix_product(link, frame)
    lengths = power_of_two(image.high.abs().amax(1, keepdim=True))  # else short columns lose their digits to long ones
    image = DoubleDouble(image.high / lengths, image.low / lengths)
    factor = torch.linalg.qr(image.high, mode="r").R
    factor = factor * _signs(factor)[:, :, None]
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    inverse = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=True)
    lost = product_error(link.shape[-1]) * (inverse / lengths.mT).abs().sum(1).amax(-1)
    factor = torch.where((lost < _LOST)[:, None, None], factor * lengths, torch.nan)
    return matrix_product(image, inverse), factor


@dataclass(frozen=True, eq=False)
class _GradedProduct:
    """R_t ... R_1 = diag(exp l) U of the links so far, with what rounding left over of l."""

    log_diagonal: Tensor
    left_over: Tensor
    unit: Tensor
    worst: Tensor

    @classmethod
    def identity(cls, basis: Tensor) -> _GradedProduct:
        batch, _, k = basis.shape
        unit = torch.eye(k, dtype=basis.dtype, device=basis.device).expand(batch, k, k)
        return cls(basis.new_zeros(batch, k), basis.new_zeros(batch, k), unit, basis.new_ones(batch))

    def then(self, factor: Tensor) -> _GradedProduct:
        """The product with one more triangular factor, its diagonal positive, on its left."""
        diagonal = factor.diagonal(dim1=-2, dim2=-1)
        ratio = (factor.norm(dim=1) / diagonal).nan_to_num(nan=torch.inf).amax(-1)
        # U' = (D^-1 diag(R)^-1 R D) U: the grading l_j - l_i <= 0 of the upper part only shrinks it.
        gap = (self.log_diagonal[:, None, :] - self.log_diagonal[:, :, None]).clamp(max=300.0)
        unit = (factor / diagonal[..., None] * torch.exp(gap)).triu() @ self.unit
        log_diagonal, rounding = two_sum(self.log_diagonal, diagonal.log())
        return _GradedProduct(log_diagonal, self.left_over + rounding, unit, torch.maximum(self.worst, ratio))

    def ending_on(self, basis: Tensor) -> GradedFactor:
        return GradedFactor(self.log_diagonal + self.left_over, self.unit, basis, self.worst)


def random_basis(batch: int, size: int, k: int, device: torch.device) -> Tensor:
    """The same random orthonormal start for every row and call; nothing is drawn from the global generator."""
    generator = torch.Generator().manual_seed(20130616)
    basis, _ = torch.linalg.qr(torch.randn(size, k, generator=generator, dtype=torch.float64))
    return basis.to(device).expand(batch, size, k)


def positive_qr(block: Tensor) -> tuple[Tensor, Tensor]:
    """Reduced QR with a non-negative diagonal of R."""
    basis, factor = torch.linalg.qr(block)
    signs = _signs(factor)
    return basis * signs[:, None, :], factor * signs[:, :, None]


def _signs(factor: Tensor) -> Tensor:
    """-1 where the diagonal is negative, else 1."""
    return torch.where(factor.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(factor.dtype)


def log_singular_values(log_scale: Tensor, columns: Tensor) -> Float[Tensor, "batch k"]:
    """Log singular values of the matrix with columns exp(log_scale_j) * columns_j, by one-sided Jacobi rotations.

    The scales are only ever compared, so a range of thousands of nats costs nothing; the result is accurate to a few
    rounding errors times the condition number of the *normalised* columns (Demmel and Veselic 1992).

    Args:
        log_scale: `(batch, k)`.
        columns: `(batch, n, k)`, no column zero.

    Returns:
        Descending, `(batch, k)`.
    """
    k = columns.shape[-1]
    scale, columns = _sorted(*_normalised(log_scale, columns))
    tolerance = 4 * k * torch.finfo(columns.dtype).eps
    for _ in range(_MAX_SWEEPS):
        off = columns.new_zeros(())
        for left, right in _rounds(k, columns.device):
            scale, columns, cosines = _rotate(scale, columns, left, right)
            off = torch.maximum(off, cosines.abs().max()) if cosines.numel() else off
        scale, columns = _sorted(scale, columns)
        if off <= tolerance:
            break
    return scale


def _normalised(scale: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    norms = columns.norm(dim=1)
    return scale + norms.log(), columns / norms[:, None, :]


def _sorted(scale: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    order = scale.argsort(dim=-1, descending=True)
    return scale.gather(-1, order), columns.gather(-1, order[:, None, :].expand_as(columns))


def _rounds(k: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Round-robin: every pair of columns once, disjoint pairs together."""
    seats = list(range(k + k % 2))
    rounds = []
    for _ in range(len(seats) - 1):
        pairs = [(a, b) for a, b in zip(seats[: len(seats) // 2], reversed(seats), strict=False) if max(a, b) < k]
        rounds.append(torch.tensor(pairs, dtype=torch.long, device=device).reshape(-1, 2).T)
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return [(r[0], r[1]) for r in rounds]


def _rotate(scale: Tensor, columns: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Make pairs of scaled columns orthogonal by plane rotations written with the ratio of their scales."""
    swap = scale[:, right] > scale[:, left]
    big = torch.where(swap, right, left)
    small = torch.where(swap, left, right)
    y_big = columns.gather(2, big[:, None, :].expand(-1, columns.shape[1], -1))
    y_small = columns.gather(2, small[:, None, :].expand(-1, columns.shape[1], -1))
    cosine = (y_big * y_small).sum(1)
    ratio = torch.exp(scale.gather(1, small) - scale.gather(1, big))
    # tan of the angle is ratio * tau; both forms are finite however small the ratio.
    room = 1 - ratio**2
    tau = 2 * cosine / (room + torch.sqrt(room**2 + 4 * ratio**2 * cosine**2))
    tau = tau.nan_to_num(nan=0.0)
    cos = torch.rsqrt(1 + (ratio * tau) ** 2)
    new_big = cos[:, None] * (y_big + (ratio**2 * tau)[:, None] * y_small)
    new_small = cos[:, None] * (y_small - tau[:, None] * y_big)
    s_big, new_big = _normalised(scale.gather(1, big), new_big)
    s_small, new_small = _normalised(scale.gather(1, small), new_small)
    wide = big[:, None, :].expand_as(new_big), small[:, None, :].expand_as(new_small)
    scale = scale.scatter(1, big, s_big).scatter(1, small, s_small)
    return scale, columns.scatter(2, wide[0], new_big).scatter(2, wide[1], new_small), cosine

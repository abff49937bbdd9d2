"""Regularizers of the recurrent weights: Pascanu's Omega with its immediate derivative, and the squared norm."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gradstudy.errors import UnsupportedModuleError
from gradstudy.training.backpropagation import Gradients
from gradstudy.training.population import GATED, Cell, Population
from gradstudy.training.vanilla import through_nonlinearity

OmegaForm = Literal["eq9", "eq10", "code"]

BOUND = 1e-20


def check_omega(cell: Cell) -> None:
    """Refuse Omega for a cell with gates."""
    if cell in GATED:
        raise UnsupportedModuleError(
            f"alpha > 0 for {cell} networks",
            needed="a cell without gates: tanh, relu or sigmoid",
            why="Omega is defined by the one matrix through which such a network's error flows back",
            remedy="set alpha to 0",
        )


def omega(
    population: Population, found: Gradients, which: slice | Tensor, form: OmegaForm = "eq10"
) -> tuple[Tensor, Tensor]:
    """Omega of members and its immediate derivative by W_hh.

    As `gs.pascanu_omega`, but in closed form and at the states that backpropagation left: with a_t = dL/dh_t, d_t =
    phi'(h_t) a_t, q_t = |W_hh^T d_t| / |a_t| a sequence, and averages over the batch,

    | form | value | derivative |
    |---|---|---|
    | eq9 | sum over t of (q_t - 1)^2 | (sum over t of 2 (1 - 1/q_t) / |a_t|^2 d_t d_t^T) W_hh |
    | eq10 | sum over t of (q_t^2 - 1)^2 | (sum over t of 4 (q_t^2 - 1) / |a_t|^2 d_t d_t^T) W_hh |
    | code | as eq10 without terms where |a_t|^2 < 1e-20, divided by the sum over t of the share of rows that count | |

    Terms with a_t = 0 count 0; so does the derivative of eq9 where q_t = 0.

    Args:
        population: as given to `gradients`, of a cell without gates.
        found: what it gave.
        which: places of the members; a slice spares copies.
        form: one of the above.

    Returns:
        The values `(members,)` and the derivatives `(members, H, H)`.

    Cost: T batched products, as dear as those of dL/dW_hh, and a few passes over the states.
    """
    cell, weight_hh = population.shape.cell, population.weight_hh[which]
    gradient, hidden = (x[:, which].unbind() for x in (found.unrolled.state_gradient, found.unrolled.hidden))
    norm = column_norms(found.unrolled.state_gradient[:, which])
    back, norm, delta = norm[:-1].clone(), norm[1:], torch.empty_like(gradient[0])
    for t in found.direct.keys() - {found.unrolled.length}:  # there dL/dh_t is not what came through the link alone
        through_nonlinearity(cell, gradient[t + 1], hidden[t + 1], delta)
        back[t] = column_norms(weight_hh.mT @ delta)
    counts = norm > 0 if form != "code" else norm >= BOUND**0.5
    norm = torch.where(counts, norm, 1.0)
    terms, slope = _terms(torch.where(counts, back / norm, 1.0), form)
    rows = counts.sum((0, 2)).clamp(min=1) if form == "code" else torch.full(counts.shape[1:2], counts.shape[2])
    slope = torch.where(counts, slope, 0.0) / rows[:, None]
    squares = torch.zeros_like(weight_hh)
    for t in range(found.unrolled.length):
        unit = through_nonlinearity(cell, gradient[t + 1], hidden[t + 1], delta).div_(norm[t, :, None])
        squares.baddbmm_(unit * slope[t, :, None], unit.mT)
    return terms.transpose(0, 1).flatten(1).sum(1) / rows, squares @ weight_hh


def _terms(ratio: Tensor, form: OmegaForm) -> tuple[Tensor, Tensor]:
    if form == "eq9":
        return (ratio - 1).square(), torch.where(ratio > 0, 2 - 2 / ratio, 0.0)
    change = ratio.square() - 1
    return change.square(), 4 * change


def column_norms(columns: Tensor) -> Tensor:
    """Euclidean norms over the last axis but one; where squares would leave the range of numbers, on another scale."""
    norm = torch.linalg.vector_norm(columns, dim=-2)
    edge = torch.finfo(columns.dtype).tiny ** 0.5 / torch.finfo(columns.dtype).eps
    risky = (norm < edge) | (norm > 1 / edge)
    if risky.any():
        rows = columns.mT[risky]
        largest = rows.abs().amax(-1)
        scale = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
        norm[risky] = scale * torch.linalg.vector_norm(rows / scale[:, None], dim=-1)
    return norm

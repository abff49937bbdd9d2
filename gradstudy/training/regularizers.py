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


def omega(population: Population, found: Gradients, place: int, form: OmegaForm = "eq10") -> tuple[Tensor, Tensor]:
    """Omega of one member and its immediate derivative by W_hh.

    As `gs.pascanu_omega`, but in closed form and at the states that backpropagation left: with a_t = dL/dh_t, d_t =
    phi'(h_t) a_t, q_t = |d_t W_hh| / |a_t| a row, and averages over the batch,

    | form | value | derivative |
    |---|---|---|
    | eq9 | sum over t of (q_t - 1)^2 | (sum over t of 2 (1 - 1/q_t) / |a_t|^2 d_t^T d_t) W_hh |
    | eq10 | sum over t of (q_t^2 - 1)^2 | (sum over t of 4 (q_t^2 - 1) / |a_t|^2 d_t^T d_t) W_hh |
    | code | as eq10 without terms where |a_t|^2 < 1e-20, divided by the sum over t of the share of rows that count | |

    Terms with a_t = 0 count 0; so does the derivative of eq9 where q_t = 0.

    Args:
        population: as given to `gradients`, of a cell without gates.
        found: what it gave.
        place: of the member.
        form: one of the above.

    Returns:
        The value, and the derivative `(H, H)`.

    Cost: one product of the steps with themselves (as dear as dL/dW_hh) and a few passes over the states.
    """
    unrolled, weight_hh = found.unrolled, population.weight_hh[place]
    gradient = unrolled.state_gradient[:, place].mT.contiguous()
    delta = through_nonlinearity(
        population.shape.cell, gradient[1:], unrolled.hidden[1:, place].mT, torch.empty_like(gradient[1:])
    )
    norm = row_norms(gradient)
    back, norm = norm[:-1].clone(), norm[1:]
    for t in found.direct.keys() - {unrolled.length}:
        back[t] = row_norms(delta[t] @ weight_hh)
    counts = norm > 0 if form != "code" else norm >= BOUND**0.5
    norm = torch.where(counts, norm, 1.0)
    terms, slope = _terms(torch.where(counts, back / norm, 1.0), form)
    rows = norm.shape[1] if form != "code" else max(float(counts.sum()), 1.0)
    unit = delta.div_(norm[..., None])
    scaled = unit * (torch.where(counts, slope, 0.0) / rows)[..., None]
    return terms.sum() / rows, scaled.flatten(0, 1).mT @ unit.flatten(0, 1) @ weight_hh


def _terms(ratio: Tensor, form: str) -> tuple[Tensor, Tensor]:
    if form == "eq9":
        return (ratio - 1).square(), torch.where(ratio > 0, 2 - 2 / ratio, 0.0)
    change = ratio.square() - 1
    return change.square(), 4 * change


def row_norms(rows: Tensor) -> Tensor:
    """Euclidean norms over the last axis; where squares would leave the range of numbers, taken on another scale."""
    norm = torch.linalg.vector_norm(rows, dim=-1)
    edge = torch.finfo(rows.dtype).tiny ** 0.5 / torch.finfo(rows.dtype).eps
    risky = (norm < edge) | (norm > 1 / edge)
    if risky.any():
        risky_rows = rows[risky]
        largest = risky_rows.abs().amax(-1)
        scale = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
        norm[risky] = scale * torch.linalg.vector_norm(risky_rows / scale[:, None], dim=-1)
    return norm

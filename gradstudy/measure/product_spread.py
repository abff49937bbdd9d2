"""How far apart products of random matrices are: spread over draws of log |P v|, by the number of factors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import SHARINGS, Matrices, Sharing, matrix_sequence, spectral_radii
from gradstudy.theory import cohen1984

BLOCK = 50
"""Draws of which one spread is taken; blocks are independent, so that a spread has an interval."""

_DECIMALS = 6


@dataclass(frozen=True)
class Products:
    """Products P_T = W_T ... W_1 of one design, and what controls plant.

    Args:
        matrices: how each factor is drawn.
        unit_radius: tied factors are divided by their spectral radius.
        weight_scale: planted: factor on all matrices that the law does not know of.
        excess: planted: every draw has a gain of its own, factor t being multiplied by e^(z (A(t) - A(t-1))) with
            A(t) = t^(h + excess), h the exponent of `SPREAD_EXPONENTS` and z from N(0, 1): a spread that grows with
            this exponent, several times that of the products themselves.
    """

    matrices: Matrices
    unit_radius: bool = False
    weight_scale: float = 1.0
    excess: float | None = None


def product_spreads(
    products: Products, blocks: int, lengths: Sequence[int], sharings: Sequence[Sharing] = SHARINGS, *, seed: int
) -> pd.DataFrame:
    """Spread over draws of log |P_T v| for one random unit vector v a draw, in blocks of 50 draws.

    Args:
        products: the design.
        blocks: of draws; more of them leave the first ones as they are.
        lengths: T.
        sharings: tied: one factor T times; independent: T factors.
        seed: of the draws.

    Returns:
        One row a block, sharing and length: `block`, `sharing`, `steps` T; `mean` and `spread`: mean and standard
        deviation (n - 1) over the block of log |P_T v|, nats; `law_gap`: mean over the block of log |P_T v| less its
        law, which is T log rho of the draw's own factor for tied ones and `cohen1984` for independent Gaussian ones
        (NaN for others); `law_spread`: standard deviation of the law over the block, or that of `cohen1984`.

    Cost: T products of a matrix and a vector a draw; nearly all of it is the drawing of independent matrices.
    """
    rows: list[dict[str, float | str]] = []
    for block in range(blocks):
        for sharing in sharings:
            rows += [
                {"block": block, "sharing": sharing, **measured}
                for measured in _block(products, sharing, sorted(lengths), (seed, block))
            ]
    return pd.DataFrame(rows).round(_DECIMALS)


def log_norms(
    factors: Iterator[Float[Tensor, "draws n n"]],
    scales: Iterator[Float[Tensor, " draws"]],
    vectors: Float[Tensor, "draws n"],
) -> Iterator[Float[Tensor, " draws"]]:
    """log |s_t W_t ... s_1 W_1 v| for t = 1, 2, ...

    The vector is scaled to norm 1 after every factor, so that nothing over- or underflows; the numbers s multiply the
    vector, which is cheaper than the matrix.
    """
    vectors, logs = vectors[..., None], torch.zeros_like(vectors[:, 0])
    for weight, scale in zip(factors, scales, strict=False):
        vectors = torch.bmm(weight, vectors) * scale[:, None, None]
        length = vectors.norm(dim=1, keepdim=True)
        vectors, logs = vectors / length, logs + length[:, 0, 0].log()
        yield logs


def _block(
    products: Products, sharing: Sharing, lengths: Sequence[int], index: tuple[int, int]
) -> Iterator[dict[str, float]]:
    """One row a length, for the draws of a block given by seed and number."""
    factors = matrix_sequence(products.matrices, sharing, BLOCK, generator(*index, "matrices"))
    first = next(factors)
    log_radii = spectral_radii(first).log() if sharing == "tied" else torch.zeros(BLOCK, dtype=torch.float64)
    scale = torch.full_like(log_radii, products.weight_scale)
    if products.unit_radius:
        scale, log_radii = scale * torch.exp(-log_radii), torch.zeros_like(log_radii)
    gains = torch.randn(BLOCK, generator=generator(*index, "planted gains"), dtype=torch.float64)
    scales = (scale * torch.exp(gains * _planted(products, sharing, step)) for step in count(1))
    vectors = torch.randn(BLOCK, first.shape[1], generator=generator(*index, "directions"), dtype=torch.float64)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    for step, logs in enumerate(islice(log_norms(chain([first], factors), scales, unit), lengths[-1]), start=1):
        if step in lengths:
            law, law_spread = _law(products, sharing, log_radii, step)
            yield {
                "steps": step,
                "mean": float(logs.mean()),
                "spread": float(logs.std()),
                "law_gap": float((logs - law).mean()),
                "law_spread": law_spread,
            }


def _planted(products: Products, sharing: Sharing, step: int) -> float:
    """A(t) - A(t-1) of the gains that a control plants."""
    if products.excess is None:
        return 0.0
    exponent = cohen1984.SPREAD_EXPONENTS[sharing] + products.excess
    return float(step**exponent - (step - 1) ** exponent)


def _law(
    products: Products, sharing: Sharing, log_radii: Float[Tensor, " draws"], steps: int
) -> tuple[Float[Tensor, " draws"], float]:
    """What log |P v| of every draw should be after that many steps, and its standard deviation over draws."""
    if sharing == "tied":
        return steps * log_radii, float(steps * log_radii.std())
    matrices = products.matrices
    known = 1.0 if matrices.scheme == "gaussian" else math.nan
    rate = cohen1984.growth_rate(matrices.width) + math.log(matrices.gain)
    spread = math.sqrt(steps * cohen1984.growth_variance(matrices.width))
    return torch.full_like(log_radii, known * steps * rate), known * spread

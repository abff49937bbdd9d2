"""The bulk of the eigenvalues of a product: of one matrix with itself, and of independent matrices."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Complex
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import SHARINGS, Matrices, Sharing, matrix_sequence

_DECIMALS = 4


def bulk_spectra(
    matrices: Matrices,
    depth: int,
    draws: int,
    shares: Sequence[float],
    *,
    seed: int,
    independent_scale: float = 1.0,
    most: int = 400,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Where the eigenvalues of W^L lie, and those of products of L independent matrices, each with |lambda|^(1/L).

    For large Gaussian matrices both have the same law: |lambda|^(1/L) < r has the probability r^2, so that the numbers
    |lambda|^(1/L) e^(i arg lambda) fill the unit disc evenly.

    Args:
        matrices: how each factor is drawn.
        depth: L.
        draws: products of each kind; those of one index have the same first factor.
        shares: r^2 of the circles within which eigenvalues are counted, each the law's share.
        seed: of the draws.
        independent_scale: planted: factor on every matrix of the independent products.
        most: eigenvalues of the first product that are kept for a picture, evenly spread over the list.

    Returns:
        Two tables. Counts: `draw`, `sharing`, `law_share`, `share` of the eigenvalues within the circle. Eigenvalues of
        the first product of each kind: `sharing`, `real`, `imaginary` of |lambda|^(1/L) e^(i arg lambda), to 4
        decimals.

    Cost: the eigenvalues of two n x n matrices a draw.
    """
    counts, pictures = [], []
    for draw in range(draws):
        for sharing in SHARINGS:
            stream = generator(seed, draw, "matrices")
            scale = independent_scale if sharing == "independent" else 1.0
            values = scale * eigenvalue_roots(matrices, sharing, depth, stream)
            inside = [float((values.abs() ** 2 < share).double().mean()) for share in shares]
            counts += [
                {"draw": draw, "sharing": sharing, "law_share": law, "share": share}
                for law, share in zip(shares, inside, strict=True)
            ]
            if draw == 0:
                kept = values[:: -(-len(values) // most)]
                columns = {"sharing": sharing, "real": kept.real.numpy(), "imaginary": kept.imag.numpy()}
                pictures.append(pd.DataFrame(columns))
    return pd.DataFrame(counts), pd.concat(pictures, ignore_index=True).round(_DECIMALS)


def eigenvalue_roots(
    matrices: Matrices, sharing: Sharing, depth: int, stream: torch.Generator
) -> Complex[Tensor, " n"]:
    """|lambda|^(1/L) e^(i arg lambda) of the eigenvalues of one product of `depth` factors, complex."""
    factors = matrix_sequence(matrices, sharing, 1, stream)
    product = next(factors)[0]
    if sharing == "tied":
        values = torch.linalg.eigvals(product) ** depth
    else:
        for _ in range(depth - 1):
            product = next(factors)[0] @ product
        values = torch.linalg.eigvals(product)
    return torch.polar(values.abs() ** (1 / depth), values.angle())

"""Products of random matrices: what deep linear networks are at the start."""

from __future__ import annotations

import math

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Stack, draw_weight
from gradstudy.theory import saxe2014

HALF_WIDTH = 0.05
"""Of the bin at the origin of the complex plane whose eigenvalues are counted."""

_DIRECTIONS = 64
_DECIMALS = 5
# Singular values that are smaller than this part of the largest are rounding.
_RESOLVED = 1e-10


def products(stack: Stack, networks: int, *, seed: int, most: int = 400) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Norms, singular values and eigenvalues of products of `stack.depth` weight matrices.

    Returns:
        Two tables. Products: `network`; `links`; `log_typical`: mean over 64 random unit vectors v of log |P v|^2;
        `origin_share`: of the eigenvalues with |Re| and |Im| below 0.05, `predicted_share`: that of the law for
        Gaussian weights of variance 1/n (NaN for others); `log_largest`, `log_smallest`: of the singular values (the
        smallest NaN where float64 does not resolve it). Eigenvalues of the first product (at most `most`, evenly
        spread over the list; to 5 decimals, for pictures): `real`, `imaginary`.

    Cost: one eigenvalue and one singular value decomposition a network.
    """
    law = saxe2014.share_in_square(HALF_WIDTH, stack.depth) if stack.scheme == "gaussian" else math.nan
    rows, first = [], None
    for i in range(networks):
        stream = generator(seed, i, "network")
        product = draw_product(stack, stream)
        values = torch.linalg.eigvals(product)
        first = values if first is None else first
        inside = (values.real.abs() < HALF_WIDTH) & (values.imag.abs() < HALF_WIDTH)
        rows.append(
            {
                "network": i,
                "links": stack.depth,
                "log_typical": _log_typical(product, stream),
                "origin_share": float(inside.double().mean()),
                "predicted_share": law,
                **_singular(product),
            }
        )
    chosen = torch.empty(0, dtype=torch.complex128) if first is None else first[:: -(-len(first) // most)]
    return pd.DataFrame(rows), pd.DataFrame({"real": chosen.real.numpy(), "imaginary": chosen.imag.numpy()}).round(
        _DECIMALS
    )


def draw_product(stack: Stack, stream: torch.Generator) -> Float[Tensor, "n n"]:
    """W_L ... W_1 of independent draws."""
    product = torch.eye(stack.width, dtype=torch.float64)
    for _ in range(stack.depth):
        product = stack.weight_scale * draw_weight(stack, stream) @ product
    return product


def _log_typical(product: Float[Tensor, "n n"], stream: torch.Generator) -> float:
    directions = torch.randn(len(product), _DIRECTIONS, generator=stream, dtype=torch.float64)
    return float(((product @ directions).norm(dim=0) / directions.norm(dim=0)).log().mean()) * 2


def _singular(product: Float[Tensor, "n n"]) -> dict[str, float]:
    values = torch.linalg.svdvals(product)
    resolved = values[-1] > _RESOLVED * values[0]
    return {"log_largest": float(values[0].log()), "log_smallest": float(values[-1].log()) if resolved else math.nan}

"""Correlation between the gradients that one network has at different inputs, by depth."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Link, Stack, draw


def input_gradients(
    links: list[Link], inputs: Float[Tensor, "rows n"], readout: Float[Tensor, " n"], depths: Sequence[int]
) -> dict[int, Float[Tensor, "rows n"]]:
    """Gradient of <readout, h_L> with respect to the input, of every row, for several depths L of one network.

    With batch normalisation take "frozen": where statistics are differentiated through, each layer's gradients over the
    batch add up to 0, so that their correlation is -1/(rows - 1) exactly, whatever the network.
    """
    start = inputs.clone().requires_grad_()
    found, h = {}, start
    for depth, link in enumerate(links, 1):
        h = link(h)
        if depth in depths:
            (found[depth],) = torch.autograd.grad((h @ readout).sum(), start, retain_graph=depth < len(links))
    return found


def shattering(stack: Stack, networks: int, rows: int, depths: Sequence[int], *, seed: int) -> pd.DataFrame:
    """Inner products of gradients at pairs of independent Gaussian inputs, over independently drawn networks.

    The correlation over networks of dF/dx between two inputs is the mean over networks of `inner` divided by the mean
    of `square` (the gradients' mean is 0 by the symmetry of the read-out).

    Args:
        stack: the design; its depth is at least the largest of `depths`.
        networks: independent draws.
        rows: inputs a network.
        depths: L, of one and the same network.
        seed: of all draws.

    Returns:
        One row a network and depth: `network`; `links` = L; `inner`: mean of <g_a, g_b> over pairs of different inputs;
        `square`: mean of |g_a|^2.

    Cost: one forward pass a network, and one backward pass a depth.
    """
    found = []
    for i in range(networks):
        stream = generator(seed, i, "network")
        inputs = torch.randn(rows, stack.width, generator=stream, dtype=torch.float64)
        readout = torch.randn(stack.width, generator=stream, dtype=torch.float64)
        links = draw(stack, rows, stream)[: max(depths)]
        for depth, gradients in input_gradients(links, inputs, readout, depths).items():
            found.append({"network": i, "links": depth, **_moments(gradients)})
    return pd.DataFrame(found)


def _moments(gradients: Float[Tensor, "rows n"]) -> dict[str, float]:
    rows, squares = len(gradients), gradients.square().sum()
    pairs = gradients.sum(0).square().sum() - squares
    return {"inner": float(pairs) / (rows * (rows - 1)), "square": float(squares) / rows}

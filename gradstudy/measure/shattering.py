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
    links: list[Link], inputs: Float[Tensor, "rows n"], readouts: Float[Tensor, "outputs n"], depths: Sequence[int]
) -> dict[int, Float[Tensor, "outputs rows n"]]:
    """Gradient of <u, h_L> with respect to the input, for every read-out u and row, at several depths L of one network.

    With batch normalisation take "frozen": where statistics are differentiated through, each layer's gradients over the
    batch add up to 0, so that their correlation is -1/(rows - 1) exactly, whatever the network.
    """
    start = inputs.clone().requires_grad_()
    directions = readouts[:, None].expand(-1, *inputs.shape)
    found, h = {}, start
    for depth, link in enumerate(links, 1):
        h = link(h)
        if depth in depths:
            (found[depth],) = torch.autograd.grad(
                h, start, directions, is_grads_batched=True, retain_graph=depth < len(links)
            )
    return found


def shattering(
    stack: Stack, networks: int, rows: int, depths: Sequence[int], *, readouts: int = 1, seed: int
) -> pd.DataFrame:
    """Inner products of gradients at pairs of independent Gaussian inputs, over independently drawn networks.

    The correlation over networks of dF/dx between two inputs is the mean over networks of `inner` divided by the mean
    of `square` (the gradients' mean is 0 by the symmetry of the read-out).

    Args:
        stack: the design; its depth is at least the largest of `depths`.
        networks: independent draws.
        rows: inputs a network.
        depths: L, of one and the same network.
        readouts: independent u of a network, whose moments are averaged.
        seed: of all draws.

    Returns:
        One row a network and depth: `network`; `links` = L; `inner`: mean of <g_a, g_b> over pairs of different inputs;
        `square`: mean of |g_a|^2.

    Cost: one forward pass a network, and one backward pass a depth and read-out, those of one depth together.
    """
    found = []
    for i in range(networks):
        stream = generator(seed, i, "network")
        inputs = torch.randn(rows, stack.width, generator=stream, dtype=torch.float64)
        directions = torch.randn(readouts, stack.width, generator=stream, dtype=torch.float64)
        links = draw(stack, rows, stream)[: max(depths)]
        for depth, gradients in input_gradients(links, inputs, directions, depths).items():
            found.append({"network": i, "links": depth, **_moments(gradients)})
    return pd.DataFrame(found)


def _moments(gradients: Float[Tensor, "outputs rows n"]) -> dict[str, float]:
    outputs, rows, _ = gradients.shape
    squares = gradients.square().sum()
    pairs = gradients.sum(1).square().sum() - squares
    return {"inner": float(pairs) / (outputs * rows * (rows - 1)), "square": float(squares) / (outputs * rows)}

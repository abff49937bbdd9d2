"""Exponential growth rate of a tangent vector along a chain."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain


def tangent_growth(chain: Chain, start: int = 0, *, seed: int) -> Float[Tensor, " batch"]:
    """(1 / (T - start)) log |J_T ... J_{start+1} v| for one random unit vector v a row, in nats per link.

    A lower bound on log sigma_1 of the product divided by its length, and equal to it as T grows unless v happens to
    lie in the subspace that grows more slowly (probability 0).

    Args:
        chain: any chain of square links.
        start: links before it are not counted (burn-in).
        seed: of v.

    Cost: T - start Jacobian-vector products.
    """
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(chain.states.shape[1:], generator=generator, dtype=torch.float64).to(chain.states.device)
    links = chain.links.double()
    total = torch.zeros_like(vector[:, 0])
    with torch.no_grad():
        for t in range(start + 1, chain.length + 1):
            length = vector.norm(dim=1)
            # A vector that has died (exactly singular links) stays dead: log 0 = -inf, and no 0/0.
            total += length.log() if t > start + 1 else 0.0
            vector = links.jvp(t, vector / torch.where(length == 0, torch.ones_like(length), length)[:, None])
        total += vector.norm(dim=1).log()
    return total / (chain.length - start)

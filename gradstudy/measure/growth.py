"""Exponential growth rate of a tangent vector along a chain."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.chain import Chain


def tangent_growth(chain: Chain, start: int = 0, *, stream: torch.Generator) -> Float[Tensor, " batch"]:
    """Growth rate of one tangent vector a row from s_start to s_T, in nats per link.

    (1 / (T - start)) log |J_T ... J_{start+1} v| with |v| = 1, where v is what the links before `start` made of a
    random vector: during the burn-in the tangent turns and nothing is counted. A lower bound on log sigma_1 of the
    counted product divided by its length; as T grows, the largest Lyapunov exponent.

    Args:
        chain: any chain of square links.
        start: links of the burn-in.
        stream: source of the random vectors.

    Cost: T Jacobian-vector products.
    """
    vector = torch.randn((chain.rows, chain.sizes[0]), generator=stream, dtype=torch.float64).to(chain.device)
    links = chain.links.double()
    total = torch.zeros_like(vector[:, 0])
    with torch.no_grad():
        for t in range(1, chain.length + 1):
            length = vector.norm(dim=1)
            # A vector that has died (exactly singular links) stays dead: log 0 = -inf, and no 0/0.
            total += length.log() if t > start + 1 else torch.where(length == 0, -torch.inf, 0.0)
            vector = links.jvp(t, vector / torch.where(length == 0, torch.ones_like(length), length)[:, None])
        total += vector.norm(dim=1).log()
    return total / (chain.length - start)

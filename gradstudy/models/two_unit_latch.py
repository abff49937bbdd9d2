"""A non-normal latch of two units: eigenvalues say that it has latched, norms that its gradient explodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.networks import Network
from gradstudy.models.pascanu import PascanuRNN

_WEIGHT = ((1.6, 4.5), (-1.4, -0.9))
_BIAS = (4.5, -13.0)
_DRIVES = ((0.4, 2.6), (-0.5, 1.6))


@dataclass(frozen=True)
class TwoUnitLatch:
    """a_t = W tanh(a_{t-1}) + b + u_t with two attractors, and inputs that alternate between two values.

    W = [[1.6, 4.5], [-1.4, -0.9]], b = (4.5, -13). Without inputs unit 2 is held at -1 by its bias, and what is left of
    unit 1 is the minimal latch a_1 = 1.6 tanh(a_1), since 4.5 - 4.5 = 0: two attractors, one a sign of the bit. Inputs
    with b + u_t = (0.4, 2.6), (-0.5, 1.6), ... wake unit 2. The numbers were found by random search and hill climbing,
    for a latch whose driven states all lie in Gamma by their eigenvalues and whose gradient grows nevertheless.

    Args:
        spread: relative standard deviation of the entries of W about these, so that draws differ.
        coupling: planted: factor on the off-diagonal entries of W, and on the bias that cancels one of them; at 0 W is
            diagonal, hence normal, and so is every Jacobian.
        drive: planted: factor on u_t; at 0 the latch is left to itself.
    """

    spread: float = 0.0
    coupling: float = 1.0
    drive: float = 1.0


def draw_two_unit_latch(latch: TwoUnitLatch, stream: torch.Generator) -> Network:
    """One draw, its state the pre-activation a, its inputs u added to the two units; float64."""
    factors = 1 + latch.spread * torch.randn(2, 2, generator=stream, dtype=torch.float64)
    weight = torch.tensor(_WEIGHT, dtype=torch.float64) * factors
    weight = weight * torch.tensor([[1.0, latch.coupling], [latch.coupling, 1.0]])
    module = PascanuRNN(2, 2, "tanh", generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        module.weight_rec.copy_(weight)
        module.weight_in.copy_(torch.eye(2))
        module.bias.copy_(torch.tensor([latch.coupling * _BIAS[0], _BIAS[1]]))
    return Network(module, weight, torch.zeros(2, dtype=torch.float64))


def alternating_inputs(
    latch: TwoUnitLatch, links: int, rows: int, noise: float, stream: torch.Generator
) -> Float[Tensor, "links rows 2"]:
    """u_t for the two values in turn, with independent Gaussian noise of that standard deviation a link and row."""
    values = torch.tensor(_DRIVES, dtype=torch.float64) - torch.tensor(_BIAS, dtype=torch.float64)
    inputs = latch.drive * values[torch.arange(links) % 2][:, None].expand(-1, rows, -1)
    return inputs + noise * torch.randn(links, rows, 2, generator=stream, dtype=torch.float64)

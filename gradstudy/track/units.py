"""Units that do nothing (dead) and units at the flat ends of their nonlinearity (saturated)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

SATURATED = 0.99
"""A tanh beyond +-0.99, a sigmoid below 0.01 or above 0.99, is saturated: there the slope is below 2 % of a tanh's
largest (4 % of a sigmoid's), so that a gradient loses a factor of 25 or more on its way through."""

# Exactly zero over half of the line; others (leaky, smooth) pass a gradient everywhere and cannot die.
_DYING = (nn.ReLU, nn.ReLU6)
_FLAT = (nn.Tanh, nn.Sigmoid)


@dataclass
class Units:
    """Counts over the calls of one module in one step; every tensor is small and stays on its device."""

    alive: list[Tensor] = field(default_factory=list)
    beyond: list[Tensor] = field(default_factory=list)
    numbers: int = 0

    @property
    def dead_fraction(self) -> float | None:
        """Fraction of units that were zero over the whole batch, in all passes of the step."""
        if not self.alive or any(part.shape != self.alive[0].shape for part in self.alive):
            return None
        return 1.0 - float(torch.stack(self.alive).any(0).double().mean())

    @property
    def saturated_fraction(self) -> float | None:
        """Fraction of outputs beyond `SATURATED`."""
        return float(sum(self.beyond)) / self.numbers if self.numbers else None

    def join(self, other: Units) -> None:
        """Another call's counts, as if both batches were one."""
        self.alive += other.alive
        self.beyond += other.beyond
        self.numbers += other.numbers


def has_units(module: nn.Module) -> bool:
    """Whether the module is a nonlinearity whose units can die or saturate."""
    return isinstance(module, _DYING + _FLAT)


def look(module: nn.Module, output: Tensor, feature: int) -> Units:
    """The counts of one call.

    Args:
        module: one of torch's ReLU, ReLU6, Tanh and Sigmoid.
        output: of the call.
        feature: the axis of the units; all others are batch, time or space.
    """
    output = output.detach()
    if not output.numel():
        return Units()
    if isinstance(module, _DYING):
        others = [axis for axis in range(output.dim()) if axis != feature % output.dim()]
        peak = output.amax(others) if others else output
        return Units(alive=[(peak > 0) | torch.isnan(peak)])
    size = output.abs() if isinstance(module, nn.Tanh) else (2 * output - 1).abs()
    limit = SATURATED if isinstance(module, nn.Tanh) else 2 * SATURATED - 1
    return Units(beyond=[(size > limit).sum()], numbers=output.numel())


def feature_axis(output: Tensor, channels_first: bool) -> int:
    """The axis of the units: 1 for `(batch, features)` and images; of three axes the last, or 1 beside nn.Conv1d."""
    if output.dim() == 3:
        return 1 if channels_first else -1
    return min(1, output.dim() - 1)

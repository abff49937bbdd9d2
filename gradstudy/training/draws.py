"""Where the networks of a study of depth come from: drawn by design, or planted in their place with a known rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gradstudy.models.design import FeedForward
from gradstudy.models.feedforward import FeedForwardNetwork, draw_feedforward
from gradstudy.models.isometric import isometric_network, known_branches, known_shortcuts

Draw = Callable[[int], FeedForwardNetwork]
"""From the index of a network to the network."""


@dataclass(frozen=True)
class Source:
    """Networks by index, each with a seed of its own; at most one of the three rates is given.

    Args:
        design: of the networks.
        seed: of the run.
        growth: if given, isometries that hand back e^growth times their gradient (`isometric_network`).
        branch: if given, pre-activation networks whose branches are e^branch times an isometry (`known_branches`).
        shortcut: if given, pre-activation networks of shortcuts e^shortcut without branches (`known_shortcuts`).
        single: float32 instead of float64; planted networks stay in float64.
    """

    design: FeedForward
    seed: int
    growth: float | None = None
    branch: float | None = None
    shortcut: float | None = None
    single: bool = False

    @property
    def planted(self) -> bool:
        """Whether the networks have a known rate instead of being drawn."""
        return not (self.growth is self.branch is self.shortcut is None)

    @property
    def dtype(self) -> torch.dtype:
        """Of parameters and images."""
        return torch.float32 if self.single and not self.planted else torch.float64

    def __call__(self, index: int) -> FeedForwardNetwork:
        """The network of that index; others beside it leave it as it is."""
        seed = 1000 * self.seed + index
        if self.growth is not None:
            return isometric_network(self.design, self.growth, seed=seed)
        if self.branch is not None:
            return known_branches(self.design, self.branch, seed=seed)
        if self.shortcut is not None:
            return known_shortcuts(self.design, self.shortcut, seed=seed)
        return draw_feedforward(self.design, seed=seed).to(self.dtype)

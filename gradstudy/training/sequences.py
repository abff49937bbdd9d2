"""The sequences that members are trained and tested on: functions of seed, member and update alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.tasks.task import ScoredTask

Lengths = int | tuple[int, int]
"""One length, or the least and the greatest of a range from which each update draws one."""

# Updates whose sequences are drawn at once, which saves time: part of what a seed means.
AHEAD = 10


@dataclass(frozen=True)
class Draws:
    """Sequences by number of a block and of a member.

    Member i's sequences of block k come from a generator of their own, so nothing hangs on which other members are
    there, or on where a training was interrupted.

    Args:
        task: what is drawn.
        lengths: of the sequences; all members share the length of an update.
        batch: sequences an update.
        seed: of the run.
        purpose: such as "training", apart from others.
        dtype: of inputs and targets that are no classes.
        ahead: updates a block.
    """

    task: ScoredTask
    lengths: Lengths
    batch: int
    seed: int
    purpose: str
    dtype: torch.dtype = torch.float64
    ahead: int = AHEAD

    def block_lengths(self, block: int) -> list[int]:
        """The lengths of a block's updates."""
        if isinstance(self.lengths, int):
            return [self.lengths] * self.ahead
        low, high = self.lengths
        stream = generator(self.seed, 0, f"lengths, {self.purpose}, block {block}")
        return torch.randint(low, high + 1, (self.ahead,), generator=stream).tolist()

    def block(self, index: int, block: int) -> list[tuple[Tensor, Tensor]]:
        """Inputs `(T, batch, I)` and targets `(scored steps, batch, ...)` of each update of a block."""
        stream = generator(self.seed, index, f"sequences, {self.purpose}, block {block}")
        if isinstance(self.lengths, int):
            inputs, targets = self.task.draw(self.lengths, self.ahead * self.batch, stream)
            pairs = list(zip(inputs.split(self.batch, 1), targets.split(self.batch, 1), strict=True))
        else:
            pairs = [self.task.draw(length, self.batch, stream) for length in self.block_lengths(block)]
        return [(x.to(self.dtype), y.to(self.dtype) if y.is_floating_point() else y) for x, y in pairs]


@dataclass
class Feed:
    """The batches of many members, update after update, drawn a block ahead.

    Args:
        draws: whence.
    """

    draws: Draws
    _block: int = -1
    _drawn: dict[int, list[tuple[Tensor, Tensor]]] = field(default_factory=dict)

    def batch(self, indices: Sequence[int], update: int) -> tuple[Tensor, Tensor]:
        """Inputs `(members, T, batch, I)` and targets `(members, scored steps, batch, ...)` of an update, from 0."""
        block, place = divmod(update, self.draws.ahead)
        if block != self._block:
            self._block, self._drawn = block, {}
        for index in set(indices) - self._drawn.keys():
            self._drawn[index] = self.draws.block(index, block)
        inputs, targets = zip(*(self._drawn[index][place] for index in indices), strict=True)
        return torch.stack(inputs), torch.stack(targets)

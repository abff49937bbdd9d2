"""Conditions that change in the course of a training: rates that halve when the loss rises, an Omega that fades."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradstudy.errors import OptionError
from gradstudy.training.trainer import Trainer, Update


@dataclass(frozen=True)
class Schedule:
    """What changes from epoch to epoch, for each member by what it has seen itself.

    Args:
        epoch: updates of an epoch.
        halving: a member's rate halves after every epoch whose mean training loss (of the task, online) is above that
            of the epoch before.
        fading: in epoch t, from 1, the weight of Omega is alpha / t.

    Raises:
        OptionError: an epoch without an update.

    Source: Pascanu, Mikolov and Bengio, arXiv version 2 of 2013, natural tasks, by other people's notes: a rate halved
    when the error rises, and alpha_t = 1/(2t), by which t is counted not being told; and 2013, which has that fixed
    weights of Omega hurt there.
    """

    epoch: int
    halving: bool = True
    fading: bool = True

    def __post_init__(self) -> None:
        if self.epoch < 1:
            raise OptionError(
                f"epoch={self.epoch}",
                needed="an update at least",
                why="rates change from one epoch to the next",
                remedy="give the updates in which about as many steps are seen as there are",
            )


class Annealing:
    """A schedule on its way, for all members of a campaign, in training or not.

    Args:
        schedule: which.
        trainer: of all of them, as it begins.

    Attributes:
        state: sum of losses in this epoch, mean loss of the last one, and what the first rate is multiplied with,
            `(3, members)`.
    """

    def __init__(self, schedule: Schedule, trainer: Trainer) -> None:
        self.schedule = schedule
        self.first = {name: trainer.conditions[name].clone() for name in ("rate", "alpha")}
        self.state = torch.stack([torch.zeros_like(self.first["rate"], dtype=torch.float64)] * 3)
        self.state[1], self.state[2] = torch.inf, 1.0

    def see(self, places: Tensor, seen: Update, trainer: Trainer) -> None:
        """Take in an update of the members at these places, and set what the next one is made with."""
        total, last, factor = self.state
        total[places] += seen.loss
        if trainer.updates % self.schedule.epoch:
            return
        mean = total / self.schedule.epoch
        if self.schedule.halving:
            factor[places] *= torch.where(mean > last, 0.5, 1.0)[places]
        last[:], total[:] = mean, 0.0
        self.set(places, trainer)

    def set(self, places: Tensor, trainer: Trainer) -> None:
        """Set the conditions of the members at these places as they are after the trainer's updates."""
        rate, alpha = self.first["rate"][places], self.first["alpha"][places]
        trainer.conditions["rate"] = rate * self.state[2, places].to(rate)
        if self.schedule.fading:
            trainer.conditions["alpha"] = alpha / (trainer.updates // self.schedule.epoch + 1)

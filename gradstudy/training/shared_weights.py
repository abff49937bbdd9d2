"""Training of equally deep networks with shared weights and without, at many learning rates side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.pascanu import activate
from gradstudy.models.randomness import generator
from gradstudy.models.shared_matrices import SHARINGS, Sharing
from gradstudy.models.unfolded import Design, Unfolded, draw_unfolded
from gradstudy.tasks.two_sequence import TwoSequence

TRIVIAL = math.log(2)
"""Cross-entropy of the answer 1/2, in nats."""

RUINED = 1.5
"""A training is ruined if its final loss is no number or more than this many times that of a constant answer."""

JUMPED = 3.0
"""A training has jumped if the loss of some update was more than this many times that of a constant answer."""

FAILED = 0.1
"""A training has failed if at least this share of the test sequences is wrong at its end."""

OUTCOMES = ("ruined", "jumped", "failed")

_READOUT = 0.01
_TESTED = 200


@dataclass(frozen=True)
class Lesson:
    """How networks are trained: plain SGD, the same sequences for every learning rate and for both kinds.

    Args:
        design: of the networks.
        task: what they learn, with a logistic output and its cross-entropy.
        rates: learning rates; a network is trained from the same draw at each.
        updates: gradient steps.
        batch: sequences an update.
        threshold: of the norm of the gradient over all weights of a network, which is rescaled to it if it is not
            below (Pascanu's Algorithm 1); None for no clipping.
        accidents: planted: both kinds are recurrent, but of those in the place of the tied ones this share, evenly
            spread over draws and learning rates, has read-out weights that are no numbers before the last update.
    """

    design: Design
    task: TwoSequence
    rates: tuple[float, ...]
    updates: int
    batch: int
    threshold: float | None = None
    accidents: float | None = None


@dataclass(frozen=True, eq=False)
class Members:
    """Networks with a linear read-out of tanh(a_T); of every tensor the second dimension counts members."""

    networks: Unfolded
    readout: Float[Tensor, "1 members n 1"]
    offset: Float[Tensor, "1 members 1 1"]

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """All that is trained."""
        return (*self.networks.parameters, self.readout, self.offset)

    def logits(self, inputs: Float[Tensor, "time members batch 1"]) -> Float[Tensor, "members batch"]:
        """The prediction at the last step."""
        last = activate(self.networks.activation, self.networks.states(inputs)[-1])
        return torch.baddbmm(self.offset[0], last, self.readout[0])[..., 0]


def compare(lesson: Lesson, draws: int, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Outcomes of training tied and independent networks, by draw and by learning rate.

    Returns:
        Two tables of the shares of trainings that ended ruined (`ruined`), had a jump of the loss (`jumped`) and did
        not learn the task (`failed`). By draw of weights and sequences: `network`, `sharing`; the shares are over
        learning rates. By learning rate: `sharing`, `learning_rate`; the shares are over the `n` draws.

    Cost: updates x steps small products of all members at once; about a minute for 300 updates of 400 members with 40
    steps of 16 units.
    """
    planted = lesson.accidents is not None
    by_draw, by_rate = [], []
    for sharing in SHARINGS:
        spoilt = planted and sharing == "tied"
        outcomes = train(lesson, "tied" if planted else sharing, draws, seed=seed, accidents=spoilt)
        by_draw.append(_shares(outcomes, 1).assign(network=range(draws), sharing=sharing))
        by_rate.append(_shares(outcomes, 0).assign(learning_rate=lesson.rates, sharing=sharing, n=draws))
    return pd.concat(by_draw, ignore_index=True), pd.concat(by_rate, ignore_index=True)


def _shares(outcomes: dict[str, Tensor], over: int) -> pd.DataFrame:
    return pd.DataFrame({name: happened.double().mean(over).numpy() for name, happened in outcomes.items()})


def train(
    lesson: Lesson, sharing: Sharing, draws: int, *, seed: int, accidents: bool = False
) -> dict[str, Float[Tensor, "draws rates"]]:
    """Which trainings ended how, each of `OUTCOMES` as a `(draws, rates)` tensor of bools.

    Draw i has generators of its own for weights and for sequences: more draws, or other learning rates, leave them as
    they are, and tied and independent networks meet the same sequences.
    """
    members = draw_members(lesson, sharing, draws, seed)
    rates = torch.tensor(lesson.rates).repeat(draws)
    streams = [generator(seed, i, "sequences") for i in range(draws)]
    largest = torch.zeros_like(rates)
    for update in range(lesson.updates):
        if accidents and update == lesson.updates - 1:
            members.readout.data[:, _chosen(len(rates), lesson.accidents or 0.0)] = torch.nan
        loss = sgd_step(members, _batch(lesson, lesson.batch, streams), rates, lesson.threshold)
        largest = torch.maximum(largest, loss.nan_to_num(nan=torch.inf))
    with torch.no_grad():
        inputs, targets = _batch(lesson, _TESTED, streams)
        logits = members.logits(inputs)
        final = losses(logits, targets).nan_to_num(nan=torch.inf)
        wrong = lesson.task.wrong(logits.sigmoid().view(1, -1, 1), targets.view(1, -1, 1)).view_as(logits)
    found = {
        "ruined": final > RUINED * TRIVIAL,
        "jumped": largest > JUMPED * TRIVIAL,
        "failed": wrong.float().mean(1) >= FAILED,
    }
    return {outcome: happened.view(draws, len(lesson.rates)) for outcome, happened in found.items()}


def draw_members(lesson: Lesson, sharing: Sharing, draws: int, seed: int) -> Members:
    """Networks in float32, those of one draw beside each other, one a learning rate; read-outs N(0, 0.01^2)."""
    drawn = [draw_unfolded(lesson.design, sharing, 1, generator(seed, i, "networks")) for i in range(draws)]
    readout = [
        torch.randn(lesson.design.matrices.width, 1, generator=generator(seed, i, "readout")) for i in range(draws)
    ]
    count = len(lesson.rates)

    def members(each: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(each), 1).float().repeat_interleave(count, 1).requires_grad_()

    networks = Unfolded(
        members([network.recurrent for network in drawn]),
        members([network.input for network in drawn]),
        members([network.bias for network in drawn]),
    )
    offset = torch.zeros(1, count * draws, 1, 1, requires_grad=True)
    return Members(networks, members([_READOUT * each[None, None] for each in readout]), offset)


def sgd_step(
    members: Members, batch: tuple[Tensor, Tensor], rates: Float[Tensor, " members"], threshold: float | None
) -> Float[Tensor, " members"]:
    """One update in place of every member by its own learning rate; returns the losses before it."""
    inputs, targets = batch
    loss = losses(members.logits(inputs), targets)
    gradients = torch.autograd.grad(loss.sum(), members.weights)
    step = rates
    if threshold is not None:
        norm = torch.stack([each.transpose(0, 1).flatten(1).square().sum(1) for each in gradients]).sum(0).sqrt()
        step = rates * torch.where(norm >= threshold, threshold / norm, 1.0)
    with torch.no_grad():
        for weight, gradient in zip(members.weights, gradients, strict=True):
            weight -= step.view(1, -1, *[1] * (weight.dim() - 2)) * gradient
    return loss.detach()


def losses(
    logits: Float[Tensor, "members batch"], targets: Float[Tensor, "members batch"]
) -> Float[Tensor, " members"]:
    """Cross-entropy of every member, in nats, averaged over its sequences."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)


def _batch(lesson: Lesson, count: int, streams: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Inputs `(time, members, count, 1)` and targets `(members, count)`; members of one draw share theirs."""
    drawn = [lesson.task.draw(lesson.design.length, count, stream) for stream in streams]
    inputs = torch.stack([x for x, _ in drawn], 1).float().repeat_interleave(len(lesson.rates), 1)
    targets = torch.stack([y[-1, :, 0] for _, y in drawn]).float().repeat_interleave(len(lesson.rates), 0)
    return inputs, targets


def _chosen(count: int, share: float) -> list[int]:
    """A share of the indices 0 .. count - 1, evenly spread."""
    return [i for i in range(count) if int((i + 1) * share) > int(i * share)]

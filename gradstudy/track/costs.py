"""What tracking costs a training step: a study's numbers."""

from __future__ import annotations

import pandas as pd
import torch
from torch import nn

from gradstudy.measure import baselines
from gradstudy.measure.timing import Action, time_ratios
from gradstudy.models.feedforward import draw_feedforward
from gradstudy.models.he2015 import cifar_network
from gradstudy.track.tracker import Tracker

# Steps of training in a round, one after the other with and without.
_STEPS = 10


def cost_of_tracking(*, every: int, batch: int, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of training steps of a ResNet-20 with gradient norms tracked, over that of the same steps without.

    Steps of SGD with momentum on random images of 3 x 32 x 32, float32. Measured are the norms of every parameter's and
    layer's gradient and of all together, before clipping. The same network is trained with and without, in turn: a
    round is ten steps of each, and a step with tracking has one without as its neighbour in time.

    Args:
        every: steps between two measurements, 1 or 10: each round holds as many of them as another.
        batch: images a step.
        rounds: how often each is timed.
        seed: of weights and images.

    Returns:
        See `timing.time_ratios`; the baselines are the steps untracked and, with `every` 1, with a naive hook on each
        parameter.
    """
    stream = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, 32, 32, generator=stream)
    labels = torch.randint(0, 10, (batch,), generator=stream)
    tracked, plain, hooked = (_training(seed) for _ in range(3))
    with Tracker(*tracked, every={"gradient": every}) as tracker:
        others: dict[str, Action] = {"training step without": lambda: baselines.training_step(*plain, images, labels)}
        if every == 1:
            others["naive hook a parameter"] = lambda: baselines.step_with_naive_hooks(*hooked, images, labels)
        return time_ratios(
            lambda: tracker.step(loss=baselines.training_step(*tracked, images, labels)),
            others,
            rounds=rounds,
            times=_STEPS,
        )


def _training(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = draw_feedforward(cifar_network(20), seed=seed).float()
    return model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

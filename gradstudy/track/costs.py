"""What tracking costs a training step: a study's numbers."""

from __future__ import annotations

import pandas as pd
import torch

from gradstudy.measure import baselines
from gradstudy.measure.timing import Action, time_ratios
from gradstudy.models.feedforward import draw_feedforward
from gradstudy.models.he2015 import cifar_network
from gradstudy.track.tracker import Tracker


def cost_of_tracking(*, every: int, batch: int, rounds: int, seed: int = 0) -> pd.DataFrame:
    """Running time of training steps of a ResNet-20 with gradient norms tracked, over that of the same steps without.

    Steps of SGD with momentum on random images of 3 x 32 x 32, float32. One round is `every` steps, of which one is
    measured: the norms of every parameter's and layer's gradient and of all together, before clipping.

    Args:
        every: steps between two measurements.
        batch: images a step.
        rounds: how often each is timed.
        seed: of weights and images.

    Returns:
        See `timing.time_ratios`; the baselines are the steps untracked and, with `every` 1, with a naive hook on each
        parameter.
    """
    model = draw_feedforward(cifar_network(20), seed=seed).float()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    stream = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, 32, 32, generator=stream)
    labels = torch.randint(0, 10, (batch,), generator=stream)

    def untracked() -> None:
        for _ in range(every):
            baselines.training_step(model, optimizer, images, labels)

    def tracked() -> None:
        with Tracker(model, optimizer, every={"gradient": every}) as tracker:
            for _ in range(every):
                tracker.step(loss=baselines.training_step(model, optimizer, images, labels))

    others: dict[str, Action] = {"training step without": untracked}
    if every == 1:
        others["naive hook a parameter"] = lambda: baselines.step_with_naive_hooks(model, optimizer, images, labels)
    return time_ratios(tracked, others, rounds=rounds)

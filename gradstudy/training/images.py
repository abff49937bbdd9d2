"""A feed-forward network trained to classify images, update by update."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Recipe:
    """SGD with momentum, weight decay and a rate that drops, as He et al. 2015 train.

    Args:
        epochs: passes over the images; 0 leaves the network as drawn.
        batch: images an update; what is left of an epoch is dropped.
        rate: learning rate at first.
        momentum: of the updates.
        weight_decay: of all parameters.
        drops: whether the rate is divided by 10 after half of the epochs, and again after 3/4 and 4/5.
    """

    epochs: int
    batch: int = 50
    rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    drops: bool = True

    def hardly(self, *, epochs: int) -> Recipe:
        """The same with steps so small that they show which way the weights would go and leave them where they are."""
        return replace(self, epochs=epochs, rate=1e-6, weight_decay=0.0, drops=False)

    def rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        passed = sum(epoch >= share * self.epochs for share in (0.5, 0.75, 0.8)) if self.drops else 0
        return self.rate / 10**passed


def updates(
    network: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, stream: torch.Generator
) -> Iterator[int]:
    """Train a network in place; after each update, how many there have been.

    Args:
        network: in train mode.
        images: `(count, ...)`, of the network's dtype.
        labels: `(count,)`, classes.
        recipe: how.
        stream: source of the order of the images.
    """
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    done = 0
    for epoch in range(recipe.epochs):
        optimizer.param_groups[0]["lr"] = recipe.rate_at(epoch)
        for chosen in torch.randperm(len(images), generator=stream).split(recipe.batch):
            if len(chosen) == recipe.batch:
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(images[chosen]), labels[chosen]).backward()
                optimizer.step()
                done += 1
                yield done
    optimizer.zero_grad()


def training_error(network: nn.Module, images: Tensor, labels: Tensor, *, batch: int = 500) -> tuple[float, float]:
    """Mean cross-entropy on the training images, and the share that is classified wrongly.

    The network runs as in training, with the statistics of batches (a remainder joins the last), not with running
    ones, and is left as it is.
    """
    measured = copy.deepcopy(network)
    count = max(1, len(images) // batch)
    with torch.no_grad():
        outputs = torch.cat([measured(part) for part in images.tensor_split(count)]).double()
    loss = float(nn.functional.cross_entropy(outputs, labels))
    return loss, float((outputs.argmax(1) != labels).double().mean())

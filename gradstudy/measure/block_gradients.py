"""The gradient at what each block of a feed-forward network adds, its relative size, and its rate over depth."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from gradstudy.models.feedforward import FeedForwardNetwork


def block_gradients(network: FeedForwardNetwork, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """Gradient of the mean cross-entropy at every block's own new feature maps f_l and at its state x_l.

    A plain block's own maps are its state; those of a residual, pre-activation or dense block are what its branch gives
    (before any factor on it). A dense network's state holds all earlier maps as well, so that norms at states of
    different kinds of network cannot be compared; those at own maps can. Norms are Euclidean, over the whole batch.

    Args:
        network: in train mode; it is left as it is, running statistics too.
        images: `(batch, ...)`, of the network's dtype.
        labels: `(batch,)`, classes.

    Returns:
        One row a block, and one for the stem (block 0): `block`; `shape` of one sample's own maps; `log_gradient` = log
        |dL/df_l|; `log_size` = log |f_l|; `log_relative` = log_gradient + log_size - log sqrt(dim), dim the number of
        numbers in f_l over the batch; `log_state` = log |dL/dx_l|; `state_shape` of one sample's x_l.

    Cost: one forward and one backward pass, and a copy of the network.
    """
    measured = copy.deepcopy(network)
    with _recorded([own_maps(block) for block in measured.blocks]) as maps:
        state = measured.stem(images)
        states = [_Maps.of(state)]
        for block in measured.blocks:
            state = block(state)
            states.append(_Maps.of(state))
        loss = nn.functional.cross_entropy(measured.head(state), labels)
    own = [states[0], *maps]
    gradients = torch.autograd.grad(loss, [maps.edge for maps in own + states])
    logs = [log_norm(gradient) for gradient in gradients]
    return pd.DataFrame(
        {
            "block": i,
            "shape": maps.shape,
            "log_gradient": at_maps,
            "log_size": maps.log_size,
            "log_relative": at_maps + maps.log_size - 0.5 * math.log(maps.count),
            "log_state": at_state,
            "state_shape": states[i].shape,
        }
        for i, (maps, at_maps, at_state) in enumerate(zip(own, logs[: len(own)], logs[len(own) :], strict=True))
    )


def weight_gradients(network: FeedForwardNetwork, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """Gradient of the mean cross-entropy at every weight of a stem, block or head, in the order of the layers.

    Returns:
        One row a weight of a linear layer or convolution that is no shortcut: `layer`; `shape`; `log_gradient` = log
        |dL/dW_l|; `log_weight` = log |W_l|.
    """
    measured = copy.deepcopy(network)
    weights = layer_weights(measured)
    loss = nn.functional.cross_entropy(measured(images), labels)
    gradients = torch.autograd.grad(loss, weights)
    return pd.DataFrame(
        {"layer": i, "shape": _shape(w), "log_gradient": log_norm(gradient), "log_weight": log_norm(w)}
        for i, (w, gradient) in enumerate(zip(weights, gradients, strict=True))
    )


def layer_weights(network: nn.Module) -> list[Tensor]:
    """Weights of the linear layers and convolutions, without those of shortcuts, in the order of `named_modules`."""
    return [
        module.weight
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and "shortcut" not in name
    ]


def rate_back(values: Sequence[float], shapes: Sequence[str]) -> float:
    """Mean change of a logarithm per link on the way back, over stretches of equal shape: nats per link.

    Least squares with one slope for all stretches of consecutive equal shapes and a constant for each: positive where
    the values grow towards the input. NaN where a value is not finite or no shape comes twice in a row.
    """
    logs, links = np.asarray(values, dtype=float), np.arange(len(values), dtype=float)
    section = np.cumsum([i > 0 and shape != shapes[i - 1] for i, shape in enumerate(shapes)])
    for one in np.unique(section):
        inside = section == one
        links[inside] -= links[inside].mean()
    total = float(links @ links)
    return -float(links @ logs) / total if total > 0 and np.isfinite(logs).all() else math.nan


def own_maps(block: nn.Module) -> nn.Module:
    """The submodule whose output is what the block adds: its branch, or the block itself if it has none."""
    branch = getattr(block, "branch", None)
    return branch if isinstance(branch, nn.Module) else block


def log_norm(values: Tensor) -> float:
    """log |values| in float64, whatever their dtype; squares of float32 would underflow below 1e-22."""
    return float(values.detach().double().norm().log())


class _Maps:
    """One tensor of the forward pass: where its gradient arrives, its size and shape when it was made."""

    def __init__(self, edge: GradientEdge, values: Tensor) -> None:
        self.edge, self.shape, self.count = edge, _shape(values[0]), values.numel()
        self.log_size = log_norm(values)

    @classmethod
    def of(cls, values: Tensor) -> _Maps:
        # The edge is exact even if a module overwrites these values afterwards.
        return cls(get_gradient_edge(values), values)


@contextmanager
def _recorded(modules: Sequence[nn.Module]) -> Iterator[list[_Maps]]:
    """What the modules return, in the order of their calls; the hooks are gone afterwards."""
    maps: list[_Maps] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        maps.append(_Maps.of(output))

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _shape(values: Tensor) -> str:
    return "x".join(str(size) for size in values.shape)

"""Feed-forward networks of one design over their training, as tables: gradients, layers, representations, errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.measure.block_gradients import block_gradients, layer_weights, log_norm, rate_back, weight_gradients
from gradstudy.measure.error_decay import interval
from gradstudy.measure.representation import linear_cka, settling
from gradstudy.models.feedforward import FeedForwardNetwork
from gradstudy.models.randomness import generator
from gradstudy.training.draws import Draw
from gradstudy.training.images import Recipe, training_error, updates

LEVEL = 0.01
"""A training loss has levelled if it changes by less than this part over the last fifth of the epochs."""


@dataclass(frozen=True)
class Lesson:
    """What networks learn from and what they are measured on.

    Args:
        images: `(count, channels, height, width)`.
        labels: `(count,)`.
        recipe: of the training.
        probe: the first so many images, on which gradients and representations are measured.
        moments: updates after which gradients are measured; the last update always counts as well.
        snapshots: how many representations are compared with the last one; 0 for none.
        every: epochs between two looks at the training error.
    """

    images: Tensor
    labels: Tensor
    recipe: Recipe
    probe: int = 128
    moments: Sequence[int] = (0, 1, 100)
    snapshots: int = 0
    every: int = 1

    @property
    def updates(self) -> int:
        """Updates of the whole training."""
        return self.recipe.epochs * (len(self.images) // self.recipe.batch)


@dataclass
class Followed:
    """What was seen of one network: see `follow`."""

    gradients: dict[str, pd.DataFrame] = field(default_factory=dict)
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    curve: list[dict[str, float]] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)


def follow(network: FeedForwardNetwork, lesson: Lesson, stream: torch.Generator) -> Followed:
    """Train one network in place and measure it on the way.

    Returns:
        gradients: by moment ("at init", "after 1", "after 100", "after all"), what `block_gradients` gives, and
            `log_weight_gradient` and `weight_shape`, those of the block's last layer.
        layers: one row a layer: `layer`, `shape`, `log_update` = log |W_l - W_l(0)| / |W_l(0)| after the first epoch.
        curve: one row every so many epochs of a training, from 0 for the start: `epoch`, `loss`, `error`, on all
            training images.
        settled: for each block the share of the training after which its representation stays as it will be.
    """
    found, probe = Followed(), lesson.images[: lesson.probe]
    weights = [weight.detach().clone() for weight in layer_weights(network)]
    each = len(lesson.images) // lesson.recipe.batch
    times = _snapshots(lesson)
    features: dict[int, list[Tensor]] = {}

    def look(done: int) -> None:
        if done in lesson.moments and done < lesson.updates:
            name = f"after {done}" if done else "at init"
            found.gradients[name] = _gradients(network, probe, lesson.labels[: lesson.probe])
        if done == each:
            found.layers = _updates(network, weights)
        if done in times:
            features[done] = representations(network, probe)
        if lesson.updates and done % (each * lesson.every) == 0:
            loss, error = training_error(network, lesson.images, lesson.labels)
            found.curve.append({"epoch": done // each, "loss": loss, "error": error})

    look(0)
    for done in updates(network, lesson.images, lesson.labels, lesson.recipe, stream):
        look(done)
    # A network that is not trained stands for all moments.
    last = ["after all"] if lesson.updates else [*_moments(lesson), "after all"]
    found.gradients |= dict.fromkeys(last, _gradients(network, probe, lesson.labels[: lesson.probe]))
    found.settled = settled_after(features)
    return found


def representations(network: FeedForwardNetwork, images: Tensor) -> list[Tensor]:
    """The states after each block; the network is left as it is."""
    measured = copy.deepcopy(network)
    with torch.no_grad():
        states = [measured.stem(images)]
        for block in measured.blocks:
            states.append(block(states[-1]).clone())
    return states[1:]


def settled_after(features: dict[int, list[Tensor]]) -> list[float]:
    """For each block, the share of the training after which its CKA to the last snapshot stays above 0.9."""
    if not features:
        return []
    steps = sorted(features)
    last = features[steps[-1]]
    return [
        settling([linear_cka(features[step][i], last[i]) for step in steps], steps) / max(steps[-1], 1)
        for i in range(len(last))
    ]


def gradient_rates(followed: Sequence[Followed]) -> pd.DataFrame:
    """Rates of the gradient over depth at each moment, one row a moment and network.

    Returns:
        `moment`; `network`; `rate`: of log |dL/dx_l| at states of equal shape, per link on the way back; `weight_rate`:
        of log |dL/dW_l| at weights of equal shape, W_l being the last of its block; `log_ratio` = log |dL/dx_1| - log
        |dL/dx_L|.
    """
    rows = []
    for moment in followed[0].gradients:
        for i, one in enumerate(followed):
            blocks = one.gradients[moment].iloc[1:]  # without the stem
            state = blocks["log_state"].tolist()
            row = {
                "rate": rate_back(state, blocks["state_shape"].tolist()),
                "weight_rate": rate_back(blocks["log_weight_gradient"].tolist(), blocks["weight_shape"].tolist()),
                "log_ratio": state[0] - state[-1],
            }
            rows.append({"moment": moment, "network": i, **row})
    return pd.DataFrame(rows)


def layer_tables(followed: Sequence[Followed]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How fast layers train, by depth, one row a network; and the mean over networks by layer.

    Returns:
        Rates: `network`; `update_rate`: change of log_update per layer towards the output, over layers of equal shape;
        `settling_rate`: change of the share of training that a block needs to settle, from the first block to the last
        (slope times number of blocks; NaN without snapshots).
        Profile: `weight`, of which layer, from 0; `log_update` with `low`, `high` and `n`; `settled`, of the block that
        ends with it.
    """
    rates, profile = [], []
    for i, one in enumerate(followed):
        blocks = one.layers.iloc[1:-1]  # without stem and head
        update_rate = -rate_back(blocks["log_update"].tolist(), blocks["shape"].tolist())
        rates.append({"network": i, "update_rate": update_rate, "settling_rate": _settling_rate(one.settled)})
    for layer in range(len(followed[0].layers)):
        values = [one.layers["log_update"].iloc[layer] for one in followed]
        profile.append({"weight": layer, **interval("log_update", values), "settled": _settled(followed, layer)})
    return pd.DataFrame(rates), pd.DataFrame(profile)


def error_tables(followed: Sequence[Followed]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training errors at the end, one row a network; and the learning curve, mean over networks.

    Returns:
        Errors: `network`; `error`, `loss` at the end; `change`: |loss at the end / loss at four fifths - 1|;
        `levelled`: whether that is below `LEVEL`; `change_before_drop`: the same over the last fifth of the epochs at
        the first rate.
        Curve: `epoch`; `error` with `low`, `high` and `n`; `loss`.
    """
    rows = []
    for i, one in enumerate(followed):
        losses = {int(point["epoch"]): point["loss"] for point in one.curve}
        epochs = max(losses)
        change = _change(losses, epochs)
        rows.append(
            {
                "network": i,
                "error": one.curve[-1]["error"],
                "loss": losses[epochs],
                "change": change,
                "levelled": bool(change < LEVEL),
                "change_before_drop": _change(losses, epochs // 2),
            }
        )
    curve = [
        {
            "epoch": int(point["epoch"]),
            **interval("error", [one.curve[i]["error"] for one in followed]),
            "loss": sum(one.curve[i]["loss"] for one in followed) / len(followed),
        }
        for i, point in enumerate(followed[0].curve)
    ]
    return pd.DataFrame(rows), pd.DataFrame(curve)


def planted_settling(rate: float, blocks: int, lesson: Lesson, networks: int, *, seed: int) -> pd.DataFrame:
    """Layers that take on their final representation all at once, at a step that depends on the layer as planted.

    Each representation is a random code of the probe images, another before than after the step. The steps are
    uniform over the width of a snapshot about their place, so that rounding to snapshots leaves the mean as planted.

    Returns:
        As the first table of `layer_tables`: `network`, `settling_rate`, and `update_rate`, which nothing is planted
        for: NaN.
    """
    rows = []
    for i in range(networks):
        stream = generator(seed, i, "planted settling")
        shares = 0.5 + rate * ((torch.arange(blocks) + 0.5) / blocks - 0.5)
        shares = shares + (torch.rand(blocks, generator=stream) - 0.5) / lesson.snapshots
        codes = torch.randn(2, blocks, lesson.probe, 16, generator=stream)
        features = {
            step: [codes[int(step >= share * lesson.updates), b] for b, share in enumerate(shares.tolist())]
            for step in sorted(_snapshots(lesson))
        }
        settled = settled_after(features)
        rows.append({"network": i, "update_rate": math.nan, "settling_rate": _settling_rate(settled)})
    return pd.DataFrame(rows)


def planted_errors(slope: float, depth: int, lesson: Lesson, networks: int, *, seed: int) -> pd.DataFrame:
    """Errors of classifiers that are wrong on a share 0.1 + slope * depth of the training images, chosen at random.

    Returns:
        As the first table of `error_tables`; the loss of what does not learn has levelled.
    """
    rows = []
    for i in range(networks):
        wrong = torch.randperm(len(lesson.labels), generator=generator(seed, i, "planted errors"))
        predicted = lesson.labels.clone()
        predicted[wrong[: round((0.1 + slope * depth) * len(predicted))]] += 1
        error = float((predicted != lesson.labels).double().mean())
        rows.append({"network": i, "error": error, "loss": error, "change": 0.0, "levelled": True})
    return pd.DataFrame(rows).assign(change_before_drop=0.0)


def follow_all(draw: Draw, networks: int, lesson: Lesson, *, seed: int) -> list[Followed]:
    """`follow` for independently drawn networks, each with an order of the images of its own."""
    return [follow(draw(i), lesson, generator(seed, i, "order of images")) for i in range(networks)]


def _settled(followed: Sequence[Followed], layer: int) -> float:
    """Mean share that the block which ends with this layer needs to settle; NaN if none does."""
    layers, blocks = len(followed[0].layers), len(followed[0].settled)
    if blocks == 0:
        return math.nan
    block, rest = divmod(layer, (layers - 2) // blocks)
    ends = rest == 0 and 0 < block <= blocks
    return sum(one.settled[block - 1] for one in followed) / len(followed) if ends else math.nan


def _settling_rate(settled: Sequence[float]) -> float:
    """Slope of the share that a block needs to settle, times the number of blocks."""
    return -rate_back(settled, ["block"] * len(settled)) * len(settled)


def _change(losses: Mapping[int, float], end: int) -> float:
    """Relative change of the loss over the last fifth of the epochs before `end`; NaN if it was not looked at then."""
    start = end - max(1, round(end / 5))
    return abs(losses[end] / losses[start] - 1) if {start, end} <= losses.keys() else math.nan


def _gradients(network: FeedForwardNetwork, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """`block_gradients` beside the gradients of the blocks' last layers."""
    blocks = block_gradients(network, images, labels)
    weights = weight_gradients(network, images, labels)
    each = (len(weights) - 2) // (len(blocks) - 1)
    last = weights.iloc[::each].iloc[: len(blocks)].reset_index(drop=True)
    return blocks.assign(log_weight_gradient=last["log_gradient"], weight_shape=last["shape"])


def _updates(network: nn.Module, start: Sequence[Tensor]) -> pd.DataFrame:
    rows = []
    for i, (weight, first) in enumerate(zip(layer_weights(network), start, strict=True)):
        shape = "x".join(str(size) for size in weight.shape)
        rows.append({"layer": i, "shape": shape, "log_update": log_norm(weight - first) - log_norm(first)})
    return pd.DataFrame(rows)


def _snapshots(lesson: Lesson) -> set[int]:
    if not lesson.snapshots:
        return set()
    return {round(i * lesson.updates / lesson.snapshots) for i in range(lesson.snapshots + 1)}


def _moments(lesson: Lesson) -> list[str]:
    return [f"after {done}" if done else "at init" for done in lesson.moments]

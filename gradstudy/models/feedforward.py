"""Feed-forward networks by design: plain, residual, pre-activation and dense; fully connected and convolutional."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from gradstudy.models.blocks import Dense, PreActivation, Residual, plain_block, transition
from gradstudy.models.design import FeedForward
from gradstudy.models.layers import after, before, weight_layer
from gradstudy.models.randomness import generator
from gradstudy.models.weights import initialise

__all__ = ["FeedForward", "FeedForwardNetwork", "draw_feedforward"]


class FeedForwardNetwork(nn.Module):
    """A stem, blocks and a head, one after the other.

    Args:
        design: what it is; its parameters are of any content until `initialise` fills them.

    Attributes:
        stem: from the input to the first state (for linear layers it flattens).
        blocks: `nn.Sequential` whose children are the links of the chain over depth, named "0", "1", ...; the
            transitions of a dense network are children too, named "transition1", ...
        head: from the last state to the outputs; of a convolutional network global average pooling and a linear layer.
    """

    def __init__(self, design: FeedForward) -> None:
        super().__init__()
        self.design = design
        self.stem = _stem(design)
        self.blocks, width = _dense_blocks(design) if design.kind == "dense" else _blocks(design)
        self.head = _head(design, width)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs `(batch, *input_shape)` to outputs `(batch, outputs)`."""
        return self.head(self.blocks(self.stem(x)))


def draw_feedforward(design: FeedForward, *, seed: int) -> FeedForwardNetwork:
    """Draw one network of a design, float64, in train mode.

    Weights are drawn in the order stem, blocks, head from a generator of their own: a deeper network of the same design
    (and one stage) has the same first blocks. `.float()` gives the same network in float32.

    Args:
        design: what all draws share.
        seed: of the draw.

    Example:
        >>> import torch
        >>> from gradstudy.models.feedforward import FeedForward, draw_feedforward
        >>> design = FeedForward("residual", "convolution", 6, 8, input_shape=(1, 14, 14), block_layers=2, stages=3)
        >>> network = draw_feedforward(design, seed=0)
        >>> tuple(network.blocks(network.stem(torch.zeros(2, 1, 14, 14).double())).shape)
        (2, 32, 4, 4)
    """
    # Made on the meta device, so that nothing is drawn from the global generator.
    with torch.device("meta"):
        network = FeedForwardNetwork(design).double()
    network.to_empty(device="cpu")
    initialise(network, design, generator(seed, 0, "feedforward"))
    return network


def _stem(design: FeedForward) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module]()
    if design.layer == "linear":
        layers["flatten"] = nn.Flatten()
    if design.stem:
        layers[f"{design.layer}1"] = weight_layer(design, design.inputs, design.width)
        if design.post_activation:
            layers.update(after(design, design.width, 1))
    return nn.Sequential(layers)


def _blocks(design: FeedForward) -> tuple[nn.Sequential, int]:
    kind = {"plain": plain_block, "residual": Residual, "pre-activation": PreActivation}[design.kind]
    blocks, n_in = nn.Sequential(), design.width
    for index in range(design.depth):
        stage, place = divmod(index, design.depth // design.stages)
        n_out = design.width * 2**stage
        blocks.append(kind(design, n_in, n_out, 2 if stage and not place else 1))
        n_in = n_out
    return blocks, n_in


def _dense_blocks(design: FeedForward) -> tuple[nn.Sequential, int]:
    layers, n = OrderedDict[str, nn.Module](), design.width
    for index in range(design.depth):
        stage, place = divmod(index, design.depth // design.stages)
        if stage and not place:
            kept = int(design.compression * n)
            layers[f"transition{stage}"] = transition(design, n, kept)
            n = kept
        layers[str(index)] = Dense(design, n)
        n += design.growth_rate
    return nn.Sequential(layers), n


def _head(design: FeedForward, width: int) -> nn.Sequential:
    layers = OrderedDict[str, nn.Module]() if design.post_activation else before(design, width, 1)
    if design.layer == "convolution":
        layers["pooling"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(width, design.outputs)
    return nn.Sequential(layers)

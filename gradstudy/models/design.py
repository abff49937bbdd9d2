"""What feed-forward networks of one kind share: everything but the draw."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass
from typing import Literal, get_args

from gradstudy.errors import OptionError

Kind = Literal["plain", "residual", "pre-activation", "dense"]
Layer = Literal["linear", "convolution"]
Nonlinearity = Literal["relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "linear"]
Normalisation = Literal["none", "batch", "layer", "group"]
LayerInitialisation = Literal["standard", "glorot", "he", "orthogonal", "delta-orthogonal", "gaussian"]
Padding = Literal["zeros", "circular"]
Shortcut = Literal["identity", "projection"]

# Nonlinearities that torch can do in place.
IN_PLACE = ("relu", "leaky_relu", "silu")


@dataclass(frozen=True)
class FeedForward:
    """Networks that differ only in their draw: a stem, `depth` blocks and a head.

    With phi the nonlinearity, N the normalisation and W_i weight layers (linear or 3x3 convolutions), one block is

    | kind | block | source |
    |---|---|---|
    | plain | x <- phi N W x, `block_layers` times | |
    | residual | x <- phi(S x + scale * N W_2 phi N W_1 x) | He et al. 2015 |
    | pre-activation | x <- S x + scale * W_2 phi N W_1 phi N x | He et al. 2016; with one layer Balduzzi et al. 2017 |
    | dense | x <- [x, W phi N x], `growth_rate` new features | Huang et al. 2016 |

    where S is the shortcut. So the state between blocks is a post-activation in plain and residual networks (in a plain
    block the pre-activation is what its last `linear<i>`, `convolution<i>` or `norm<i>` returns), and a pre-activation
    in the other two, whose head begins with phi N.

    Weight layers have a bias only without normalisation.

    Args:
        kind: plain, residual, pre-activation or dense.
        layer: linear (fully connected) or convolution.
        depth: blocks, those of all stages together; in a dense network its layers, transitions not counted.
        width: units of a hidden layer, or channels of the first stage; of a dense network, what the stem gives.
        input_shape: of one input: any for linear layers, which flatten it (default `(width,)`); for convolutions
            `(channels, height, width)`.
        outputs: of the head; classes.
        nonlinearity: relu, leaky_relu (slope 0.01), tanh, sigmoid, gelu, silu or linear (none).
        normalisation: none, batch, layer (over all of a sample's features) or group.
        groups: of group normalisation.
        initialisation: of the weights; see `gradstudy.models.weights.draw_weight`. Biases are 0 except for gaussian.
        gain: factor on the weights of every initialisation but gaussian.
        sigma_w, sigma_b: of gaussian alone: weights N(0, sigma_w^2 / fan_in), biases N(0, sigma_b^2).
        block_layers: weight layers of a block that is not dense; 2 in He et al.
        scale: beta, factor on the branch of a residual or pre-activation block; a constant, not trained.
        stem: whether a weight layer (with N and phi where states are post-activations) comes before the blocks; without
            it the input is the first state.
        padding: of convolutions, zeros or circular.
        stages: parts of equal depth between which convolutional networks halve the resolution; plain and residual ones
            double their channels there, dense ones have a transition.
        shortcut: where a stage changes the shape: identity (every second pixel, new channels 0; He's option A) or
            projection (1x1 convolution, normalised in residual blocks; option B).
        growth_rate: k of a dense network.
        bottleneck: a dense layer has a 1x1 convolution (or linear layer) to 4 k features before its own.
        compression: theta: share of its channels that a transition keeps.
        inplace: nonlinearities and the sums of residual blocks overwrite their inputs where this changes no result.

    Raises:
        OptionError: an option that is not offered, or does not fit the others.

    Example:
        >>> from gradstudy.models.feedforward import FeedForward, draw_feedforward
        >>> network = draw_feedforward(FeedForward("plain", "linear", depth=3, width=8), seed=0)
        >>> [name for name, _ in network.named_modules() if name.startswith("blocks.2")]
        ['blocks.2', 'blocks.2.linear1', 'blocks.2.nonlinearity1']
    """

    kind: Kind
    layer: Layer
    depth: int
    width: int
    _: KW_ONLY
    input_shape: tuple[int, ...] | None = None
    outputs: int = 10
    nonlinearity: Nonlinearity = "relu"
    normalisation: Normalisation = "none"
    groups: int = 4
    initialisation: LayerInitialisation = "he"
    gain: float = 1.0
    sigma_w: float = 1.0
    sigma_b: float = 0.0
    block_layers: int = 1
    scale: float = 1.0
    stem: bool = True
    padding: Padding = "zeros"
    stages: int = 1
    shortcut: Shortcut = "identity"
    growth_rate: int = 12
    bottleneck: bool = False
    compression: float = 1.0
    inplace: bool = False

    def __post_init__(self) -> None:
        for name, offered in _OFFERED.items():
            _one_of(name, getattr(self, name), offered)
        for name in ("depth", "width", "outputs", "groups", "block_layers", "stages", "growth_rate"):
            if getattr(self, name) < 1:
                raise _refused(f"{name}={getattr(self, name)}", "at least 1")
        self._check_layer()
        self._check_initialisation()
        self._check_kind()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return (self.width,) if self.input_shape is None else self.input_shape

    @property
    def inputs(self) -> int:
        """Features of an input: its numbers for linear layers, its channels for convolutions."""
        return math.prod(self.shape) if self.layer == "linear" else self.shape[0]

    @property
    def bias(self) -> bool:
        """Whether weight layers have a bias; a normalisation would take most of it away."""
        return self.normalisation == "none"

    @property
    def post_activation(self) -> bool:
        """Whether the states between blocks are post-activations."""
        return self.kind in ("plain", "residual")

    @property
    def weight_layers(self) -> int:
        """Weight layers from input to output, as the papers count depth: without those of projections."""
        if self.kind == "dense":
            return self.stem + self.depth * (1 + self.bottleneck) + self.stages - 1 + 1
        return self.stem + self.depth * self.block_layers + 1

    def _check_layer(self) -> None:
        if self.layer == "linear":
            for name, only in (("stages", 1), ("padding", "zeros"), ("shortcut", "identity")):
                if getattr(self, name) != only:
                    raise _refused(f"{name}={getattr(self, name)!r} with linear layers", f"{name}={only!r}")
        elif len(self.shape) != 3:
            raise _refused(f"convolutions with input_shape={self.input_shape}", "input_shape=(channels, height, width)")
        elif min(self.shape[1:]) < 2 ** (self.stages - 1):
            raise _refused(
                f"{self.stages} stages on {self.shape[1]}x{self.shape[2]} images", "a pixel in the last stage"
            )
        if self.depth % self.stages:
            raise _refused(f"{self.depth} blocks in {self.stages} stages", "stages of equal depth")
        if not self.stem and self.inputs != self.width:
            raise _refused(f"{self.inputs} inputs to blocks of width {self.width} without a stem", "equal numbers")

    def _check_initialisation(self) -> None:
        if self.initialisation == "delta-orthogonal" and self.layer == "linear":
            raise _refused("initialisation='delta-orthogonal' with linear layers", "convolutions, or 'orthogonal'")
        if self.initialisation == "gaussian" and self.gain != 1.0:
            raise _refused(f"gain={self.gain} with initialisation='gaussian'", "sigma_w, its own name for the gain")
        if self.initialisation != "gaussian" and (self.sigma_w, self.sigma_b) != (1.0, 0.0):
            raise _refused(f"sigma_w, sigma_b with initialisation={self.initialisation!r}", "'gaussian', or gain")
        if self.sigma_b and not self.bias:
            raise _refused(f"sigma_b={self.sigma_b} with normalisation={self.normalisation!r}", "layers with a bias")

    def _check_kind(self) -> None:
        branched = self.kind in ("residual", "pre-activation")
        if self.scale != 1.0 and not branched:
            raise _refused(f"scale={self.scale} in a {self.kind} network", "residual or pre-activation blocks")
        if self.shortcut != "identity" and not branched:
            raise _refused(f"a shortcut in a {self.kind} network", "residual or pre-activation blocks")
        if self.kind == "dense" and self.block_layers != 1:
            raise _refused(f"block_layers={self.block_layers} in a dense network", "bottleneck=True for a second layer")
        if self.kind != "dense" and (self.bottleneck or self.compression != 1.0):
            raise _refused(f"a bottleneck or compression in a {self.kind} network", "a dense network")
        if not 0 < self.compression <= 1:
            raise _refused(f"compression={self.compression}", "a share in (0, 1]")
        if self.inplace and self.nonlinearity not in IN_PLACE:
            raise _refused(f"nonlinearity={self.nonlinearity!r} in place", f"one of {', '.join(IN_PLACE)}")
        if self.normalisation == "group":
            self._check_groups()

    def _check_groups(self) -> None:
        if self.compression != 1.0:
            raise _refused(
                f"compression={self.compression} with normalisation='group'", "channels that the groups divide"
            )
        for name in ("width", "growth_rate")[: 1 + (self.kind == "dense")]:
            if getattr(self, name) % self.groups:
                raise _refused(f"{name}={getattr(self, name)} in {self.groups} groups", f"a multiple of {self.groups}")


_OFFERED: dict[str, Collection[str]] = {
    "kind": get_args(Kind),
    "layer": get_args(Layer),
    "nonlinearity": get_args(Nonlinearity),
    "normalisation": get_args(Normalisation),
    "initialisation": get_args(LayerInitialisation),
    "padding": get_args(Padding),
    "shortcut": get_args(Shortcut),
}


def _one_of(name: str, value: str, offered: Collection[str]) -> None:
    if value not in offered:
        raise _refused(f"{name}={value!r}", f"one of {', '.join(offered)}")


def _refused(came: str, needed: str) -> OptionError:
    return OptionError(
        f"a feed-forward design: {came}",
        needed=needed,
        why="the network would be another than the design says",
        remedy="correct the design's fields",
    )

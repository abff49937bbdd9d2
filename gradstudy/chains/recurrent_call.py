"""One call of a recurrent module of torch: what went in, what came out, and the places a chain may be of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradstudy.chains.checks import check_index, unsupported


class Place(NamedTuple):
    """A layer, from 0, and its direction: what one chain is of."""

    layer: int
    reverse: bool

    @property
    def suffix(self) -> str:
        """What torch appends to the names of the weights of this place."""
        return f"l{self.layer}_reverse" if self.reverse else f"l{self.layer}"


@dataclass(frozen=True, eq=False)
class RecurrentCall:
    """One call of a recurrent module: what went in, what came out, and how to reach its place in the graph.

    Args:
        module: the nn.RNN, nn.LSTM or nn.GRU.
        inputs: as given to the module.
        state: h_0 (and c_0) of all layers and directions, `(layers * directions, batch, n)` each; () for zeros.
        output: what the module returned as output.
        targets: tensors or gradient edges of the output and, where the caller can use them, of h_n (and c_n).
    """

    module: nn.RNNBase
    inputs: Tensor
    state: tuple[Tensor, ...]
    output: Tensor
    targets: tuple[object, ...]

    @property
    def batched(self) -> bool:
        """Whether the inputs have a batch axis."""
        return self.inputs.dim() == 3

    @property
    def directions(self) -> tuple[bool, ...]:
        """Whether each direction is reversed."""
        return (False, True) if self.module.bidirectional else (False,)

    def to_time_major(self, value: Tensor) -> Tensor:
        """From the module's layout to `(time, batch, n)`."""
        if not self.batched:
            return value.unsqueeze(1)
        return value.transpose(0, 1) if self.module.batch_first else value

    def at(self, place: Place, stacked: Tensor) -> Tensor:
        """A place's rows, `(batch, n)`, of a tensor that is laid out as h_n."""
        row = stacked[place.layer * len(self.directions) + place.reverse]
        return row if self.batched else row[None]

    def initial(self, place: Place, part: int) -> Tensor:
        """h_0 (part 0) or c_0 (part 1) of a place, `(batch, n)`."""
        if not self.state:
            return self.output.new_zeros(self.to_time_major(self.inputs).shape[1], self.module.hidden_size)
        return self.at(place, self.state[part])

    def weight(self, kind: str, place: Place) -> Tensor:
        """A copy of one of the place's weights, so that a later training step does not move what was measured."""
        return getattr(self.module, f"{kind}_{place.suffix}").detach().clone()

    def bias(self, kind: str, place: Place) -> Tensor | None:
        """The same of a bias; None where the module has none."""
        return self.weight(kind, place) if self.module.bias else None

    @cached_property
    def layer_inputs(self) -> tuple[Tensor, ...]:
        """What goes into each layer, `(time, batch, n)`; the layers but the last run once more for it."""
        below = [self.to_time_major(self.inputs.detach())]
        for layer in range(self.module.num_layers - 1):
            state = self.state and [torch.stack([self.at(p, s) for p in self._places(layer)]) for s in self.state]
            single = _single_layer(self, layer)
            below.append(single(below[-1], (tuple(state) if len(state) > 1 else state[0]) if state else None)[0])
        return tuple(below)

    def _places(self, layer: int) -> list[Place]:
        return [Place(layer, reverse) for reverse in self.directions]

    def hidden(self, place: Place) -> Tensor:
        """h_1 .. h_T of a place in its own order of time, `(time, batch, n)`."""
        last = place.layer == self.module.num_layers - 1
        both = self.to_time_major(self.output.detach()) if last else self.layer_inputs[place.layer + 1]
        return self.own_order(place, both)

    def own_order(self, place: Place, both: Tensor) -> Tensor:
        """A place's part of what is laid out as a layer's output, in the place's own order of time."""
        size = self.module.hidden_size
        part = both[..., size:] if place.reverse else both[..., :size]
        return part.flip(0) if place.reverse else part


def resolve_place(module: nn.RNNBase, layer: int, direction: str) -> Place:
    """The layer's index from 0 (negative ones count from the last) and its direction."""
    layers = module.num_layers
    layer = check_index("layer", layer, -layers, layers - 1, "layer=-1 is the last, layer=0 the first") % layers
    allowed = ("forward", "reverse") if module.bidirectional else ("forward",)
    if direction not in allowed:
        raise unsupported(
            f"direction={direction!r} of {'a bidirectional' if module.bidirectional else 'a one-directional'} module",
            f"one of {', '.join(allowed)}",
            "leave direction out for the forward one",
            why="the module has no such way through time",
        )
    return Place(layer, direction == "reverse")


def _single_layer(call: RecurrentCall, layer: int) -> nn.RNNBase:
    """A one-layer module with one layer's weights; made on the meta device, so no random state moves."""
    module = call.module
    size = module.input_size if layer == 0 else module.hidden_size * len(call.directions)
    nonlinearity = {"RNN_TANH": {"nonlinearity": "tanh"}, "RNN_RELU": {"nonlinearity": "relu"}}.get(module.mode, {})
    kind = {"LSTM": nn.LSTM, "GRU": nn.GRU}.get(module.mode, nn.RNN)
    single: nn.RNNBase = kind(
        size, module.hidden_size, bias=module.bias, bidirectional=module.bidirectional, device="meta", **nonlinearity
    )
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if module.bias else ("weight_ih", "weight_hh")
    for name, reverse in product(kinds, call.directions):
        weight = nn.Parameter(call.weight(name, Place(layer, reverse)), requires_grad=False)
        setattr(single, f"{name}_{Place(0, reverse).suffix}", weight)
    return single

"""The chains of an untouched `nn.RNN`, `nn.LSTM` or `nn.GRU`: one a layer and direction, links in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradstudy.chains.adjoint import Scaled, adjoint
from gradstudy.chains.chain import Chain, independent_loss
from gradstudy.chains.checks import (
    check_index,
    check_length,
    check_module_dtype,
    check_shape,
    check_states,
    check_tensor,
    refuse_context,
    refuse_dropout,
    refuse_moving_weights,
    unsupported,
)
from gradstudy.chains.closed_form import ClosedFormLinks
from gradstudy.chains.gru import gru_links
from gradstudy.chains.lstm import lstm_links
from gradstudy.chains.vanilla import VanillaLinks
from gradstudy.errors import PackedInputError

State = Tensor | tuple[Tensor, ...] | None


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


def check_module(module: nn.RNNBase) -> None:
    """Raise a named error unless the module is one that can be measured, whatever its inputs."""
    kind, own = type(module), vars(module)
    inherited = (
        kind.forward in (nn.RNN.forward, nn.LSTM.forward, nn.GRU.forward) and kind.__call__ is nn.Module.__call__
    )
    if not inherited or "forward" in own:
        raise unsupported(
            f"{type(module).__name__}, whose forward is not that of nn.RNN, nn.LSTM or nn.GRU",
            "one of these three as they are",
            "pass its recurrence as a callable cell (input, state) -> state",
        )
    if module.proj_size:
        raise unsupported(
            f"an nn.LSTM with proj_size={module.proj_size}",
            "proj_size=0",
            "measure the network without the projection, or pass its recurrence as a callable cell",
        )
    refuse_dropout(module)
    check_module_dtype(module)
    refuse_moving_weights(module)


def given(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The inputs and the state among the arguments of a call of a recurrent module."""
    return args[0] if args else kwargs["input"], args[1] if len(args) > 1 else kwargs.get("hx")


def check_call(module: nn.RNNBase, inputs: object, state: object) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The inputs and the state's parts, if the module can be measured on them; else a named error."""
    if isinstance(inputs, nn.utils.rnn.PackedSequence):
        raise PackedInputError(
            "a PackedSequence",
            needed="a padded tensor, one length for the whole batch",
            why="rows of different length end at different links, so one chain cannot hold them",
            remedy="group sequences of one length, or measure each with nn.utils.rnn.pad_packed_sequence",
        )
    refuse_context()
    check_module(module)
    dtype = module.weight_hh_l0.dtype
    assert isinstance(dtype, torch.dtype)
    tensor = check_tensor("inputs", inputs, dtype)
    parts = tuple(check_tensor("state", part, dtype) for part in _parts(module, state))
    _check_shapes(module, tensor, parts)
    return tensor.detach(), tuple(part.detach().clone() for part in parts)


def _parts(module: nn.RNNBase, state: object) -> tuple[object, ...]:
    """h_0, or h_0 and c_0 for an LSTM; nothing for zeros."""
    if state is None:
        return ()
    if module.mode != "LSTM":
        return (state,)
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise unsupported(
            f"the state of an nn.LSTM as {type(state).__name__}", "a pair (h_0, c_0)", "pass both, as to the module"
        )
    return tuple(state)


def _check_shapes(module: nn.RNNBase, inputs: Tensor, state: tuple[Tensor, ...]) -> None:
    size, hidden = module.input_size, module.hidden_size
    if inputs.dim() == 2:
        check_shape("inputs", inputs, (None, size), "(time, input_size), unbatched")
        steps, batch_shape = inputs.shape[0], list[int]()
    else:
        layout = "(batch, time, input_size)" if module.batch_first else "(time, batch, input_size)"
        check_shape("inputs", inputs, (None, None, size), layout)
        steps = inputs.shape[1 if module.batch_first else 0]
        batch_shape = [inputs.shape[0 if module.batch_first else 1]]
    check_length(steps, *batch_shape)
    rows = module.num_layers * (2 if module.bidirectional else 1)
    for part in state:
        check_shape("state", part, (rows, *batch_shape, hidden), "(layers * directions, batch, hidden_size)")


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
        )
    return Place(layer, direction == "reverse")


@dataclass(frozen=True, eq=False)
class Run:
    """One direction of one layer in a call, measured: its states, its links, and the weights its inputs come in by."""

    states: Tensor
    links: ClosedFormLinks
    weight_in: Tensor
    reverse: bool

    def pull_to_inputs(self, total: Scaled) -> Scaled:
        """Gradients at the layer's inputs, in the order of time, from the total gradients at its states."""
        steps, batch, _ = self.links.before.shape
        rows = total.scaled[1:].flatten(0, 1)
        pulled = (self.links.abreast(0, steps).input_deltas(1, rows) @ self.weight_in).unflatten(0, (steps, batch))
        scale = total.log_scale[1:]
        return Scaled(pulled.flip(0), scale.flip(0)) if self.reverse else Scaled(pulled, scale)


Runs = Mapping[Place, Run]


def runs_of(call: RecurrentCall, place: Place | None = None) -> Runs:
    """What a chain of the place needs: its own run and those of all layers above it; all runs for None."""
    last = call.module.num_layers
    above = product(range(0 if place is None else place.layer + 1, last), call.directions)
    places = [Place(*found) for found in above] + ([] if place is None else [place])
    with torch.no_grad():
        return {found: _run(call, found) for found in places}


def _run(call: RecurrentCall, place: Place) -> Run:
    hidden = torch.cat([call.initial(place, 0)[None], call.hidden(place)])
    check_states(hidden)
    weight, weight_in = call.weight("weight_hh", place), call.weight("weight_ih", place)
    mode = call.module.mode
    if mode in ("RNN_TANH", "RNN_RELU"):
        links = VanillaLinks(weight, hidden[:-1], hidden[1:], "tanh" if mode == "RNN_TANH" else "relu")
        return Run(hidden, links, weight_in, place.reverse)
    below = call.layer_inputs[place.layer]
    inputs = below.flip(0) if place.reverse else below
    bias_in, bias = call.bias("bias_ih", place), call.bias("bias_hh", place)
    if mode == "GRU":
        biases = None if bias_in is None or bias is None else (bias_in, bias)
        return Run(hidden, gru_links((weight_in, weight), biases, inputs, hidden), weight_in, place.reverse)
    both = None if bias_in is None or bias is None else bias_in + bias
    cell = call.initial(place, 1)
    lstm = lstm_links((weight_in, weight, both), inputs, hidden, cell)
    states = torch.cat([hidden, torch.cat([cell[None], lstm.cells])], -1)
    check_states(states)
    return Run(states, lstm, weight_in, place.reverse)


def recurrent_chain(call: RecurrentCall, place: Place, runs: Runs) -> Chain:
    """The chain of one direction of one layer of a call; the module itself stays as it is."""
    run = runs[place]
    symbol = "(h, c)" if call.module.mode == "LSTM" else "h"
    direction = ", reverse" if place.reverse else ""
    return Chain(
        output=call.output,
        states=run.states,
        links=run.links,
        names=tuple(f"{symbol}_{t}" for t in range(len(run.states))),
        method=f"{call.module.mode.lower()} layer {place.layer}{direction}, closed form",
        partials=_partials(call, place, runs),
        weight=lambda: getattr(call.module, f"weight_hh_{place.suffix}"),
    )


def _partials(call: RecurrentCall, place: Place, runs: Runs) -> Callable[[Tensor], Scaled]:
    """Maps a loss to its direct partials with respect to the place's states."""

    def partials(loss: Tensor) -> Scaled:
        output, *ends = torch.autograd.grad(loss, list(call.targets), retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
        if output is None and all(end is None for end in ends):
            raise independent_loss()
        return direct_partials(call, place, runs, output, ends)

    return partials


def direct_partials(
    call: RecurrentCall, place: Place, runs: Runs, output: Tensor | None, ends: Sequence[Tensor | None]
) -> Scaled:
    """Direct partials with respect to a place's states from the gradients at what the module returned.

    A lower layer's come down through the layers above it, each by its own adjoint recursion in the log domain.

    Args:
        call: of the module.
        place: whose states are meant.
        runs: of the place and of all layers above it.
        output: gradient at the output, in the module's layout; None where nothing came.
        ends: gradients at h_n (and c_n), the same way; may be empty.
    """
    output = torch.zeros_like(call.output) if output is None else output
    direct = Scaled.of(call.to_time_major(output))
    for layer in range(call.module.num_layers - 1, place.layer, -1):
        above = [Place(layer, reverse) for reverse in call.directions]
        totals = [adjoint(runs[at].links, _at_states(call, at, runs[at], direct, ends)) for at in above]
        pulled = [runs[at].pull_to_inputs(total) for at, total in zip(above, totals, strict=True)]
        direct = pulled[0] if len(pulled) == 1 else pulled[0] + pulled[1]
    return _at_states(call, place, runs[place], direct, ends)


def _at_states(call: RecurrentCall, place: Place, run: Run, direct: Scaled, ends: Sequence[Tensor | None]) -> Scaled:
    """Direct partials at the states of a place from those at its layer's output and at the final states."""
    size = call.module.hidden_size
    scaled = run.states.new_empty(run.states.shape)
    scaled[0] = 0
    scaled[1:, :, :size] = call.own_order(place, direct.scaled)
    scaled[1:, :, size:] = 0
    log_scale = direct.log_scale.flip(0) if place.reverse else direct.log_scale
    found = Scaled(scaled, torch.cat([torch.zeros_like(log_scale[:1]), log_scale]))
    if any(end is not None for end in ends):
        last = scaled.new_zeros(scaled[-1:].shape)
        for part, end in enumerate(ends):
            if end is not None:
                last[0, :, part * size : (part + 1) * size] = call.at(place, end)
        total = found[-1:] + Scaled.of(last)
        found.scaled[-1:], found.log_scale[-1:] = total.scaled, total.log_scale
    return found


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

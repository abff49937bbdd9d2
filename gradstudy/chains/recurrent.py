"""The chain of an untouched `nn.RNN`: links in closed form from its outputs, one layer at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradstudy.chains.chain import Chain, independent_loss
from gradstudy.chains.checks import (
    check_length,
    check_module_dtype,
    check_shape,
    check_states,
    check_tensor,
    refuse_dropout,
    unsupported,
)
from gradstudy.chains.links import WeightLinks
from gradstudy.errors import LinkRangeError, PackedInputError


@dataclass(frozen=True, eq=False)
class RecurrentCall:
    """One call of a recurrent module: what went in, what came out, and how to reach its place in the graph.

    Args:
        module: the nn.RNN.
        inputs: as given to the module.
        state: h_0 of all layers, `(layers, batch, n)`, or None for zeros.
        output: what the module returned as output.
        targets: tensors or gradient edges of the output and, where the caller can use it, of h_n.
    """

    module: nn.RNN
    inputs: Tensor
    state: Tensor | None
    output: Tensor
    targets: tuple[object, ...]

    @property
    def batched(self) -> bool:
        """Whether the inputs have a batch axis."""
        return self.inputs.dim() == 3

    def to_time_major(self, value: Tensor) -> Tensor:
        """From the module's layout to `(time, batch, n)`."""
        if not self.batched:
            return value.unsqueeze(1)
        return value.transpose(0, 1) if self.module.batch_first else value

    def initial(self, layer: int) -> Tensor:
        """h_0 of a layer, `(batch, n)`."""
        if self.state is None:
            batch = self.to_time_major(self.inputs).shape[1]
            return self.output.new_zeros(batch, self.module.hidden_size)
        row = self.state[layer]
        return row if self.batched else row[None]


def check_call(module: nn.RNNBase, inputs: object, state: Tensor | None) -> None:
    """Raise a named error unless the module can be measured on these inputs."""
    if isinstance(inputs, nn.utils.rnn.PackedSequence):
        raise PackedInputError(
            "a PackedSequence",
            needed="a padded tensor, one length for the whole batch",
            why="rows of different length end at different links, so one chain cannot hold them",
            remedy="group sequences of one length, or measure each with nn.utils.rnn.pad_packed_sequence",
        )
    if not isinstance(inputs, Tensor):
        raise unsupported(f"inputs of type {type(inputs).__name__}", "a tensor", "pass the tensor the module gets")
    if module.mode not in ("RNN_TANH", "RNN_RELU"):
        raise unsupported(
            f"nn.{module.mode}", "nn.RNN (tanh or relu), or a cell", "pass a callable cell (input, state) -> state"
        )
    if module.bidirectional:
        raise unsupported("a bidirectional nn.RNN", "one direction", "measure two one-directional modules")
    refuse_dropout(module)
    check_module_dtype(module)
    check_tensor("inputs", inputs, next(module.parameters()).dtype)
    _check_shapes(module, inputs, state)


def _check_shapes(module: nn.RNNBase, inputs: Tensor, state: Tensor | None) -> None:
    size, layers, hidden = module.input_size, module.num_layers, module.hidden_size
    if inputs.dim() == 2:
        check_shape("inputs", inputs, (None, size), "(time, input_size), unbatched")
        steps, batch_shape = inputs.shape[0], list[int]()
    else:
        layout = "(batch, time, input_size)" if module.batch_first else "(time, batch, input_size)"
        check_shape("inputs", inputs, (None, None, size), layout)
        steps = inputs.shape[1 if module.batch_first else 0]
        batch_shape = [inputs.shape[0 if module.batch_first else 1]]
    check_length(steps)
    if state is not None:
        check_tensor("state", state, inputs.dtype)
        check_shape("state", state, (layers, *batch_shape, hidden), "(layers, batch, hidden_size)")


def resolve_layer(module: nn.RNNBase, layer: int) -> int:
    """The layer's index from 0; negative ones count from the last."""
    layers = module.num_layers
    if not -layers <= layer < layers:
        raise LinkRangeError(
            f"layer={layer}",
            needed=f"{-layers} .. {layers - 1}: the module has {layers} layer(s)",
            why="there is no such layer to measure",
            remedy="layer=-1 is the last, layer=0 the first",
        )
    return layer % layers


def recurrent_chain(call: RecurrentCall, layer: int) -> Chain:
    """The chain of one layer of a call; the layers below it are re-run, the module itself stays as it is."""
    module = call.module
    last = module.num_layers - 1
    with torch.no_grad():
        if layer == last:
            hidden = call.to_time_major(call.output.detach())
        else:
            hidden = run_layers(call, call.to_time_major(call.inputs), 0, layer)
        states = torch.cat([call.initial(layer)[None], hidden])
        check_states(states)
        weight = getattr(module, f"weight_hh_l{layer}").detach()
        slopes = 1 - states[1:] ** 2 if module.mode == "RNN_TANH" else (states[1:] > 0).to(states.dtype)
    return Chain(
        output=call.output,
        states=states,
        links=WeightLinks(weight, left=slopes),
        names=tuple(f"h_{t}" for t in range(len(states))),
        method=f"{module.mode.lower()} layer {layer}, closed form",
        partials=_partials(call, layer, hidden),
    )


def _partials(call: RecurrentCall, layer: int, hidden: Tensor) -> Callable[[Tensor], Tensor]:
    """Maps a loss to its direct partials with respect to the layer's states."""

    def partials(loss: Tensor) -> Tensor:
        grads = torch.autograd.grad(loss, list(call.targets), retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
        if all(grad is None for grad in grads):
            raise independent_loss()
        top = call.to_time_major(grads[0]) if grads[0] is not None else torch.zeros_like(hidden)
        final = grads[1] if len(grads) > 1 else None
        if final is not None and not call.batched:
            final = final.unsqueeze(1)
        direct = hidden.new_zeros(len(hidden) + 1, *hidden.shape[1:])
        direct[1:] = top if layer == call.module.num_layers - 1 else _pull_down(call, layer, hidden, top, final)
        if final is not None:
            direct[-1] += final[layer]
        return direct

    return partials


def _pull_down(call: RecurrentCall, layer: int, hidden: Tensor, top: Tensor, final: Tensor | None) -> Tensor:
    """The gradients at the module's output and at the upper layers' h_n, pulled down to one layer's outputs."""
    uppers = range(layer + 1, call.module.num_layers)
    with torch.enable_grad():
        leaf = hidden.detach().requires_grad_()
        outputs = [leaf]
        for upper in uppers:
            outputs.append(run_layers(call, outputs[-1], upper, upper))
        ends = [] if final is None else [output[-1] for output in outputs[1:]]
        given = [] if final is None else [final[upper] for upper in uppers]
        (direct,) = torch.autograd.grad([outputs[-1], *ends], leaf, [top, *given])
    return direct


def run_layers(call: RecurrentCall, inputs: Tensor, first: int, stop: int) -> Tensor:
    """Outputs of layer `stop` from the inputs of layer `first`, time-major, by torch's own kernels."""
    for layer in range(first, stop + 1):
        single = _single_layer(call.module, layer)
        inputs = single(inputs, call.initial(layer)[None])[0]
    return inputs


def _single_layer(module: nn.RNN, layer: int) -> nn.RNN:
    """A one-layer nn.RNN that shares one layer's parameters; made on the meta device, so no random state moves."""
    size = module.input_size if layer == 0 else module.hidden_size
    nonlinearity = "tanh" if module.mode == "RNN_TANH" else "relu"
    single = nn.RNN(size, module.hidden_size, nonlinearity=nonlinearity, bias=module.bias, device="meta")
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if module.bias else ("weight_ih", "weight_hh")
    for kind in kinds:
        setattr(single, f"{kind}_l0", getattr(module, f"{kind}_l{layer}"))
    return single

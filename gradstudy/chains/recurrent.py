"""The chain of an untouched `nn.RNN`: links in closed form from its outputs, one layer at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    unsupported,
)
from gradstudy.chains.links import WeightLinks
from gradstudy.errors import PackedInputError


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

    module: nn.RNNBase
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

    def weight(self, kind: str, layer: int) -> Tensor:
        """A copy of one of the layer's weights, so that a later training step does not move what was measured."""
        return getattr(self.module, f"{kind}_l{layer}").detach().clone()


def check_module(module: nn.RNNBase) -> None:
    """Raise a named error unless the module is one that can be measured, whatever its inputs."""
    if module.mode not in ("RNN_TANH", "RNN_RELU"):
        raise unsupported(
            f"nn.{module.mode}", "nn.RNN (tanh or relu), or a cell", "pass a callable cell (input, state) -> state"
        )
    if type(module).forward is not nn.RNN.forward:
        raise unsupported(
            f"{type(module).__name__}, whose forward is not nn.RNN's",
            "nn.RNN itself",
            "pass its recurrence as a callable cell (input, state) -> state",
        )
    if module.bidirectional:
        raise unsupported("a bidirectional nn.RNN", "one direction", "measure two one-directional modules")
    refuse_dropout(module)
    check_module_dtype(module)


def check_call(module: nn.RNNBase, inputs: object, state: object) -> Tensor:
    """The inputs, if the module can be measured on them; else a named error."""
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
    _check_shapes(module, tensor, None if state is None else check_tensor("state", state, dtype))
    return tensor


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
    check_length(steps, *batch_shape)
    if state is not None:
        check_shape("state", state, (layers, *batch_shape, hidden), "(layers, batch, hidden_size)")


def resolve_layer(module: nn.RNNBase, layer: int) -> int:
    """The layer's index from 0; negative ones count from the last."""
    layers = module.num_layers
    return check_index("layer", layer, -layers, layers - 1, "layer=-1 is the last, layer=0 the first") % layers


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer of a call, measured: its states, its links, and the weights its inputs come in by."""

    states: Tensor
    links: WeightLinks
    weight_in: Tensor

    def pull_to_inputs(self, total: Scaled) -> Scaled:
        """Gradients at the layer's inputs from its total gradients, the first (h_0's) without one."""
        assert self.links.left is not None
        pulled = torch.zeros(*total.scaled.shape[:2], self.weight_in.shape[1]).to(total.scaled)
        torch.matmul(self.links.left * total.scaled[1:], self.weight_in, out=pulled[1:])
        return Scaled(pulled, total.log_scale)


def recurrent_chain(call: RecurrentCall, layer: int) -> Chain:
    """The chain of one layer of a call; the other layers are re-run, the module itself stays as it is."""
    with torch.no_grad():
        layers = _layers(call, layer)
    own = layers[0]
    return Chain(
        output=call.output,
        states=own.states,
        links=own.links,
        names=tuple(f"h_{t}" for t in range(len(own.states))),
        method=f"{call.module.mode.lower()} layer {layer}, closed form",
        partials=_partials(call, layer, layers),
    )


def _layers(call: RecurrentCall, first: int) -> list[_Layer]:
    """The layers from `first` to the last."""
    last = call.module.num_layers - 1
    found, hidden = [], call.to_time_major(call.inputs.detach())
    for layer in range(last + 1):
        if layer == last:
            hidden = call.to_time_major(call.output.detach())
        else:
            hidden = _single_layer(call, layer)(hidden, call.initial(layer).detach()[None])[0]
        if layer >= first:
            states = torch.cat([call.initial(layer).detach()[None], hidden])
            check_states(states)
            slopes = _slopes(states[1:], call.module.mode)
            links = WeightLinks(call.weight("weight_hh", layer), left=slopes)
            found.append(_Layer(states, links, call.weight("weight_ih", layer)))
    return found


def _slopes(hidden: Tensor, mode: str) -> Tensor:
    """phi' from phi: 1 - h^2 for tanh, in one new tensor; 1 where h > 0 for relu, as torch has it."""
    return hidden.square().neg_().add_(1) if mode == "RNN_TANH" else (hidden > 0).to(hidden.dtype)


def _partials(call: RecurrentCall, layer: int, layers: list[_Layer]) -> Callable[[Tensor], Scaled]:
    """Maps a loss to its direct partials with respect to the layer's states.

    A lower layer's come down through the layers above it, each by its own adjoint recursion in the log domain.
    """

    def partials(loss: Tensor) -> Scaled:
        grads = torch.autograd.grad(loss, list(call.targets), retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
        if all(grad is None for grad in grads):
            raise independent_loss()
        ends = _ends(call, layer, grads[1] if len(grads) > 1 else None)
        direct = _at_output(call, layers[-1].states, grads[0])
        for above, end in zip(reversed(layers[1:]), reversed(ends[1:]), strict=True):
            direct = above.pull_to_inputs(adjoint(above.links, _with_end(direct, end)))
        return _with_end(direct, ends[0])

    return partials


def _ends(call: RecurrentCall, layer: int, final: Tensor | None) -> list[Tensor | None]:
    """The gradient at h_n of each layer from `layer` up, `(batch, n)` or None."""
    layers = range(layer, call.module.num_layers)
    return [None if final is None else (final[i] if call.batched else final[i][None]) for i in layers]


def _at_output(call: RecurrentCall, states: Tensor, grad: Tensor | None) -> Scaled:
    if grad is None:
        return Scaled.of(torch.zeros_like(states))
    return Scaled.of(torch.cat([torch.zeros_like(states[:1]), call.to_time_major(grad)]))


def _with_end(direct: Scaled, end: Tensor | None) -> Scaled:
    """The direct partials with the gradient at h_n added to the last."""
    if end is not None:
        # The last state's scale is 1: h_n's gradient comes from the loss itself, in the user's own numbers.
        rescaled = direct.scaled[-1] * torch.exp(direct.log_scale[-1]).to(end.dtype)[:, None]
        direct.scaled[-1] = rescaled + end
        direct.log_scale[-1] = 0.0
    return direct


def _single_layer(call: RecurrentCall, layer: int) -> nn.RNN:
    """A one-layer nn.RNN with one layer's weights; made on the meta device, so no random state moves."""
    module = call.module
    size = module.input_size if layer == 0 else module.hidden_size
    nonlinearity = "tanh" if module.mode == "RNN_TANH" else "relu"
    single = nn.RNN(size, module.hidden_size, nonlinearity=nonlinearity, bias=module.bias, device="meta")
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if module.bias else ("weight_ih", "weight_hh")
    for kind in kinds:
        setattr(single, f"{kind}_l0", nn.Parameter(call.weight(kind, layer), requires_grad=False))
    return single

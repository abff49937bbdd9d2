"""time_chain: one recurrent module on one input, as a chain over time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradstudy.chains.adjoint import Scaled
from gradstudy.chains.chain import Chain, independent_loss
from gradstudy.chains.checks import (
    check_finite,
    check_index,
    check_length,
    check_module_dtype,
    check_shape,
    check_states,
    check_tensor,
    refuse_context,
    unsupported,
)
from gradstudy.chains.links import CellLinks, Links, WeightLinks, refuse_unfit_cell
from gradstudy.chains.recurrent import RecurrentCall, check_call, recurrent_chain, resolve_layer
from gradstudy.models.pascanu import PascanuRNN

Cell = Callable[[Tensor, Tensor], Tensor]


def time_chain(module: nn.Module | Cell, inputs: Tensor, state: Tensor | None = None, layer: int = -1) -> Chain:
    """A recurrent module on one input, as a chain over time.

    The module runs once, as it is and without a graph of its own; links follow in closed form from its outputs
    (h_t = tanh(.): J_t = diag(1 - h_t^2) W_hh; relu: diag(h_t > 0) W_hh), so the user's parameters, gradients, mode
    and random state are left alone.

    Args:
        module: nn.RNN (tanh or relu; any number of layers, either layout, with or without bias), gradstudy's
            `PascanuRNN`, or any callable cell `(input, state) -> state` whose rows do not depend on each other.
        inputs: in the module's own layout; for a cell `(time, batch, ...)`; for a PascanuRNN `(time, batch, input)`.
        state: h_0 as the module takes it, `(layers, batch, n)`; for a cell or a PascanuRNN `(batch, n)`. Zeros by
            default; a cell needs it.
        layer: which layer of a multi-layer module; -1 is the last.

    Returns:
        The chain; `chain.output` is what the module returns as output, in its layout, a leaf that requires grad.

    Raises:
        InputShapeError, DTypeError, NonFiniteError: inputs, weights or states that cannot be measured; a non-finite
            state is named by its first timestep.
        UnsupportedModuleError, DropoutError, PackedInputError: what has no exact chain here, refused by name.

    Cost: one forward pass; the output, the states and the links' slopes are stored, each the size of the states. In a
    multi-layer module the layers below the last run once more.

    Example:
        >>> import torch, gradstudy as gs
        >>> rnn = torch.nn.RNN(3, 4, batch_first=True)
        >>> chain = gs.time_chain(rnn, torch.randn(2, 10, 3))
        >>> tuple(chain.output.shape), chain.names[-1]
        ((2, 10, 4), 'h_10')
    """
    refuse_context()
    if isinstance(module, nn.RNNBase):
        return _rnn_chain(module, inputs, state, layer)
    check_index("layer", layer, -1, 0, f"a {type(module).__name__} has one layer; leave layer out")
    if isinstance(module, PascanuRNN):
        return _pascanu_chain(module, inputs, state)
    if hasattr(module, "_orig_mod"):
        raise unsupported("a compiled module", "the module itself", "pass the module that was given to torch.compile")
    if isinstance(module, nn.LSTMCell) or not callable(module):
        raise unsupported(
            f"a {type(module).__name__}",
            "nn.RNN, PascanuRNN or a callable cell with a tensor state",
            "pass the recurrent module itself, or a cell whose state is one tensor",
        )
    return _cell_chain(module, inputs, state)


def _rnn_chain(module: nn.RNNBase, inputs: Tensor, state: Tensor | None, layer: int) -> Chain:
    inputs = check_call(module, inputs, state).detach()
    layer = resolve_layer(module, layer)
    state = None if state is None else state.detach().clone()
    with torch.no_grad():
        output, _ = module(inputs, state)
    output.requires_grad_()
    return recurrent_chain(RecurrentCall(module, inputs, state, output, targets=(output,)), layer)


def _pascanu_chain(module: PascanuRNN, inputs: Tensor, state: Tensor | None) -> Chain:
    check_module_dtype(module)
    inputs = check_tensor("inputs", inputs, module.weight_rec.dtype).detach()
    check_shape("inputs", inputs, (None, None, module.input_size), "(time, batch, input_size)")
    check_length(*inputs.shape[:2])
    if state is not None:
        state = check_tensor("state", state, inputs.dtype).detach()
        check_shape("state", state, (inputs.shape[1], module.hidden_size), "(batch, hidden_size)")
    with torch.no_grad():
        first = inputs.new_zeros(inputs.shape[1], module.hidden_size) if state is None else state
        output = module(inputs, first)
        states = torch.cat([first[None], output])
        check_states(states)
        links = WeightLinks(module.weight_rec.detach().clone(), right=module.slopes(states[:-1]))
    method = f"pre-activation {module.activation} RNN, closed form"
    return _leaf_chain(output.requires_grad_(), states, links, "x", method)


def _cell_chain(cell: Cell, inputs: Tensor, state: Tensor | None) -> Chain:
    if not isinstance(inputs, Tensor) or inputs.dim() == 0:
        raise unsupported(
            f"inputs of type {type(inputs).__name__}", "a tensor, time first", "stack the inputs over time"
        )
    if not isinstance(state, Tensor) or state.dim() != 2 or not state.is_floating_point():
        came = f"a {type(state).__name__}" if not isinstance(state, Tensor) else f"{state.dtype} {tuple(state.shape)}"
        raise unsupported(
            f"a callable cell with the state {came}",
            "state as a real floating point tensor (batch, n)",
            "pass state=torch.zeros(batch, n); a state of several tensors is concatenated into one",
        )
    if isinstance(cell, nn.Module):
        check_module_dtype(cell)
    check_finite("state", state)
    check_finite("inputs", inputs)
    check_length(len(inputs), len(state))
    inputs, first = inputs.detach(), state.detach().clone()
    with torch.no_grad():
        refuse_unfit_cell(cell, inputs[0], first)
        rows = [first]
        for x in inputs:
            rows.append(cell(x, rows[-1]))
        states = torch.stack(rows)
    check_states(states)
    links = CellLinks(cell, inputs, states, states.dtype)
    return _leaf_chain(states[1:].clone().requires_grad_(), states, links, "s", "callable cell, torch.func")


def _leaf_chain(output: Tensor, states: Tensor, links: Links, symbol: str, method: str) -> Chain:
    """A chain whose output is its states, time-major, as a leaf."""

    def partials(loss: Tensor) -> Scaled:
        (grad,) = torch.autograd.grad(loss, output, retain_graph=True, allow_unused=True)
        if grad is None:
            raise independent_loss()
        return Scaled.of(torch.cat([torch.zeros_like(grad[:1]), grad]))

    names = tuple(f"{symbol}_{t}" for t in range(len(states)))
    return Chain(output, states, links, names, method, partials)

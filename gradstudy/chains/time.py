"""time_chain: one recurrent module on one input, as a chain over time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradstudy.chains.chain import Chain, independent_loss
from gradstudy.chains.checks import (
    check_finite,
    check_length,
    check_module_dtype,
    check_shape,
    check_states,
    check_tensor,
    unsupported,
)
from gradstudy.chains.links import CellLinks, Links, WeightLinks, refuse_coupled_rows
from gradstudy.chains.recurrent import RecurrentCall, check_call, recurrent_chain, resolve_layer
from gradstudy.errors import LinkRangeError
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

    Cost: one forward pass and two stored copies of the states.

    Example:
        >>> import torch, gradstudy as gs
        >>> rnn = torch.nn.RNN(3, 4, batch_first=True)
        >>> chain = gs.time_chain(rnn, torch.randn(2, 10, 3))
        >>> tuple(chain.output.shape), chain.names[-1]
        ((2, 10, 4), 'h_10')
    """
    if isinstance(module, nn.RNNBase):
        return _rnn_chain(module, inputs, state, layer)
    if layer not in (-1, 0):
        raise LinkRangeError(
            f"layer={layer} of a {type(module).__name__}",
            needed="layer=-1",
            why="it has one layer only",
            remedy="leave layer out",
        )
    if isinstance(module, PascanuRNN):
        return _pascanu_chain(module, inputs, state)
    if not callable(module):
        raise unsupported(
            f"a {type(module).__name__}", "nn.RNN, PascanuRNN or a callable cell", "pass the recurrent module itself"
        )
    return _cell_chain(module, inputs, state)


def _rnn_chain(module: nn.RNNBase, inputs: Tensor, state: Tensor | None, layer: int) -> Chain:
    check_call(module, inputs, state)
    layer = resolve_layer(module, layer)
    with torch.no_grad():
        output, _ = module(inputs, state)
    output.requires_grad_()
    call = RecurrentCall(module, inputs.detach(), state, output, targets=(output,))  # type: ignore[arg-type]
    return recurrent_chain(call, layer)


def _pascanu_chain(module: PascanuRNN, inputs: Tensor, state: Tensor | None) -> Chain:
    check_module_dtype(module)
    check_tensor("inputs", inputs, module.weight_rec.dtype)
    check_shape("inputs", inputs, (None, None, module.input_size), "(time, batch, input_size)")
    check_length(inputs.shape[0])
    if state is not None:
        check_tensor("state", state, inputs.dtype)
        check_shape("state", state, (inputs.shape[1], module.hidden_size), "(batch, hidden_size)")
    with torch.no_grad():
        first = inputs.new_zeros(inputs.shape[1], module.hidden_size) if state is None else state.detach()
        output = module(inputs, first)
        states = torch.cat([first[None], output])
        check_states(states)
        links = WeightLinks(module.weight_rec.detach(), right=module.slopes(states[:-1]))
    method = f"pre-activation {module.activation} RNN, closed form"
    return _leaf_chain(output.requires_grad_(), states, links, "x", method)


def _cell_chain(cell: Cell, inputs: Tensor, state: Tensor | None) -> Chain:
    if not isinstance(state, Tensor) or state.dim() != 2:
        came = "no state" if state is None else f"a state of shape {tuple(getattr(state, 'shape', ()))}"
        raise unsupported(
            f"a callable cell with {came}",
            "state as a tensor (batch, n)",
            "pass state=torch.zeros(batch, n); a state of several tensors is concatenated into one",
        )
    if isinstance(cell, nn.Module):
        check_module_dtype(cell)
    check_tensor("state", state, state.dtype)
    check_finite("inputs", inputs)
    check_length(len(inputs))
    with torch.no_grad():
        rows = [state.detach()]
        for x in inputs:
            rows.append(cell(x, rows[-1]))
            check_shape("the cell's new state", rows[-1], tuple(state.shape), "that of the state given")
        states = torch.stack(rows)
    check_states(states)
    links = CellLinks(cell, inputs.detach(), states, states.dtype)
    refuse_coupled_rows(links)
    return _leaf_chain(states[1:].clone().requires_grad_(), states, links, "s", "callable cell, torch.func")


def _leaf_chain(output: Tensor, states: Tensor, links: Links, symbol: str, method: str) -> Chain:
    """A chain whose output is its states, time-major, as a leaf."""

    def partials(loss: Tensor) -> Tensor:
        (grad,) = torch.autograd.grad(loss, output, retain_graph=True, allow_unused=True)
        if grad is None:
            raise independent_loss()
        return torch.cat([torch.zeros_like(grad[:1]), grad])

    names = tuple(f"{symbol}_{t}" for t in range(len(states)))
    return Chain(output, states, links, names, method, partials)

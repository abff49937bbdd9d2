"""time_chain: one recurrent module on one input, as a chain over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

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
from gradstudy.chains.gru import textbook_gru_links
from gradstudy.chains.links import CellLinks, Links, refuse_unfit_cell
from gradstudy.chains.recurrent import recurrent_chain, runs_of
from gradstudy.chains.recurrent_call import RecurrentCall, resolve_place
from gradstudy.chains.recurrent_checks import State, check_call, given
from gradstudy.chains.vanilla import PreActivationLinks
from gradstudy.models.pascanu import PascanuRNN, activate
from gradstudy.models.textbook_gru import TextbookGRU

Cell = Callable[[Tensor, Tensor], Tensor]
Direction = Literal["forward", "reverse"]


def time_chain(
    module: nn.Module | Cell, inputs: Tensor, state: State = None, layer: int = -1, direction: Direction = "forward"
) -> Chain:
    """A recurrent module on one input, as a chain over time.

    The module runs once, as it is and without a graph of its own; links follow in closed form from what went in and
    what came out (nn.RNN with tanh: J_t = diag(1 - h_t^2) W_hh; the gates of nn.LSTM and nn.GRU are computed again for
    all steps at once), so the user's parameters, gradients, mode and random state are left alone. The state of an LSTM
    is (h, c) concatenated in this order, n = 2 hidden_size.

    Args:
        module: nn.RNN (tanh or relu), nn.LSTM or nn.GRU (any number of layers, either layout, with or without bias,
            unbatched or bidirectional); gradstudy's `PascanuRNN` or `TextbookGRU`; or any callable cell
            `(input, state) -> state` whose rows do not depend on each other; a cell is called again by every
            measurement, which refuses one that no longer gives the same states.
        inputs: in the module's own layout; for a cell `(time, batch, ...)`; for gradstudy's modules
            `(time, batch, input)`.
        state: as the module takes it: h_0 `(layers * directions, batch, n)`, for an LSTM the pair (h_0, c_0); for a
            cell or gradstudy's modules `(batch, n)`. Zeros by default; a cell needs it.
        layer: which layer of a multi-layer module; -1 is the last.
        direction: of a bidirectional module; the states of "reverse" are in the order in which it runs, s_1 being the
            state after the last input.

    Returns:
        The chain; `chain.output` is what the module returns as output, in its layout, a leaf that requires grad.

    Raises:
        InputShapeError, DTypeError, NonFiniteError: inputs, weights or states that cannot be measured; a non-finite
            state is named by its first timestep.
        UnsupportedModuleError, DropoutError, PackedInputError: what has no exact chain here, refused by name.

    Cost: one forward pass, and for gated modules one matrix product over all steps for the gates. Stored are output,
    states and, for n units, n (RNN), 5n (GRU) or 6n (LSTM) numbers a step and row, twice that once a gated module's
    Jacobians or products with them were asked for. In a multi-layer module the layers below the last run once more,
    where they are needed.

    Source: Hochreiter and Schmidhuber 1997 and Gers et al. 2000 (LSTM); Cho et al. 2014 (GRU).

    Example:
        >>> import torch, gradstudy as gs
        >>> lstm = torch.nn.LSTM(3, 4, batch_first=True)
        >>> chain = gs.time_chain(lstm, torch.randn(2, 10, 3))
        >>> tuple(chain.output.shape), tuple(chain.states.shape), chain.names[-1]
        ((2, 10, 4), (11, 2, 8), '(h, c)_10')
    """
    refuse_context()
    if isinstance(module, nn.RNNBase):
        return _fused_chain(module, inputs, state, layer, direction)
    kind = type(module).__name__
    check_index("layer", layer, -1, 0, f"a {kind} has one layer; leave layer out")
    if direction != "forward":
        raise unsupported(f"direction={direction!r} of a {kind}", "'forward'", "leave direction out", _ONE_WAY)
    if isinstance(module, PascanuRNN | TextbookGRU):
        return _own_chain(module, inputs, state)
    if hasattr(module, "_orig_mod"):
        raise unsupported("a compiled module", "the module itself", "pass the module that was given to torch.compile")
    if isinstance(module, nn.LSTMCell) or not callable(module):
        raise unsupported(
            f"a {kind}",
            "a recurrent module of torch or gradstudy, or a callable cell with a tensor state",
            "pass the recurrent module itself, or a cell whose state is one tensor",
        )
    _refuse_model(module, state)
    return _cell_chain(module, inputs, state)


_ONE_WAY = "it runs through time in one direction only"


def _refuse_model(module: nn.Module | Cell, state: State) -> None:
    """Raise UnsupportedModuleError for a model with recurrent layers in place of one of them."""
    held = (
        [name for name, part in module.named_modules() if isinstance(part, nn.RNNBase)]
        if isinstance(module, nn.Module)
        else []
    )
    if held and state is None:
        raise unsupported(
            f"a {type(module).__name__}, a model that holds recurrent layers ({', '.join(held)})",
            "one recurrent module",
            f"did you mean gs.chains(model, inputs)[{held[0]!r}]?",
            why="the model's other layers are no links over time",
        )


def _fused_chain(module: nn.RNNBase, inputs: Tensor, state: State, layer: int, direction: str) -> Chain:
    inputs, parts = check_call(module, inputs, state)
    place = resolve_place(module, layer, direction)
    hooked = _hooked(module)
    calls = list[RecurrentCall]()

    def keep(module: nn.RNNBase, args: tuple[object, ...], kwargs: dict[str, object], result: tuple[Tensor]) -> None:
        # What a user's pre-hooks have made of the inputs, and the output before the user's hooks change it.
        came = check_call(module, *given(args, kwargs)) if hooked else (inputs, parts)
        # A hook behind this one may change the output in place.
        output = (result[0].clone() if hooked else result[0]).detach().requires_grad_()
        calls.append(RecurrentCall(module, *came, output, targets=(output,)))

    handle = module.register_forward_hook(keep, with_kwargs=True, prepend=True)
    try:
        with torch.no_grad():
            module(inputs, parts if len(parts) > 1 else parts[0] if parts else None)
    finally:
        handle.remove()
    return recurrent_chain(calls[0], place, runs_of(calls[0], place))


def _hooked(module: nn.Module) -> bool:
    """Whether a user's hooks, of the module or of all modules, see its call."""
    everywhere = torch.nn.modules.module
    hooks = (module._forward_pre_hooks, module._forward_hooks)
    return any((*hooks, everywhere._global_forward_pre_hooks, everywhere._global_forward_hooks))


def _own_chain(module: PascanuRNN | TextbookGRU, inputs: Tensor, state: State) -> Chain:
    def live() -> Tensor:
        return module.weight_rec if isinstance(module, PascanuRNN) else module.weight_hh

    weight = live()
    check_module_dtype(module)
    inputs = check_tensor("inputs", inputs, weight.dtype).detach()
    check_shape("inputs", inputs, (None, None, module.input_size), "(time, batch, input_size)")
    check_length(*inputs.shape[:2])
    first = inputs.new_zeros(inputs.shape[1], module.hidden_size)
    if state is not None:
        first = check_tensor("state", state, inputs.dtype).detach()
        check_shape("state", first, (inputs.shape[1], module.hidden_size), "(batch, hidden_size)")
    with torch.no_grad():
        output = module(inputs, first)
        states = torch.cat([first[None], output])
        check_states(states)
        links = _own_links(module, inputs, states)
    symbol, name = ("x", f"pre-activation {module.activation} RNN") if isinstance(module, PascanuRNN) else ("h", _GRU)
    return _leaf_chain(output.requires_grad_(), states, links, symbol, f"{name}, closed form", live)


_GRU = "textbook GRU (reset before the matrix)"


def _own_links(module: PascanuRNN | TextbookGRU, inputs: Tensor, states: Tensor) -> Links:
    before = states[:-1]
    if isinstance(module, TextbookGRU):
        weights = (module.weight_ih.detach(), module.weight_hh.detach().clone())
        return textbook_gru_links(weights, module.bias.detach(), inputs, before)
    weight = module.weight_rec.detach().clone()
    return PreActivationLinks(weight, module.gain * activate(module.activation, before), module.slopes(before))


def _cell_chain(cell: Cell, inputs: Tensor, state: State) -> Chain:
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
    inputs, first = inputs.detach().clone(), state.detach().clone()
    with torch.no_grad():
        refuse_unfit_cell(cell, inputs[0], first)
        rows = [first]
        for x in inputs:
            rows.append(cell(x, rows[-1]))
        states = torch.stack(rows)
    check_states(states)
    links = CellLinks(cell, inputs, states, states.dtype)
    return _leaf_chain(states[1:].clone().requires_grad_(), states, links, "s", "callable cell, torch.func")


def _leaf_chain(
    output: Tensor,
    states: Tensor,
    links: Links,
    symbol: str,
    method: str,
    weight: Callable[[], Tensor] | None = None,
) -> Chain:
    """A chain whose output is its states, time-major, as a leaf."""

    def partials(loss: Tensor) -> Scaled:
        (grad,) = torch.autograd.grad(loss, output, retain_graph=True, allow_unused=True)
        if grad is None:
            raise independent_loss()
        return Scaled.of(torch.cat([torch.zeros_like(grad[:1]), grad]))

    names = tuple(f"{symbol}_{t}" for t in range(len(states)))
    return Chain(output, states, links, names, method, partials, weight)

"""depth_chain: any torch model on one input, as a chain over its stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from gradstudy.chains.adjoint import Scaled
from gradstudy.chains.chain import Chain, independent_loss
from gradstudy.chains.checks import (
    check_finite,
    check_module_dtype,
    refuse_context,
    refuse_moving_weights,
    unsupported,
)
from gradstudy.chains.graph import cut_points, directly_reached, place
from gradstudy.chains.stage_links import StageLinks, State, aligned
from gradstudy.chains.stages import Recording, default_stages, find_stages, first_tensor, listed, record, tensors
from gradstudy.errors import DTypeError, InputShapeError, LossError, NonFiniteError, SkipError, UnknownStageError


def depth_chain(model: nn.Module, inputs: Any, stages: Sequence[str] | None = None) -> Chain:
    """Any torch model on one input, as a chain over depth.

    The model runs once, as it is. State s_0 is what the first stage is given, s_t what the t-th stage returns (in a
    tuple or dictionary: its first floating-point tensor), in its own layout; the link s_{t-1} -> s_t is all that
    happens between these two states, the model's own code between stages included. Links are differentiated along the
    graph that this pass leaves behind: dropout masks, batch statistics and in-place modules are those of the pass.
    Afterwards parameters, gradients, buffers (running statistics too), mode and random state are as they were.

    Rows of the batch are kept apart where they are independent: `jvp` and `vjp` take `(batch, n)`, `jacobian(t)` is
    `(batch, n_out, n_in)`. A stage that mixes rows, as BatchNorm in train mode does, couples the batch: the chain then
    has one row of n = batch * d components, and says so in `.method`. Products also take vectors in a state's own
    layout.

    Args:
        model: any module of torch, in train or eval mode.
        inputs: the model's input; a tuple for several positional ones, a dictionary for keywords.
        stages: names of submodules, each called once; in the chain they stand in the order of their calls. By default
            the children of a Sequential, else those of `model.blocks`, else the model's children, with what holds lists
            of modules opened (an encoder's layers), without those that a skip connection leads around.

    Returns:
        The chain; `.output` is what the model returned, in the graph, `.states` a tuple, `.names` "input" and the
        stages.

    Raises:
        UnknownStageError: a stage that the model does not have, or that is called twice or never.
        SkipError: a path leads around a stage; the error names the stages between which no path does.
        UnsupportedModuleError: compiled and scripted models, stages without a differentiable tensor.
        InputShapeError, DTypeError, NonFiniteError: one value a channel under BatchNorm in train mode; half precision;
            weights, inputs or states that are not finite (the first such stage is named).

    Cost: one forward pass and, for more than one row, two backward passes, three for more than 64 rows, which find out
    whether rows are independent (log2(batch) + 2 more through stages in which they may not be); the graph is kept as
    long as the chain, and a copy of every state.

    Example:
        >>> import torch, gradstudy as gs
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
        >>> chain = gs.depth_chain(model, torch.randn(4, 3))
        >>> chain.names, tuple(chain.jacobian(1).shape)
        (('input', '0', '1', '2'), (4, 5, 3))
        >>> tuple(gs.gradient_norms(chain, chain.output.square().sum()).log_norm.shape)
        (4, 4)
    """
    refuse_context()
    _check_model(model)
    _check_inputs(model, inputs)
    names = default_stages(model) if stages is None else stages
    recording = record(model, inputs, find_stages(model, names))
    if stages is None:
        recording = _without_containers(_without_skipped(_without_repeated(recording)))
    _check_calls(names, recording.after, stages is not None)
    states = (recording.first, *recording.after)
    _check_finite(states)
    _check_skips(model, inputs, states)
    return _chain(states, recording.output)


def _chain(states: tuple[State, ...], output: Any) -> Chain:
    dtype = states[0].value.dtype
    links = StageLinks(states, 1, dtype)
    method = "autograd graph of each stage"
    if not aligned(states):
        method += ", batch taken as one row (the first axes of the states differ)"
    elif coupled := (links.coupled() if len(states[0].value) > 1 else ()):
        method += f", batch-coupled (rows mix in {listed(coupled)})"
    else:
        links = StageLinks(states, len(states[0].value), dtype)
    values = tuple(state.value for state in states)
    names = tuple(state.name for state in states)
    return Chain(output, values, links, names, method, _partials(states, links.rows))


def _partials(states: tuple[State, ...], rows: int) -> Callable[[Tensor], tuple[Scaled, ...]]:
    """The loss's direct partials with respect to each state, all later states held."""
    places = {place(state.edge): i for i, state in enumerate(states)}

    def partials(loss: Tensor) -> tuple[Scaled, ...]:
        reached = sorted(directly_reached(get_gradient_edge(loss), places, inclusive=True))
        if not reached:
            raise independent_loss()
        if reached[-1] < len(states) - 1:
            raise _independent_of(states[reached[-1] + 1 :], states[reached[-1]])
        found = dict(zip(reached, _held(loss, [states[i].edge for i in reached]), strict=True))
        every = [found.get(i, torch.zeros_like(state.value)) for i, state in enumerate(states)]
        return tuple(Scaled.of(partial.reshape(1, rows, -1)) for partial in every)

    return partials


def _held(loss: Tensor, edges: list[GradientEdge]) -> tuple[Tensor, ...]:
    """Gradients of the loss at the edges along paths that pass no other of them.

    A node's pre-hook runs after its gradient was captured, and sends zeros on in its place.
    """

    def stop(output: int) -> Callable[[tuple[Tensor | None, ...]], tuple[Tensor | None, ...]]:
        return lambda grads: tuple(
            torch.zeros_like(grad) if i == output and grad is not None else grad for i, grad in enumerate(grads)
        )

    handles = [edge.node.register_prehook(stop(edge.output_nr)) for edge in edges[1:]]
    try:
        return torch.autograd.grad(loss, edges, retain_graph=True)
    finally:
        for handle in handles:
            handle.remove()


def _independent_of(later: Sequence[State], last: State) -> LossError:
    return LossError(
        f"a loss that does not depend on stage {listed([state.name for state in later])}",
        needed="a loss that depends on the chain's last stage",
        why="its gradients would read exactly zero, as if they had vanished",
        remedy=f"end the chain at {last.name!r}, or compute the loss from chain.output",
    )


def _check_model(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise unsupported(
            f"a {type(model).__name__}", "an nn.Module", "wrap a function of tensors in a module with a forward"
        )
    if any(hasattr(module, "_orig_mod") for module in model.modules()):
        raise unsupported(
            "a compiled model", "the model itself", "pass the model that was given to torch.compile (model._orig_mod)"
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise unsupported("a scripted model", "a model of Python modules", "pass the model before torch.jit.script")
    if isinstance(model, nn.DataParallel):
        raise unsupported("nn.DataParallel", "the module on one device", "pass model.module")
    check_module_dtype(model)
    refuse_moving_weights(model)


def _check_inputs(model: nn.Module, inputs: Any) -> None:
    given = first_tensor(inputs)
    if isinstance(inputs, Tensor) and inputs.is_complex():
        raise DTypeError(
            f"inputs of dtype {inputs.dtype}",
            needed="real floating point, or integers for a model that begins with an embedding",
            why="complex numbers have no real gradient here",
            remedy="give real and imaginary part as two channels",
        )
    if given is None:
        return
    check_finite("inputs", given.detach())
    weight = next(model.parameters(), None)
    if weight is not None and weight.dtype != given.dtype:
        raise DTypeError(
            f"inputs of dtype {given.dtype}",
            needed=f"{weight.dtype} as the model's weights",
            why="mixed precision would blur what is measured",
            remedy=f"convert it first: inputs.to({weight.dtype}), or model.to(inputs.dtype)",
        )


def _check_calls(names: Sequence[str], after: Sequence[State], explicit: bool) -> None:
    """Raise UnknownStageError for a stage called twice, or named and never called."""
    calls = Counter(state.name for state in after)
    twice = [name for name, count in calls.items() if count > 1]
    if twice:
        raise UnknownStageError(
            f"stage {twice[0]!r}, called {calls[twice[0]]} times in one forward pass",
            needed="stages that are called once",
            why="one module would stand for several links, and which state is meant would be left open",
            remedy="name a module around the calls, or use a module of its own for each",
        )
    never = [name for name in names if name not in calls]
    if (never and explicit) or not calls:
        raise UnknownStageError(
            f"stage {listed(never)}, not called in this forward pass on a floating-point tensor",
            needed="stages that the model's forward calls",
            why="a state that is never computed has no gradient",
            remedy=f"these are called: {listed(list(calls))}" if calls else "name other stages",
        )


def _check_finite(states: Sequence[State]) -> None:
    for t, state in enumerate(states):
        if state.value.numel() == 0:
            raise InputShapeError(
                f"the state t={t}, {'the input' if t == 0 else 'after stage ' + repr(state.name)}, with no numbers in "
                f"it (shape {tuple(state.value.shape)})",
                needed="states of at least one number",
                why="there is nothing to measure",
                remedy="look at the batch and at the widths of the layers",
            )
        if not bool(torch.isfinite(state.value).all()):
            raise NonFiniteError(
                f"the state t={t}, {'the input' if t == 0 else 'after stage ' + repr(state.name)}, is not finite",
                needed="finite states s_0 .. s_T",
                why="Jacobians and gradients from there on are undefined",
                remedy="end the chain before this stage, or look at its weights and inputs",
            )


def _check_skips(model: nn.Module, inputs: Any, states: tuple[State, ...]) -> None:
    """Raise SkipError if a state depends on others than the one before it."""
    places = {place(state.edge): i for i, state in enumerate(states)}
    for t in range(1, len(states)):
        here = place(states[t].edge)
        if here == place(states[t - 1].edge):  # the identity
            continue
        others = {key: i for key, i in places.items() if key != here}
        reached = directly_reached(states[t].edge, others, inclusive=False)
        before = places[place(states[t - 1].edge)]
        if reached == {before}:
            continue
        around = [states[i].name for i in sorted(reached - {before})]
        raise SkipError(
            f"stage {states[t].name!r}, which depends on "
            + (f"{listed(around)} by a path around {states[t - 1].name!r}" if around else "no earlier state"),
            needed="states of which each depends on the one before it alone",
            why="the product of the links would not be the derivative from the first state to the last",
            remedy=_instead(model, inputs),
        )


def _instead(model: nn.Module, inputs: Any) -> str:
    """The stages that no path leads around, as a remedy."""
    recording = record(model, inputs, {name: module for name, module in model.named_modules() if name})
    kept = [state.name for state in _without_skipped(_without_repeated(recording)).after]
    kept = [name for name in kept if not any(name.startswith(f"{other}.") for other in kept)]
    if not kept:
        return "no submodule of this model will do; measure a part of it"
    return f"choose among the stages that every path leads through: {listed(kept)}"


def _without_repeated(recording: Recording) -> Recording:
    """The recording without stages that are called several times, such as a shared activation."""
    calls = Counter(state.name for state in recording.after)
    after = tuple(state for state in recording.after if calls[state.name] == 1)
    return Recording(recording.first, after, recording.output) if after else recording


def _without_containers(recording: Recording) -> Recording:
    """The recording with one name for a state that comes out of a module and of one inside it.

    A module of several states has returned the last of them once more; one of a single state gives it its own name.
    """
    after: list[State] = []
    for state in recording.after:
        before = (recording.first, *after)
        inside = [one for one in after if one.name.startswith(f"{state.name}.")]
        moved = [one for one in inside if place(one.edge) != place(before[after.index(one)].edge)]  # not by an identity
        if not any(place(one.edge) == place(state.edge) for one in inside):
            after.append(state)
        elif len(moved) == 1:
            after = [*(one for one in after if one not in inside), state]
    return Recording(recording.first, tuple(after), recording.output)


def _without_skipped(recording: Recording) -> Recording:
    """The recording with only those states that every path from the first state to the output leads through."""
    outputs = [get_gradient_edge(tensor) for tensor in tensors(recording.output) if tensor.requires_grad]
    if not outputs:
        return recording
    kept = cut_points(outputs, recording.first.edge, [place(state.edge) for state in recording.after])
    after = tuple(state for state, keep in zip(recording.after, kept, strict=True) if keep)
    return Recording(recording.first, after, recording.output) if after else recording

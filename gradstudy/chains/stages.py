"""Stages of a model: which submodules there are, and one recorded forward pass through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradstudy.chains.checks import unsupported
from gradstudy.chains.stage_links import State
from gradstudy.errors import InputShapeError, UnknownStageError

_NAMES_SHOWN = 12
_CHECKPOINTED = "gradient checkpointing, or another use of saved_tensors_hooks"


@dataclass(frozen=True, eq=False)
class Recording:
    """One forward pass: s_0, the states that came out of the stages in the order of their calls, and the output."""

    first: State
    after: tuple[State, ...]
    output: Any


@dataclass(eq=False)
class _Tape:
    """What the hooks of one forward pass have seen."""

    first: State | None = None
    after: list[State] = field(default_factory=list)


def default_stages(model: nn.Module) -> tuple[str, ...]:
    """The children of a Sequential, else those of `model.blocks`, else all children, what holds lists opened."""
    if isinstance(model, nn.Sequential):
        return tuple(name for name, _ in model.named_children())
    blocks = getattr(model, "blocks", None)
    if isinstance(blocks, nn.Sequential | nn.ModuleList) and len(blocks):
        return tuple(f"blocks.{name}" for name, _ in blocks.named_children())
    return tuple(_opened(model, ""))


def _opened(module: nn.Module, prefix: str) -> Iterator[str]:
    """The children, and before each that holds a list of modules somewhere what it holds."""
    for name, child in module.named_children():
        if any(isinstance(part, nn.Sequential | nn.ModuleList) for part in child.modules()):
            yield from _opened(child, f"{prefix}{name}.")
        yield f"{prefix}{name}"


def find_stages(model: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    """The submodules of those names.

    Raises:
        UnknownStageError: a name is not there, or is there twice.
    """
    if isinstance(names, str) or len(set(names)) < len(names):
        raise UnknownStageError(
            f"stages={names!r}",
            needed="a list of different names",
            why="every stage is one link",
            remedy="name each stage once, for instance stages=['layer1', 'layer2']",
        )
    modules = dict(model.named_modules(remove_duplicate=False))
    modules.pop("")
    wrong = [name for name in names if name not in modules]
    if wrong:
        near = get_close_matches(str(wrong[0]), modules, n=_NAMES_SHOWN, cutoff=0.5)
        raise UnknownStageError(
            f"no submodule {wrong[0]!r}",
            needed=f"names of submodules, such as {listed(near or list(modules))}",
            why="a stage is measured between two states, and there is nothing of that name to run",
            remedy="take names from dict(model.named_modules())",
        )
    return {name: modules[name] for name in names}


def record(model: nn.Module, inputs: Any, stages: Mapping[str, nn.Module]) -> Recording:
    """Run the model once, as it is, and keep the states around its stages.

    Buffers (running statistics) and the random state are as before afterwards; hooks are gone, after an exception too.
    A stage called twice is recorded twice.

    Raises:
        UnsupportedModuleError: a stage without a tensor that carries a gradient; no stage is called.
        InputShapeError: BatchNorm in train mode has one value a channel.
    """
    args, kwargs = _as_call(inputs)
    tape = _Tape()
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_same_random_state(model))
        # A fused attention kernel has no second derivative, which products with the Jacobian need.
        stack.enter_context(sdpa_kernel([SDPBackend.MATH]))
        for name, module in stages.items():
            before = module.register_forward_pre_hook(_keep_input(tape), with_kwargs=True, prepend=True)
            after = module.register_forward_hook(_keep_output(tape, name), prepend=True)
            stack.callback(before.remove)
            stack.callback(after.remove)
        args, kwargs = _each(_in_graph(own=True), (args, kwargs))
        output = _call(model, args, kwargs)
    if tape.first is None:
        raise unsupported(
            f"a forward pass that called none of the stages {listed(list(stages))} with a floating-point tensor",
            "a call of the stages themselves, on a tensor that can carry a gradient",
            "name stages that the model's forward calls; of a model on tokens begin behind the embedding",
        )
    return Recording(tape.first, tuple(tape.after), output)


def first_tensor(value: Any) -> Tensor | None:
    """The first floating-point tensor in nested tuples, lists, mappings and dataclasses."""
    return next((tensor for tensor in tensors(value) if tensor.is_floating_point()), None)


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists, mappings and dataclasses."""
    if isinstance(value, Tensor):
        yield value
        return
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, tuple | list):
        parts = value
    elif _is_record(value):
        parts = (getattr(value, one.name) for one in fields(value))
    for part in parts:
        yield from tensors(part)


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def listed(names: Sequence[str]) -> str:
    """The names, or the first dozen of them."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f", ... ({more} more)" if more > 0 else "")


def _as_call(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,), {}


def _call(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The model with copies of its buffers, and of weights that a forward pass may change: its own stay as they are.

    Frozen weights carry a gradient for this pass, so that the graph shows what else becomes of their results.
    """
    tensors = {name: buffer.clone() for name, buffer in model.named_buffers()}
    limited = {id(module.weight) for module in model.modules() if getattr(module, "max_norm", None) is not None}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            tensors[name] = weight.detach().requires_grad_().clone()
        elif id(weight) in limited:  # an embedding that shortens its rows in place
            tensors[name] = weight.clone()
    try:
        with torch.autograd.graph.disable_saved_tensors_hooks(_CHECKPOINTED):
            return torch.func.functional_call(model, tensors, args, kwargs)
    except (RuntimeError, ValueError) as error:
        if _CHECKPOINTED in str(error):
            raise unsupported(
                _CHECKPOINTED,
                "a model that keeps its graph",
                "switch checkpointing off for the measurement",
                why="every derivative would run the model again, and move its running statistics",
            ) from error
        if "Expected more than 1 value per channel" not in str(error):
            raise
        raise InputShapeError(
            "one value a channel under BatchNorm in train mode",
            needed="at least two rows, or a feature map of more than one pixel",
            why="the variance of one value is 0, and the layer's output would not depend on its input",
            remedy="give more rows, or call model.eval() to measure with the running statistics",
        ) from error


@contextmanager
def _same_random_state(model: nn.Module) -> Iterator[None]:
    devices = {value.device for value in model.parameters() if value.is_cuda}
    with torch.random.fork_rng(devices=[device.index for device in devices]):
        yield


def _each(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The change made to every floating-point tensor in nested tuples, lists, mappings and dataclasses."""
    if isinstance(value, Tensor):
        return change(value) if value.is_floating_point() else value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(change, part) for part in value))
    if type(value) in (tuple, list):
        return type(value)(_each(change, part) for part in value)
    if isinstance(value, MutableMapping):
        changed = copy(value)
        for name, part in value.items():
            changed[name] = _each(change, part)
        return changed
    if _is_record(value):
        changed = copy(value)
        for one in fields(value):
            object.__setattr__(changed, one.name, _each(change, getattr(value, one.name)))
        return changed
    return value


def _in_graph(own: bool) -> Callable[[Tensor], Tensor]:
    """Makes of a tensor one that carries a gradient and may be changed in place; of the same one the same again.

    Args:
        own: copy also what carries a gradient already.
    """
    made: dict[int, Tensor] = {}

    def change(value: Tensor) -> Tensor:
        if id(value) not in made:
            given = value if value.requires_grad else value.detach().requires_grad_()
            made[id(value)] = given.clone() if own or not value.requires_grad else value
        return made[id(value)]

    return change


def _keep_input(tape: _Tape) -> Callable[..., Any]:
    """A pre-hook that keeps what the first stage to run was given."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if tape.first is not None or first_tensor((args, kwargs)) is None:
            return None
        args, kwargs = _each(_in_graph(own=False), (args, kwargs))
        given = first_tensor((args, kwargs))
        if given is None or not given.requires_grad:
            raise unsupported(
                "a first stage whose tensors come in a container that cannot be rebuilt",
                "tensors, or tuples, lists, dictionaries and dataclasses of them",
                "begin with a later stage",
            )
        tape.first = _state("input", given)
        return args, kwargs

    return hook


def _keep_output(tape: _Tape, name: str) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if tape.first is None:
            return
        found = first_tensor(result)
        if found is None or not found.requires_grad:
            raise unsupported(
                f"stage {name!r} whose output holds no floating-point tensor that carries a gradient",
                "a stage that returns a differentiable tensor, alone or first in a tuple or dictionary",
                "choose another stage, and take detach(), no_grad and rounding out of the stage",
            )
        tape.after.append(_state(name, found))

    return hook


def _state(name: str, value: Tensor) -> State:
    return State(name, value.detach().clone(), get_gradient_edge(value))

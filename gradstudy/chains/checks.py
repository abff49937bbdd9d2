"""Checks of what a chain is made from, before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gradstudy.errors import (
    DropoutError,
    DTypeError,
    InputShapeError,
    LinkRangeError,
    NonFiniteError,
    OptionError,
    UnsupportedModuleError,
)


def check_tensor(name: str, value: object, dtype: torch.dtype) -> Tensor:
    """The tensor, if it is one, real, of the module's dtype, and finite.

    Raises:
        UnsupportedModuleError: it is not a tensor.
        DTypeError, NonFiniteError: it cannot be measured.
    """
    if not isinstance(value, Tensor):
        raise unsupported(
            f"{name} of type {type(value).__name__}",
            "a tensor",
            f"convert {name} to one tensor of {dtype} first, for instance with torch.as_tensor",
            why="arrays and lists carry no dtype and device that could be compared with the module's",
        )
    if not value.is_floating_point() or value.dtype != dtype:
        raise DTypeError(
            f"{name} of dtype {value.dtype}",
            needed=f"real floating point, {dtype} as the module's weights",
            why="mixed precision would blur what is measured; integers and complex numbers have no real gradient here",
            remedy=f"convert it first: {name}.to({dtype}), or module.to({name}.dtype)",
        )
    check_finite(name, value)
    return value


def check_vectors(name: str, value: object, shape: tuple[int, int], dtype: torch.dtype) -> None:
    """Raise a named error unless the value is one vector, or a block of k vectors, a row: `shape` is (batch, n)."""
    batch, size = shape
    value = check_tensor(name, value, dtype)
    if value.shape[:2] != (batch, size) or value.dim() > 3:
        raise InputShapeError(
            f"{name} of shape {tuple(value.shape)}",
            needed=f"({batch}, {size}), or ({batch}, {size}, k) for k vectors",
            why="a product with the Jacobian needs one component a state component",
            remedy=f"give {name} a batch axis, the state's own size, and its vectors last",
        )


def check_index(
    name: str, value: object, low: int, high: int, meaning: str, why: str = "there is nothing of that index here"
) -> int:
    """The value, if it is an integer in low .. high; else LinkRangeError."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LinkRangeError(
            f"{name}={value!r}",
            needed=f"an integer from {low} to {high}",
            why=why,
            remedy=meaning,
        )
    return value


def check_positive(name: str, value: object, remedy: str) -> None:
    """Raise OptionError unless the value is a number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise OptionError(
            f"{name}={value!r}",
            needed="a positive number",
            why="with anything else all would count, or nothing",
            remedy=remedy,
        )


def refuse_context() -> None:
    """Raise UnsupportedModuleError under autocast or inference mode."""
    if torch.is_inference_mode_enabled():
        raise unsupported(
            "torch.inference_mode", "ordinary mode or no_grad", "leave inference_mode for the measurement"
        )
    if torch.is_autocast_enabled("cpu") or (torch.cuda.is_available() and torch.is_autocast_enabled("cuda")):
        raise unsupported("autocast", "one dtype throughout", "measure outside torch.autocast, for instance in float32")


def check_finite(name: str, value: Tensor) -> None:
    """Raise NonFiniteError if the tensor holds NaN or infinity."""
    if sums_to_finite(value):
        return
    wrong = int((~torch.isfinite(value)).sum())
    if wrong:
        raise NonFiniteError(
            f"{name} has {wrong} non-finite of {value.numel()} numbers",
            needed="finite numbers",
            why="one NaN or infinity spreads to every gradient behind it",
            remedy=f"look at {name} before measuring, for instance torch.isfinite({name}).all()",
        )


def sums_to_finite(values: Tensor) -> bool:
    """Whether the sum is finite; then all are: NaN and infinity survive a sum, at a tenth of a look at each."""
    return math.isfinite(values.detach().sum().item())


def check_states(states: Tensor) -> None:
    """Raise NonFiniteError naming the first timestep whose state is not finite."""
    first = _first_not_finite(states)
    if first is not None:
        raise NonFiniteError(
            f"the state at timestep t={first} is not finite",
            needed="finite states s_0 .. s_T",
            why="Jacobians and gradients from there on are undefined",
            remedy=f"measure the first {max(first - 1, 0)} steps, or reduce the weights so that states stay bounded",
        )


def check_partials(partials: Tensor | Sequence[Tensor]) -> None:
    """Raise NonFiniteError naming the first state at which the loss's derivative is not finite."""
    if isinstance(partials, Tensor):
        first = _first_not_finite(partials)
    else:
        first = next((t for t, partial in enumerate(partials) if not bool(torch.isfinite(partial).all())), None)
    if first is not None:
        raise NonFiniteError(
            f"the loss's derivative with respect to the state t={first} is not finite",
            needed="a loss that is differentiable at these outputs",
            why="every gradient before it would be NaN",
            remedy="look for roots, logarithms or divisions of 0 between the output and the loss",
        )


def _first_not_finite(values: Tensor) -> int | None:
    """The first index of the first axis at which a value is NaN or infinite."""
    if sums_to_finite(values):
        return None
    finite = torch.isfinite(values).flatten(1).all(dim=1)
    return None if bool(finite.all()) else int((~finite).nonzero()[0])


def check_module_dtype(module: nn.Module) -> None:
    """Raise a named error for weights that cannot be measured."""
    for name, weight in module.named_parameters():
        if weight.dtype not in (torch.float32, torch.float64):
            raise DTypeError(
                f"weight {name} of dtype {weight.dtype}",
                needed="float32 or float64 weights",
                why="gradients are norms of real vectors, and half precision has no digits left after a few links",
                remedy="measure the same weights in more digits: module.float() or module.double()",
            )
        if weight.is_meta:
            raise unsupported(
                f"weight {name} on the meta device", "weights with values", "call module.to_empty and load its weights"
            )
        check_finite(f"weight {name}", weight.detach())


def refuse_moving_weights(module: nn.Module) -> None:
    """Raise UnsupportedModuleError for parametrized weights that are others each time they are read."""
    if not parametrize.is_parametrized(module):
        return
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.no_grad():
        for name in module.parametrizations:  # type: ignore[union-attr]
            getattr(module, name)
        moved = [name for name, buffer in module.named_buffers() if not torch.equal(buffer, before[name])]
        for name in moved:
            module.get_buffer(name).copy_(before[name])
    if moved:
        raise unsupported(
            f"a parametrized module whose weights change when they are read ({', '.join(moved)})",
            "weights that stay, as spectral_norm's do in eval mode",
            "call module.eval() for the measurement",
        )


def check_shape(name: str, value: Tensor, expected: tuple[int | None, ...], layout: str) -> None:
    """Raise InputShapeError unless the shape is as expected (None: any size)."""
    fits = value.dim() == len(expected) and all(
        want is None or got == want for got, want in zip(value.shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise InputShapeError(
            f"{name} of shape {tuple(value.shape)}",
            needed=f"({wanted}), that is {layout}",
            why="a wrong axis would be taken for time or for the batch",
            remedy=f"reshape or transpose {name}, and check batch_first",
        )


def check_length(steps: int, rows: int = 1) -> None:
    """Raise InputShapeError for a sequence without steps, or a batch without rows."""
    if rows == 0:
        raise InputShapeError(
            "a batch of 0 rows",
            needed="at least one sequence",
            why="there is nothing to measure",
            remedy="check which axis is the batch (batch_first)",
        )
    if steps == 0:
        raise InputShapeError(
            "inputs of 0 time steps",
            needed="at least one step",
            why="a chain without links has nothing to measure",
            remedy="check which axis is time (batch_first)",
        )


def refuse_dropout(module: nn.RNNBase) -> None:
    """Raise DropoutError for dropout between layers in train mode."""
    if module.training and module.dropout > 0 and module.num_layers > 1:
        raise DropoutError(
            f"nn.{module.mode} with dropout={module.dropout} between its {module.num_layers} layers, in train mode",
            needed="eval mode, or dropout=0",
            why="the masks the fused module draws cannot be recovered, so its Jacobians cannot be known",
            remedy="call module.eval() for the measurement",
        )


_ANOTHER = "a number measured on another network would be worse than none"


def unsupported(what: str, needed: str, remedy: str, why: str = _ANOTHER) -> UnsupportedModuleError:
    """The error for a module or option whose links are not known exactly."""
    return UnsupportedModuleError(what, needed=needed, why=why, remedy=remedy)

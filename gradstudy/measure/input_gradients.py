"""Gradient of each row's own scalar output with respect to that row's input, for any model, rows coupled or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from gradstudy.chains.checks import check_finite, check_module_dtype, check_tensor, refuse_context, unsupported
from gradstudy.errors import OutputError

# Distinct weights, powers of two and their negatives: a row's gradient is scaled by its weight without rounding.
_WEIGHTS = [sign * 2.0**power for power in range(-8, 8) for sign in (1, -1)]


@dataclass(frozen=True, eq=False)
class InputGradients:
    """d F(x_i) / d x_i for every row i, `(P, d)`, and whether a row's output depends on other rows too."""

    values: Tensor
    coupled: bool


def input_gradients(
    model: nn.Module, inputs: Tensor, output: Callable[[Any], Tensor] | None, name: str
) -> InputGradients:
    """The gradients from one forward pass of the whole batch, in the model's own mode.

    One backward pass of the sum over rows gives them all if rows are independent. Whether they are is asked by further
    passes, of sums in which any two rows have different weights at least once: row i's gradient then comes out times
    its weight, to the last bit, unless another row's output depends on x_i. Where the answer is no, each row has a
    backward pass of its own.

    The model is left as it was: buffers are copies for the pass, parameters collect no gradient.

    Args:
        model: one that `check_model` lets through.
        inputs: `(P, ...)`.
        output: from the model's output to one number a row; None if it is that already.
        name: of the model, in errors.

    Raises:
        OutputError: not one real number a row, or none that depends on the input.
        UnsupportedModuleError: a model that draws random numbers.
        DTypeError, NonFiniteError: inputs, outputs or gradients that cannot be measured.
    """
    refuse_context()
    weight = next(model.parameters(), None)
    check_tensor("inputs", inputs, inputs.dtype if weight is None else weight.dtype)
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        values = _forward(model, leaf, output, name)
        if not _reaches(values, leaf):
            raise _independent(name)
        gradient = _pull(values, leaf, torch.ones_like(values))
        coupled = any(
            not torch.equal(_pull(values, leaf, weights), gradient * _per_row(weights, gradient))
            for weights in _weightings(values)
        )
        if coupled:
            gradient = torch.stack(
                [_pull(values, leaf, unit)[i] for i, unit in enumerate(torch.eye(len(values)).to(values))]
            )
    check_finite(f"the input gradient of {name}", gradient)
    return InputGradients(gradient.reshape(len(inputs), -1), coupled)


def check_model(model: object, name: str) -> None:
    """Raise a named error unless it is a module of Python with finite float32 or float64 weights."""
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):
        came = f"{name} of type {type(model).__name__}"
        raise unsupported(came, "an nn.Module", "give the module itself, before torch.compile or torch.jit.script")
    if any(isinstance(p, nn.UninitializedParameter) for p in model.parameters()):
        raise unsupported(f"{name} with lazy layers without weights", "weights", "run the model once on its inputs")
    check_module_dtype(model)


def _forward(model: nn.Module, leaf: Tensor, output: Callable[[Any], Tensor] | None, name: str) -> Tensor:
    """The model's output, one number a row."""
    buffers = {key: buffer.clone() for key, buffer in model.named_buffers()}
    before = _random_states(leaf.device)
    # A copy, since a first layer that works in place would be refused on the leaf itself.
    values = torch.func.functional_call(model, buffers, (leaf.clone(),))
    values = values if output is None else output(values)
    if not all(map(torch.equal, before, _random_states(leaf.device))):
        torch.random.set_rng_state(before[0])
        if leaf.is_cuda:
            torch.cuda.set_rng_state(before[1], leaf.device)
        raise unsupported(
            f"{name}, whose forward pass draws random numbers",
            "a model that gives the same output twice",
            "call eval() on its dropout layers, or on the whole model",
        )
    rows = len(leaf)
    shaped = isinstance(values, Tensor) and tuple(values.shape) in ((rows,), (rows, 1))
    if not shaped or not values.is_floating_point():
        came = f"shape {tuple(values.shape)}, {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
        raise OutputError(
            f"an output of {came} from {name}" + (" and output=" if output else ""),
            needed=f"one real number a row, ({rows},) or ({rows}, 1)",
            why="gradients are those of one function F; a vector has as many functions as components",
            remedy="say which number is meant, such as output=lambda y: y[:, 0]",
        )
    check_finite(f"the output of {name}", values.detach())
    return values.reshape(rows)


def _random_states(device: torch.device) -> list[Tensor]:
    states = [torch.random.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def _reaches(values: Tensor, leaf: Tensor) -> bool:
    """Whether a path of the graph leads from the outputs to the input."""
    if not values.requires_grad:
        return False
    target, seen, left = get_gradient_edge(leaf).node, set(), [values.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            left += [follower for follower, _ in node.next_functions]
    return target in seen


def _pull(values: Tensor, leaf: Tensor, weights: Tensor) -> Tensor:
    """Gradient of the weighted sum of the outputs."""
    return torch.autograd.grad(values, leaf, weights, retain_graph=True)[0]


def _per_row(weights: Tensor, gradient: Tensor) -> Tensor:
    return weights.to(gradient.dtype).reshape(-1, *[1] * (gradient.dim() - 1))


def _weightings(values: Tensor) -> list[Tensor]:
    """Weights by the digits of the row's number: any two rows differ in at least one of the weightings."""
    rows = torch.arange(len(values))
    found: list[Tensor] = []
    while not found or rows.any():
        found.append(torch.tensor(_WEIGHTS)[rows % len(_WEIGHTS)].to(values))
        rows = rows // len(_WEIGHTS)
    return found


def _independent(name: str) -> OutputError:
    return OutputError(
        f"an output of {name} that does not depend on its input",
        needed="a differentiable path from the inputs to the output",
        why="there is no gradient to compare",
        remedy="look for detach(), no_grad() or integer operations in the model's forward and in output=",
    )

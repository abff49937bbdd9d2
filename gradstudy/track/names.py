"""What the parts of a model are called in a tracker's table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

ROOT = "(root)"
"""The model itself, where torch's own name is empty."""


def parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters by name; one that is shared stands once, under the first of its names."""
    return dict(model.named_parameters())


def layer_of(parameter: str) -> str:
    """The module that holds a parameter; a parametrization belongs to the module whose weight it makes."""
    path, found, _ = f".{parameter}".partition(".parametrizations.")
    return (path if found else path.rpartition(".")[0])[1:] or ROOT


def by_layer(names: Iterable[str]) -> dict[str, list[str]]:
    """Layers in the model's order, each with its parameters."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(layer_of(name), []).append(name)
    return found


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """Modules without modules of their own, by name; a recurrent layer and torch's attention count as one.

    Attention holds a projection as a module, but never calls it.
    """
    return {
        name or ROOT: module
        for name, module in model.named_modules()
        if isinstance(module, nn.RNNBase | nn.MultiheadAttention) or not any(True for _ in module.children())
    }


class Calls:
    """Numbers the calls of a module within one forward pass of the model: `name`, `name#2`, ..."""

    def __init__(self) -> None:
        self._count = Counter[str]()

    def restart(self) -> None:
        """A forward pass begins."""
        self._count.clear()

    def name(self, path: str) -> str:
        """The name of this call."""
        self._count[path] += 1
        count = self._count[path]
        return path if count == 1 else f"{path}#{count}"


def tensors_in(output: Any, key: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of a module's output with their places in it: "" for a lone one, `[0]`, `[1][0]`, `[key]` else."""
    if isinstance(output, Tensor):
        yield key, output
    elif isinstance(output, Mapping):
        for name, value in output.items():
            yield from tensors_in(value, f"{key}[{name}]")
    elif isinstance(output, tuple | list):
        for i, value in enumerate(output):
            yield from tensors_in(value, f"{key}[{i}]")

"""Hooks that leave with their handles and are not carried along by copies of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.hooks import RemovableHandle


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


class Hook:
    """A function as a hook. A deep copy or a pickle of it does nothing: a copied model is not the one that is tracked.

    Args:
        function: called with what torch gives the hook; what it returns, torch takes in its place, unless it is None.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __reduce__(self) -> tuple[object, ...]:
        return Hook, (_nothing,)


class Hooks:
    """Handles of hooks that are removed together."""

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []

    def add(self, register: Callable[..., RemovableHandle], function: Callable[..., Any], **options: Any) -> None:
        """Register a function with one of torch's `register_...` methods."""
        self._handles.append(register(Hook(function), **options))

    def __bool__(self) -> bool:
        return bool(self._handles)

    def remove(self) -> None:
        """Remove all; may be called again."""
        while self._handles:
            self._handles.pop().remove()

"""Gradients that came to hooks, held until it is known which backward pass brought them."""

from __future__ import annotations

from collections.abc import Callable

import torch


class Arrivals:
    """What hooks on tensors were told, by the pass of the autograd engine that told it.

    A hook is called by every pass over the graph: by `loss.backward()`, but also by an `autograd.grad` in between, of a
    gradient penalty for instance, whose gradients are not those of the loss. Only a pass that ends in `.grad` of a
    parameter counts; the others are forgotten.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[Callable[[], None]]] = {}

    def add(self, take: Callable[[], None]) -> None:
        """Call `take` if the present pass turns out to be one that counts."""
        self._waiting.setdefault(current_pass(), []).append(take)

    def take(self) -> None:
        """The present pass counts, and has ended."""
        for take in self._waiting.pop(current_pass(), []):
            take()

    def forget(self) -> None:
        """A step begins: nothing that came before counts."""
        self._waiting.clear()


def current_pass() -> int:
    """Number of the autograd engine's pass that is under way, -1 outside one."""
    return torch._C._current_graph_task_id()

"""Gradients of the parameters as backward() leaves them, before anything clips them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from gradstudy.track.arrivals import current_pass
from gradstudy.track.hook import Hooks
from gradstudy.track.names import by_layer
from gradstudy.track.norms import Norm, log, norms, pooled
from gradstudy.track.row import Row, norm_row


class Gradients:
    """Norms of the accumulated gradients at the end of the last `backward()` of a step.

    A hook on each parameter, called when its gradient was accumulated, asks the autograd engine for one call at the
    end of the whole backward pass; there all gradients are looked at together. Several passes add up in `.grad`, so the
    last call of a step sees the sum that the optimizer will see.

    Args:
        parameters: by name.
        scale: gives the factor by which the loss is scaled, 1 without a scaler.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], scale: Callable[[], float]) -> None:
        self._parameters, self._scale = parameters, scale
        self._hooks, self._hooked = Hooks(), set[int]()
        self._queued, self._due, self._scale_due = set[int](), False, False
        self._versions: dict[str, tuple[int, int]] = {}
        self._ends: list[Callable[[], None]] = []
        self.heard = False
        self.log_scale = 0.0
        self.found: dict[str, Norm] = {}

    def start(self, due: bool, scale_due: bool) -> None:
        """A step begins.

        What was found last stays until the next backward pass: the optimizer's step may still be to come.
        """
        self._due, self._scale_due = due, scale_due
        self.heard = False
        self._queued.clear()

    def refresh(self) -> None:
        """Hook the parameters that have been unfrozen meanwhile."""
        for parameter in self._parameters.values():
            if parameter.requires_grad and parameter.is_leaf and id(parameter) not in self._hooked:
                self._hooked.add(id(parameter))
                self._hooks.add(parameter.register_post_accumulate_grad_hook, self._accumulated)

    def at_end(self, function: Callable[[], None]) -> None:
        """Call a function at the end of every backward pass."""
        self._ends.append(function)

    def close(self) -> None:
        """Remove the hooks and let go of the model."""
        self._hooks.remove()
        self._parameters, self._ends = {}, []

    @property
    def total(self) -> Norm | None:
        """Norm over all parameters that have a gradient, the loss's scale taken out; None if it was not measured."""
        if not self.found:
            return None
        norm = pooled(self.found.values())
        return Norm(norm.log - self.log_scale, norm.non_finite)

    def untouched(self) -> bool:
        """Whether every gradient is still as `backward()` left it."""
        return self._versions == self._current()

    def present(self) -> Norm:
        """Norm over all parameters of the gradients as they are now."""
        return pooled(norms([p.grad for p in self._parameters.values() if p.grad is not None]))

    def rows(self) -> Iterator[Row]:
        """Norms of each parameter, of each layer, and in total; NaN for a parameter that got no gradient."""
        if not self.found:
            return
        for name, parameter in self._parameters.items():
            if parameter.requires_grad:
                norm = self.found.get(name, Norm(math.nan))
                yield norm_row("parameter_gradient", name, norm, log_scale=self.log_scale)
        for layer, names in by_layer(self.found).items():
            norm = pooled(self.found[name] for name in names)
            matrices = any(self._parameters[name].dim() > 1 for name in names)
            yield norm_row("layer_gradient" if matrices else "affine_gradient", layer, norm, log_scale=self.log_scale)
        yield norm_row("total_gradient", "", pooled(self.found.values()), log_scale=self.log_scale)

    def _accumulated(self, parameter: nn.Parameter) -> None:
        self.heard = True
        task = current_pass()
        if task not in self._queued:  # a checkpoint's pass may run inside another
            self._queued.add(task)
            # Asked for twice, to come behind DistributedDataParallel, which averages over processes in such a call.
            _at_end_of_pass(lambda: _at_end_of_pass(self._passed))

    def _passed(self) -> None:
        self._queued.discard(current_pass())
        self.found, self._versions = {}, {}
        if self._scale_due:
            self.log_scale = log(self._scale())
        if self._due:
            given = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
            self.found = dict(zip(given, norms(list(given.values())), strict=True))
            self._versions = self._current()
        for function in self._ends:
            function()

    def _current(self) -> dict[str, tuple[int, int]]:
        """Each gradient's identity and how often it was changed in place."""
        named = ((name, p.grad) for name, p in self._parameters.items())
        return {name: (id(grad), grad._version) for name, grad in named if grad is not None}


def _at_end_of_pass(function: Callable[[], None]) -> None:
    """Call a function when the last gradient of the present backward pass is in its place."""
    torch.autograd.Variable._execution_engine.queue_callback(function)

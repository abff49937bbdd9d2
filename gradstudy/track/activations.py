"""Gradients at the outputs of modules, and what their units do, from hooks on the modules of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gradstudy.track.arrivals import Arrivals
from gradstudy.track.hook import Hooks
from gradstudy.track.names import Calls, leaves, tensors_in
from gradstudy.track.norms import Norm, deferred, norms, pooled, resolved
from gradstudy.track.row import Row, norm_row, plain_row
from gradstudy.track.units import Units, feature_axis, has_units, look


class Activations:
    """Norm of dL/dy at the output y of every leaf module, and dead and saturated units.

    A forward hook puts a hook on the output tensor itself. Such a hook is told the gradient of what the module returned
    even if a later module changes it in place. Only calls that a gradient comes back to are counted: neither passes
    under `no_grad` nor a forward pass that is never differentiated. Several passes of the model in one step (and
    several backward passes) count as one larger batch: the root of the sum of their squared norms.

    Args:
        model: whose leaves are hooked.
        calls: numbers the calls of a module within one pass.
        arrivals: hold what comes to the hooks until the backward pass has ended.
    """

    def __init__(self, model: nn.Module, calls: Calls, arrivals: Arrivals) -> None:
        self._leaves = leaves(model)
        self._channels_first = any(isinstance(module, nn.Conv1d) for module in self._leaves.values())
        self._calls, self._arrivals, self._hooks = calls, arrivals, Hooks()
        self._norms: dict[str, list[Norm | Tensor]] = {}
        self._units: dict[str, Units] = {}

    def start(self, gradients: bool, units: bool) -> None:
        """A step begins; hooks are there only if something is due."""
        self._hooks.remove()
        self._norms, self._units = {}, {}
        for name, module in self._leaves.items():
            counted = units and has_units(module)
            if gradients or counted:
                self._hooks.add(module.register_forward_hook, self._after(name, gradients, counted))

    def close(self) -> None:
        """Remove the hooks and let go of the model."""
        self.start(gradients=False, units=False)
        self._leaves = {}

    def rows(self, log_scale: float) -> Iterator[Row]:
        """What has come back since the step began."""
        for name, parts in self._norms.items():
            if not parts:  # no gradient came back
                continue
            norm = pooled(resolved(part.tolist()) if isinstance(part, Tensor) else part for part in parts)
            yield norm_row("activation_gradient", name, norm, log_scale=log_scale)
        for name, units in self._units.items():
            for quantity in ("dead_fraction", "saturated_fraction"):
                value = getattr(units, quantity)
                if value is not None:
                    yield plain_row(quantity, name, value)

    def _after(self, path: str, gradients: bool, counted: bool) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            found = [(key, y) for key, y in tensors_in(output) if y.requires_grad] if torch.is_grad_enabled() else []
            if not found:
                return
            name = self._calls.name(path)
            if counted and isinstance(output, Tensor):
                units = look(module, output, feature_axis(output, self._channels_first))
                output.register_hook(lambda grad: self._count(name, units))
            for key, y in found if gradients else ():
                self._norms.setdefault(name + key, [])  # the table is in the order of the forward pass
                y.register_hook(lambda grad, place=name + key: self._measure(place, grad))

        return hook

    def _measure(self, place: str, grad: Tensor | None) -> None:
        if grad is None:  # torch calls the hooks of all outputs of a module, also where nothing comes back
            return
        # Off the CPU the number stays where it is until the step's end, so that nothing waits for the device.
        norm: Norm | Tensor = norms([grad])[0] if grad.device.type == "cpu" else deferred(grad)
        self._arrivals.add(lambda: self._norms.setdefault(place, []).append(norm))

    def _count(self, name: str, units: Units) -> None:
        self._arrivals.add(lambda: self._units.setdefault(name, Units()).join(units))

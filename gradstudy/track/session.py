"""The hooks of an open tracker: which are there at which step, and what they have found when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from gradstudy.track.activations import Activations
from gradstudy.track.arrivals import Arrivals
from gradstudy.track.checks import is_compiled
from gradstudy.track.history import History
from gradstudy.track.hook import Hooks
from gradstudy.track.names import Calls, parameters
from gradstudy.track.parameters import Gradients
from gradstudy.track.row import Row
from gradstudy.track.schedule import Schedule
from gradstudy.track.spectra import spectrum_rows
from gradstudy.track.through_time import ThroughTime
from gradstudy.track.updates import Update, clip_factor


class Session:
    """Everything of a tracker that refers to the model; let go of when its block is left.

    An optimizer's step belongs to the step of the tracker whose gradients it takes: the present one if a backward pass
    was heard since `tracker.step`, else the one before, if no optimizer's step was seen in that.

    Args:
        model: that is trained.
        optimizer: that trains it, or None.
        owned: its parameters that the optimizer owns, by name.
        scaler: of the loss, or None.
        schedule: of the quantities.
        history: takes the rows of an optimizer's step that comes late.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None,
        owned: Mapping[str, nn.Parameter],
        scaler: Any,
        schedule: Schedule,
        history: History,
    ) -> None:
        self._model, self._optimizer, self._owned = model, optimizer, owned
        self._schedule, self._history, self._parameters = schedule, history, parameters(model)
        self.gradients = Gradients(self._parameters, (lambda: 1.0) if scaler is None else scaler.get_scale)
        self.gradients.at_end(self._passed)
        self._calls, self._recurrent_calls = Calls(), Calls()
        self._arrivals = Arrivals()
        self._activations = Activations(model, self._calls, self._arrivals)
        self.time = ThroughTime(model, self._recurrent_calls, self._arrivals)
        self._around = Hooks()
        self._step, self._updated, self._waiting = -1, True, False
        self._moving: Update | None = None
        self._clip: list[Row] = []
        self._updates: list[Row] = []
        self._spectra: list[Row] = []
        if not is_compiled(model):  # a hook on a compiled model would have it compiled again
            self._around.add(model.register_forward_pre_hook, self._new_pass)
        if optimizer is not None:
            self._around.add(optimizer.register_step_pre_hook, self._before_update)
            self._around.add(optimizer.register_step_post_hook, self._after_update)

    def start(self, step: int) -> None:
        """A step begins: set the hooks it needs, remove those it does not."""
        self._waiting, self._updated = not self._updated, False
        self._step = step
        self._clip, self._updates, self._spectra = [], [], []
        self.gradients.start(self._due("gradient"), self._due("gradient", "activation", "time"))
        self._activations.start(self._due("activation"), self._due("units"))
        self.time.start(self._due("time"), self._due("spectrum"))
        self._arrivals.forget()
        self._new_pass()

    def close(self) -> None:
        """Remove all hooks and let go of the model."""
        for part in (self.gradients, self._activations, self.time):
            part.close()
        self._around.remove()
        self._arrivals.forget()
        self._moving = None

    def rows(self) -> Iterator[Row]:
        """What was found in the step that ends."""
        if self._due("gradient"):
            yield from self.gradients.rows()
        yield from self._clip
        yield from self._activations.rows(self.gradients.log_scale)
        yield from self._updates
        yield from self.time.rows(self.gradients.log_scale)
        yield from self._spectra

    def _due(self, *quantities: str) -> bool:
        return any(self._schedule.due(quantity, self._step) for quantity in quantities)

    def _new_pass(self, *_: Any) -> None:
        self.gradients.refresh()
        self._calls.restart()
        self._recurrent_calls.restart()

    def _passed(self) -> None:
        """A backward pass has ended; the weights are those it was made with."""
        self._arrivals.take()
        if self._due("spectrum") and not self._spectra:
            self._spectra = list(spectrum_rows(self._parameters))

    @property
    def _late(self) -> bool:
        return self._waiting and not self.gradients.heard

    def _before_update(
        self, optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        step = self._step - self._late
        if self._schedule.due("update", step):
            self._moving = Update(self._owned)
        if not self._schedule.due("gradient", step):
            return None
        closure = kwargs.get("closure") or (args[1] if len(args) > 1 else None)
        if closure is not None:  # which runs the backward pass, and may clip, within the step
            watched = self._closure(optimizer, closure)
            return (
                ((*args[:1], watched, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "closure": watched})
            )
        if self.gradients.heard or self._late:
            self._clip = clip_factor(self.gradients, optimizer)
        return None

    def _closure(self, optimizer: torch.optim.Optimizer, closure: Callable[[], Any]) -> Callable[[], Any]:
        """The closure, after which the clip factor is taken: the gradients are then as the optimizer sees them."""

        def watched() -> Any:
            result = closure()
            if self.gradients.heard:
                self._clip = clip_factor(self.gradients, optimizer)
            return result

        return watched

    def _after_update(self, *_: Any) -> None:
        self._updates = [] if self._moving is None else list(self._moving.rows())
        self._moving = None
        if not self._late:
            self._updated = True
            return
        self._history.add(self._step - 1, [*self._clip, *self._updates])
        self._clip, self._updates, self._waiting = [], [], False

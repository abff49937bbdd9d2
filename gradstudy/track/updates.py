"""What the optimizer does with the gradients: how far they were clipped, and how far the weights moved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from gradstudy.track.names import by_layer
from gradstudy.track.norms import Norm, log, norms, pooled
from gradstudy.track.parameters import Gradients
from gradstudy.track.row import Row, size_row


def clip_factor(gradients: Gradients, optimizer: torch.optim.Optimizer) -> list[Row]:
    """The norm of all gradients at the optimizer's step over that after `backward()`.

    It is exactly 1 where no gradient was changed in between; no row if the latter was not measured. To be called just
    before the step.
    """
    before = gradients.total
    if before is None:
        return []
    if gradients.untouched():
        return [size_row("clip_factor", "", 0.0)]
    # A fused optimizer may be handed gradients that are still scaled, with the scale beside them.
    scale: Any = getattr(optimizer, "grad_scale", None)
    now = gradients.present().log - (0.0 if scale is None else log(float(scale)))
    if math.isinf(before.log) and before.log < 0 and now == before.log:
        return [size_row("clip_factor", "", 0.0)]  # 0 stays 0
    return [size_row("clip_factor", "", now - before.log)]


class Update:
    """One step of the optimizer: the weights before it, and how far they moved.

    Args:
        parameters: those the optimizer owns, by name; the ones with a gradient are measured.

    Cost: a copy of the weights while the step runs.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = {name: p for name, p in parameters.items() if p.requires_grad}
        self._before = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    def rows(self) -> Iterator[Row]:
        """|dW| / |W| of each parameter and each layer, W before the step; inf for weights that were zero."""
        # Looked at afterwards: an optimizer that calls a closure has had no gradients before.
        now = {name: p.detach() for name, p in self._parameters.items() if p.grad is not None}
        if not now:
            return
        before = [self._before[name] for name in now]
        with torch.no_grad():
            moved = torch._foreach_sub(list(now.values()), before)
        found = norms([*moved, *before])
        steps = dict(zip(now, found[: len(moved)], strict=True))
        sizes = dict(zip(now, found[len(moved) :], strict=True))
        for name in now:
            yield _ratio("parameter_update", name, steps[name], sizes[name])
        for layer, names in by_layer(now).items():
            yield _ratio("layer_update", layer, pooled(steps[n] for n in names), pooled(sizes[n] for n in names))


def _ratio(quantity: str, name: str, step: Norm, size: Norm) -> Row:
    if step.log == -math.inf:  # also where the weights are zero: nothing moved
        return size_row(quantity, name, -math.inf)
    row = size_row(quantity, name, step.log - size.log)
    return row._replace(non_finite=step.non_finite)

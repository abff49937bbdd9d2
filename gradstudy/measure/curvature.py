"""First and second derivative of a linear scalar recurrence with respect to its weight."""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import Tensor


def scalar_derivatives(weight: float, steps: list[int], *, detour: float | None = None) -> pd.DataFrame:
    """log |dx_t/dw| and log |d2x_t/dw2| of x_t = w x_{t-1}, x_0 = 1, by forward-mode derivatives of the recurrence.

    Args:
        weight: w, not 0.
        steps: lengths t at which the derivatives are recorded.
        detour: planted: the loss is x_t + y_t with y_t = w_0 e^detour y_{t-1}, y_0 = (w - w_0)^2 t^2 / 2, a second path
            whose gradient is 0 at w_0 and whose curvature grows by `detour` nats a link more; None for none.

    Returns:
        One row a length: `t`, `log_first`, `log_second` (natural logarithms), and `log_polynomial_first`,
        `log_polynomial_second`, the logarithms of t and t (t - 1).

    Cost: the recurrence once a length, with two tangents.
    """
    point, one = torch.tensor(weight, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    rows = []
    for t in steps:

        def value(w: Tensor, t: int = t) -> Tensor:
            x = torch.ones_like(w)
            for _ in range(t):
                x = w * x
            if detour is None:
                return x
            return x + (w - point) ** 2 * t**2 / 2 * (point * math.exp(detour)) ** t

        def first(w: Tensor, value: object = value) -> Tensor:
            return torch.func.jvp(value, (w,), (one,))[1]  # type: ignore[arg-type]

        gradient, curvature = torch.func.jvp(first, (point,), (one,))[:2]
        logs = torch.stack([gradient, curvature]).abs().log().tolist()
        polynomial = torch.tensor([t, t * (t - 1)], dtype=torch.float64).log().tolist()
        rows.append([t, *logs, *polynomial])
    columns = ["t", "log_first", "log_second", "log_polynomial_first", "log_polynomial_second"]
    return pd.DataFrame(rows, columns=columns)

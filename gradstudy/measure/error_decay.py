"""How far back one error reaches: the gradient of one E_T by lag."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.special import stdtrit
from torch import Tensor

from gradstudy.errors import NonFiniteError
from gradstudy.measure.gradient_norms import gradient_norms
from gradstudy.measure.subject import Subject


def log_components(subject: Subject) -> tuple[Float[Tensor, " lags"], Float[Tensor, "lags rows"]]:
    """Lags l = 0 .. T and log |dE_T/ds_{T-l}| - log |dE_T/ds_T|, `(T + 1, rows)`; s is the full state."""
    norms = gradient_norms(subject.chain(), subject.last_error).log_norm
    # In float64: an integer tensor times a number would be float32, and margins are as small as 1e-15.
    return torch.arange(len(norms), dtype=torch.float64), (norms - norms[-1]).flip(0)


def rate(subject: Subject) -> float:
    """Mean over rows of log |dE_T/ds_0| - log |dE_T/ds_T|, divided by T: nats per link, -inf if a row dies."""
    components = log_components(subject)[1]
    return float(components[-1].mean()) / (len(components) - 1)


def error_decay(subjects: Sequence[Subject], *, most: int = 11) -> pd.DataFrame:
    """Decay of dE_T/ds_{T-l} with the lag, over networks: one E_T at a time.

    Returns:
        One row a lag (at most `most`, evenly spread): `lag`; `log_component`: mean over networks of the mean over rows
        of log |dE_T/ds_{T-l}| - log |dE_T/ds_T|; `low`, `high`: its 95 % Student interval over networks (NaN for one);
        `n` networks; `zeros`: rows, of all networks, whose component is exactly 0. A logarithm of 0 has no place in a
        mean, so these rows are left out of it and counted here.

    Raises:
        NonFiniteError: a component is NaN or infinite.
    """
    curves = [log_components(subject)[1] for subject in subjects]
    rows = []
    for lag in spread(len(curves[0]), most):
        at_lag = [curve[lag].numpy() for curve in curves]
        means = [float(values[np.isfinite(values)].mean()) for values in at_lag if np.isfinite(values).any()]
        zeros = sum(int(np.isneginf(values).sum()) for values in at_lag)
        if sum(int(np.isfinite(values).sum()) for values in at_lag) + zeros < sum(map(len, at_lag)):
            raise _not_a_number(lag)
        rows.append({"lag": lag, **interval("log_component", means), "zeros": zeros})
    return pd.DataFrame(rows)


def spread(length: int, most: int) -> list[int]:
    """At most `most` of the indices 0 .. length - 1, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, length - 1, min(most, length)).round().astype(int)).tolist()


def interval(name: str, values: Sequence[float]) -> dict[str, float]:
    """Mean over networks under that name, its 95 % Student interval `low`, `high` (NaN for one) and their number."""
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    half = float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return {name: mean, "low": mean - half, "high": mean + half, "n": n}


def _not_a_number(lag: int) -> NonFiniteError:
    return NonFiniteError(
        f"a component at lag {lag} is not a number",
        needed="finite states and gradients",
        why="its mean over networks would be wrong or missing",
        remedy="measure shorter chains, or smaller weights",
    )

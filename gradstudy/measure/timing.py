"""Ratios of running times, measured in one process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

Action = Callable[[], object]


def time_ratios(ours: Action, baselines: Mapping[str, Action], *, rounds: int) -> pd.DataFrame:
    """Running time of one action over that of others, taken in turn so that a busy machine slows all alike.

    Args:
        ours: the action in the numerator.
        baselines: name to action.
        rounds: how often each is run, after one run that is not counted.

    Returns:
        One row a baseline: `baseline`, `ratio` (median over rounds of ours / baseline), `low`, `high` (quartiles over
        rounds), `n` (rounds), `milliseconds` (median of ours), `baseline_milliseconds`.
    """
    actions = {"ours": ours, **baselines}
    for action in actions.values():
        action()
    times = pd.DataFrame([{name: _seconds(action) for name, action in actions.items()} for _ in range(rounds)])
    rows = []
    for name in baselines:
        ratios = times["ours"] / times[name]
        low, ratio, high = np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()
        rows.append(
            {
                "baseline": name,
                "ratio": ratio,
                "low": low,
                "high": high,
                "n": rounds,
                "milliseconds": 1e3 * float(times["ours"].median()),
                "baseline_milliseconds": 1e3 * float(times[name].median()),
            }
        )
    return pd.DataFrame(rows)


def _seconds(action: Action) -> float:
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def peak_tensor_bytes(action: Action) -> int:
    """The largest number of bytes that tensors allocated during an action held at once (CPU), by torch's profiler."""
    gc.collect()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        kept = action()
    del kept
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak

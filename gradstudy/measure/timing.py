"""Ratios of running times, measured in one process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

Action = Callable[[], object]
Clock = Callable[[], float]


def time_ratios(
    ours: Action,
    baselines: Mapping[str, Action],
    *,
    rounds: int,
    times: int = 1,
    clock: Clock | None = None,
) -> pd.DataFrame:
    """Running time of one action over that of others, taken in turn so that a busy machine slows all alike.

    Args:
        ours: the action in the numerator.
        baselines: name to action.
        rounds: how often each is timed, after one run that is not counted.
        times: how often each is run in a round, whose time is their sum: in turn, there and back again, so that each
            run has its neighbours in the others and a drift cancels.
        clock: tells seconds, by default `time.perf_counter`; `time.process_time` for actions on one thread of a
            machine that others use as well.

    Returns:
        One row a baseline: `baseline`, `ratio` (median over rounds of ours / baseline), `low`, `high` (quartiles over
        rounds), `n` (rounds), `milliseconds` (median of ours), `baseline_milliseconds`.
    """
    actions = {"ours": ours, **baselines}
    for action in actions.values():
        action()
    seconds = pd.DataFrame([_round(actions, times, clock or time.perf_counter) for _ in range(rounds)])
    rows = []
    for name in baselines:
        ratios = seconds["ours"] / seconds[name]
        low, ratio, high = np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()
        rows.append(
            {
                "baseline": name,
                "ratio": ratio,
                "low": low,
                "high": high,
                "n": rounds,
                "milliseconds": 1e3 * float(seconds["ours"].median()),
                "baseline_milliseconds": 1e3 * float(seconds[name].median()),
            }
        )
    return pd.DataFrame(rows)


def _round(actions: Mapping[str, Action], times: int, clock: Clock) -> dict[str, float]:
    found = dict.fromkeys(actions, 0.0)
    there = list(actions)
    for turn in range(times):
        for name in there[::-1] if turn % 2 else there:
            if turn == 0:
                gc.collect()
            found[name] += _seconds(actions[name], clock)
    return found


def _seconds(action: Action, clock: Clock) -> float:
    start = clock()
    action()
    return clock() - start


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

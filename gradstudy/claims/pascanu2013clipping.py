"""Claims P17 and P18 on thresholds of clipping: Pascanu, Mikolov and Bengio, ICML 2013, section 3.2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import jackknife_estimate, mean_estimate

# Part of the budget by which a training may succeed later and count as still converging.
LATER = 0.25
# A mean time to success within this factor of another is similar.
SIMILAR = math.log(2.0)
# Thresholds that the paper recommends, in averages of the gradient norm.
RECOMMENDED = (0.5, 10.0)

Pair = tuple[str, pd.Series, pd.Series]


def later(tables: Tables) -> tuple[Estimate, ...]:
    """P17a: time to success at each recommended threshold minus that at the average norm, parts of the budget."""
    pairs = _thresholds(tables)
    return tuple(
        _seen(
            mean_estimate((times - usual).tolist(), "of the budget", condition=said, conditions=len(pairs)),
            tables,
            room=1 - float(usual.mean()) > LATER,
        )
        for said, times, usual in pairs
    )


def other_speed(tables: Tables) -> tuple[Estimate, ...]:
    """P17b: log of the ratio of mean times to success, a recommended threshold over the average norm."""
    return _ratios(_thresholds(tables), tables)


def other_clipping(tables: Tables) -> tuple[Estimate, ...]:
    """P18: log of the ratio of mean times to success, element by element over norm clipping, at each factor of both."""
    norm, elements = _times(tables["times"], "norm"), _times(tables["times"], "element-wise")
    pairs = [(f"{factor:g} times", elements[factor], norm[factor]) for factor in elements.columns]
    return _ratios(pairs, tables)


def _times(rows: pd.DataFrame, clipping: str) -> pd.DataFrame:
    """Restricted times by member, one column a factor."""
    return rows[rows["clipping"] == clipping].pivot(index="member", columns="factor", values="time")


def _thresholds(tables: Tables) -> list[Pair]:
    """Times at the recommended thresholds but that of the average norm itself, each beside those at that norm."""
    times = _times(tables["times"], "norm")
    low, high = RECOMMENDED
    factors = [factor for factor in map(float, times.columns) if low <= factor <= high and factor != 1.0]
    return [(f"threshold {factor:g} times the average norm", times[factor], times[1.0]) for factor in factors]


def _ratios(pairs: Sequence[Pair], tables: Tables) -> tuple[Estimate, ...]:
    return tuple(
        _seen(
            jackknife_estimate(
                _log_ratio(times.to_numpy(), usual.to_numpy()),
                len(times),
                "log ratio",
                condition=f"{said}: {times.mean():.3f} and {usual.mean():.3f} of the budget",
                conditions=len(pairs),
            ),
            tables,
            room=-math.log(min(times.mean(), usual.mean())) > SIMILAR,
        )
        for said, times, usual in pairs
    )


def _log_ratio(times: np.ndarray, usual: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda kept: math.log(times[kept].mean() / usual[kept].mean())


def _seen(estimate: Estimate, tables: Tables, *, room: bool) -> Estimate:
    """The estimate, or one that is open where times within the budget cannot tell.

    Args:
        estimate: of times that are at most 1.
        tables: in which more than half of the trainings clipped at the average norm may not have succeeded in time.
        room: whether the estimate would lie outside the claim's region if the slower trainings never succeeded, all
            their times being 1. Where it would not, it lies inside whatever they do.
    """
    rows = tables["times"]
    usual = rows[(rows["clipping"] == "norm") & (rows["factor"] == 1.0)]
    enough = (usual["outcome"] == "solved").mean() >= 0.5
    return estimate if enough and room else _open(estimate)


def _open(estimate: Estimate) -> Estimate:
    """The same estimate with nothing said about its interval."""
    return replace(estimate, low=math.nan, high=math.nan)


_SOURCE = "pascanu2013: section 3.2"
_MEMBER = "a network drawn and trained on its own (seed of weights and sequences)"
_TIMES = (
    "Temporal order at 20 steps, 50 tanh units (basic tanh), batches of 20, learning rate 0.05 (paper: 0.01), "
    "float64, 24 seeds; a network succeeds when less than 1 % of 10,000 fresh sequences are wrong. The average norm "
    "is that of plain SGD without clipping, over every tenth of the first 1,000 updates of 24 other seeds, norms that "
    "are not finite aside. Times are updates to "
    "success as parts of a budget of 3,000 updates (paper: up to 5,000,000), restricted to it: a training that has "
    "not succeeded by then is censored and counts as 1. Nothing is decided if more than half of the trainings clipped "
    "at the average norm are censored, nor where the budget is so short that the claim would hold if the slower ones "
    "never succeeded"
)
_QUICKER = (
    "all are clipped at the average norm, and updates to success multiplied, for another threshold and once more for "
    "clipping element by element, by"
)

CLAIMS = (
    Claim(
        id="P17a",
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement="Training still converges with thresholds from half to ten times the average gradient norm: it "
        f"succeeds at most {LATER:.0%} of the budget later than at the average norm itself.",
        setting=f"{_TIMES}. The number is the difference of these times to that at the average norm, between trainings "
        "of the same initial weights and sequences. A refutation says that trainings are later by more than a quarter "
        "of this short budget, not that they never converge, which no budget can show.",
        region=Region(high=LATER),
        replicate=_MEMBER,
        measure=later,
        controls=planted(
            "a-little-late",
            "too-late",
            "all are clipped at the average norm, other thresholds begin late by so large a part of the budget:",
            ("0.2", "0.35"),
        ),
    ),
    Claim(
        id="P17b",
        source="pascanu2012: section 3.2 (not very sensitive to the threshold); pascanu2013 says that speed may change",
        source_status="second-hand",
        kind="equality",
        statement="Training is not very sensitive to the threshold: from half to ten times the average gradient "
        f"norm, the mean time to success is within a factor {math.exp(SIMILAR):g} of that at the average norm.",
        setting=f"{_TIMES}. The number is the logarithm of the ratio of mean times. With thresholds of 0.02 and 0.1 "
        "times the average norm, and without clipping, see the figure.",
        region=Region(-SIMILAR, SIMILAR),
        replicate=_MEMBER,
        measure=other_speed,
        controls=planted("quicker", "much-quicker", _QUICKER, ("0.6", "0.42")),
    ),
    Claim(
        id="P18",
        source="pascanu2013: section 3.2, on Mikolov's clipping",
        source_status="read",
        kind="equality",
        statement="Clipping element by element behaves similarly to clipping the norm: its mean time to success is "
        f"within a factor {math.exp(SIMILAR):g}.",
        setting=f"{_TIMES}. Every entry of the gradient of the summed loss is clipped, not each temporal component as "
        "in Mikolov's own way. The thresholds are matched on gradients with equal entries: k times the average norm "
        "for the norm, and that over the square root of the number of parameters for an entry, k = 0.5, 1, 3 and 10. "
        "The number is the logarithm of the ratio of mean times, element by element over norm.",
        region=Region(-SIMILAR, SIMILAR),
        replicate=_MEMBER,
        measure=other_clipping,
        controls=planted("quicker", "much-quicker", _QUICKER, ("0.6", "0.42")),
    ),
)

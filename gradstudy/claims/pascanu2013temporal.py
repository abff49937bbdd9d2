"""Claims P10 and P13-P16 on training with temporal order: Pascanu, Mikolov and Bengio, ICML 2013, sections 3 and 4."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.intervals import mean_estimate

# A lead that counts, as a part of the budget of updates; its slope, a part a step of length.
LEAD, LEAD_SLOPE = 0.05, 0.001
# A spectral radius that grows with the length of the sequences: at least so much a step.
RADIUS_SLOPE = 0.001
# A rank correlation that counts.
CORRELATION = 0.1
# "Solved" in the paper: less than this share of test sequences wrong.
SOLVED = 0.01
_UNREGULARIZED = ("SGD", "SGD-C")

_LATE = (
    Control("slightly-late", "both arms are trained as SGD-CR, one begins 8 % of the budget late", Verdict.SUPPORTED),
    Control("hardly-late", "both arms are trained as SGD-CR, one begins 2 % of the budget late", Verdict.REFUTED),
)


def lead(fast: str, slow: str) -> Callable[[Tables], tuple[Estimate, ...]]:
    """Measure of one arm's lead: updates to success of the slow arm minus those of the fast one, parts of the budget.

    Times are restricted to the budget, which is what runs count that did not succeed within it; pairs of the same
    initial weights and sequences are compared. Where more than half of the fast arm's runs were censored, the interval
    is NaN: the budget was too small to tell. Where more than half of the slow arm's were, it has no upper end: how much
    later they would have succeeded is not known, so the lead may be shown but not refuted. One condition an
    initialisation and length.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        groups = list(tables["outcomes"].groupby(["start", "length"], sort=True))
        found = []
        for (start, length), rows in groups:
            pairs = _times(rows, fast, slow)
            estimate = mean_estimate(
                (pairs[slow] - pairs[fast]).tolist(),
                "of the budget",
                condition=f"{start}, T = {length}",
                conditions=len(groups),
            )
            if _censored(rows, slow) > 0.5 and not math.isnan(estimate.high):
                estimate = replace(estimate, high=math.inf)
            found.append(_open(estimate) if _censored(rows, fast) > 0.5 else estimate)
        return tuple(found)

    return measure


def lead_slope(tables: Tables) -> tuple[Estimate, ...]:
    """P10c: slope on T of the lead of clipping over plain SGD, per member over its lengths; one condition a start."""
    groups = list(tables["outcomes"].groupby("start", sort=True))
    found = []
    for start, rows in groups:
        by_length = {length: _times(part, "SGD-C", "SGD") for length, part in rows.groupby("length", sort=True)}
        leads = pd.DataFrame({length: pairs["SGD"] - pairs["SGD-C"] for length, pairs in by_length.items()})
        unseen = [
            f"{length}"
            for length, part in rows.groupby("length", sort=True)
            if min(_censored(part, arm) for arm in _UNREGULARIZED) > 0.5
        ]
        condition = f"{start}; most of both arms censored at T = {', '.join(unseen)}" if unseen else str(start)
        estimate = _slope_estimate(leads, "of the budget per step", condition, len(groups))
        found.append(_open(estimate) if unseen else estimate)
    return tuple(found)


def radius_slope(tables: Tables) -> tuple[Estimate, ...]:
    """P10a: slope on T of rho(W_hh) at equal update counts, all runs of SGD and SGD-C; one condition a start.

    Where a run left before its radius was to be compared, the counts are not equal: runs on short sequences succeed
    soonest, so that theirs would be smaller for want of training. Then the interval is NaN.
    """
    rows = tables["outcomes"]
    groups = list(rows[rows["arm"].isin(_UNREGULARIZED)].groupby("start", sort=True))
    found = []
    for start, part in groups:
        radii = part.groupby(["member", "length"])["radius"].apply(_mean).unstack("length")
        early = int(_left_early(part).sum())
        condition = f"{start}; {early} of {len(part)} runs left before" if early else str(start)
        estimate = _slope_estimate(radii, "per step of length", condition, len(groups))
        found.append(_open(estimate) if early else estimate)
    return tuple(found)


def radius_correlation(tables: Tables) -> tuple[Estimate, ...]:
    """P10b: rank correlation, within a run, of the largest gradient norms with rho(W_hh); mean over the two arms."""
    rows = tables["outcomes"]
    groups = list(rows[rows["arm"].isin(_UNREGULARIZED)].groupby(["start", "length"], sort=True))
    found = []
    for (start, length), part in groups:
        values = part.groupby("member")["correlation"].apply(_mean).tolist()
        condition = f"{start}, T = {length}"
        found.append(mean_estimate(values, "rank correlation", condition=condition, conditions=len(groups)))
    return tuple(found)


def errors_at_other_lengths(tables: Tables) -> tuple[Estimate, ...]:
    """P15: share of wrong sequences of networks that solved the task, mean over them; one condition a test length."""
    groups = list(tables["lengths"].groupby("test_length", sort=True))
    return tuple(
        mean_estimate(rows["error"].tolist(), "wrong", condition=f"T = {length}", conditions=len(groups))
        for length, rows in groups
    )


def _mean(values: pd.Series) -> float:
    """Mean that a missing value spoils."""
    return float(values.mean(skipna=False))


def _times(rows: pd.DataFrame, *arms: str) -> pd.DataFrame:
    """Restricted times by member, one column an arm."""
    table = rows[rows["arm"].isin(arms)].pivot(index="member", columns="arm", values="time")
    return table.reindex(columns=list(arms))


def _censored(rows: pd.DataFrame, arm: str) -> float:
    """Share of an arm's runs that had neither succeeded nor diverged when the budget ended."""
    return float((rows.loc[rows["arm"] == arm, "outcome"] == "censored").mean())


def _left_early(rows: pd.DataFrame) -> pd.Series[bool]:
    """Runs that left before the count at which spectral radii are compared; untrained networks (0 updates) did not."""
    return (rows["updates"] > 0) & (rows["updates"] < rows["compared_after"])


def _slope_estimate(values: pd.DataFrame, unit: str, condition: str, conditions: int) -> Estimate:
    """Mean over members of the least-squares slope of their values on the length (columns)."""
    lengths = values.columns.to_numpy(dtype=float)
    centred = lengths - lengths.mean()
    weights = centred / (centred**2).sum() if len(lengths) > 1 else np.full(1, math.nan)
    return mean_estimate((values.to_numpy() @ weights).tolist(), unit, condition=condition, conditions=conditions)


def _open(estimate: Estimate) -> Estimate:
    """The same estimate with nothing said about its interval."""
    return Estimate(estimate.value, math.nan, math.nan, estimate.n, estimate.unit, estimate.condition)


_TASK = "Temporal order with two relevant symbols (released code's places), 50 tanh units, batches of 20, rate 0.01, "
_SCALED = (
    "Scaled down: lengths up to 40 (paper: 200) and 10,000 updates (paper: 5,000,000), so that a run that has not "
    "succeeded is censored, not failed; float64."
)
_PAIRED = "ρ at ten intervals of a run paired with itself at a rank correlation of"
_LONG = (
    "At T = 40: both are said of memories that are hard to learn, longer than the 20 steps or so that pascanu2012 has "
    "SGD and SGD-C manage. At T = 10 every arm succeeds within some hundred updates, where no lead could be seen; "
    "shorter sequences are shown and not decided on. "
)
_MEMBER = "a network drawn and trained on its own (seed of weights and sequences)"

CLAIMS = (
    Claim(
        id="P10a",
        source="pascanu2013: section 4.1, discussion of Fig. 7",
        source_status="read",
        kind="comparison",
        statement="Sequences that need a longer memory make training raise the spectral radius of the recurrent matrix "
        f"further: by more than {RADIUS_SLOPE:g} a step of length.",
        setting=f"{_TASK}arms SGD and SGD-C, all runs whether they succeed or not, after equal counts of 2,000 "
        "updates. The number is the slope of ρ on the length, per seed over its lengths. Runs do not end when they "
        "succeed: short sequences are learnt soonest, so that their ρ would be that of a shorter training. " + _SCALED,
        region=Region(low=RADIUS_SLOPE),
        replicate=_MEMBER,
        measure=radius_slope,
        controls=(
            Control("radius-grows", "untrained networks, ρ set to grow by 0.0018 a step of length", Verdict.SUPPORTED),
            Control("radius-hardly-grows", "untrained networks, ρ set to grow by 0.0003 a step", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P10b",
        source="pascanu2013: section 4.1, discussion of Fig. 7",
        source_status="read",
        kind="comparison",
        statement="Within a training, gradients are largest while the spectral radius is: their rank correlation is "
        f"above {CORRELATION:g}.",
        setting=f"{_TASK}arms SGD and SGD-C at T = 40. Spearman's correlation, over intervals of 100 updates of one "
        "run, of the largest gradient norm (before clipping) with ρ at the interval's end. " + _SCALED,
        region=Region(low=CORRELATION),
        replicate=_MEMBER,
        measure=radius_correlation,
        controls=(
            Control("correlated", f"{_PAIRED} 0.2", Verdict.SUPPORTED),
            Control("hardly-correlated", f"{_PAIRED} 0.055", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P10c",
        source="pascanu2013: section 4.1, Fig. 7",
        source_status="read",
        kind="comparison",
        statement="Clipping matters more the longer the sequences: its lead over plain SGD grows by more than "
        f"{LEAD_SLOPE:g} of the budget a step of length.",
        setting=f"{_TASK}threshold 1. The lead is the difference of the updates to success, restricted to the budget, "
        "SGD minus SGD-C, between runs of the same initial weights and sequences, at T = 10, 15, 20 and 40. Where "
        "more than half of the runs of both arms are censored at a length, their lead there is not known, and nothing "
        "is decided. " + _SCALED,
        region=Region(low=LEAD_SLOPE),
        replicate=_MEMBER,
        measure=lead_slope,
        controls=(
            Control("later-by-length", "SGD begins later, by 0.0018 of the budget a step", Verdict.SUPPORTED),
            Control("hardly-later-by-length", "SGD begins later, by 0.0003 of the budget a step", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P13",
        source="pascanu2013: footnote 4",
        source_status="read",
        kind="comparison",
        statement="The regularizer Ω needs clipping beside it: without, training succeeds later by more than "
        f"{LEAD:.0%} of the budget, or not at all.",
        setting=f"{_TASK}α = 4, threshold 1; SGD-R against SGD-CR, by the lead of P10c, one condition an "
        f"initialisation. {_LONG}" + _SCALED,
        region=Region(low=LEAD),
        replicate=_MEMBER,
        measure=lead("SGD-CR", "SGD-R"),
        controls=_LATE,
    ),
    Claim(
        id="P14",
        source="pascanu2013: section 4.1, Fig. 7",
        source_status="read",
        kind="comparison",
        statement="With clipping and Ω a network learns a memory of 40 steps sooner than with clipping alone, by more "
        f"than {LEAD:.0%} of the budget.",
        setting=f"{_TASK}α = 4, threshold 1; SGD-C against SGD-CR, by the lead of P10c, one condition an "
        f"initialisation. {_LONG}The paper's own statement, success up to T = 200, cannot be decided at this budget. "
        + _SCALED,
        region=Region(low=LEAD),
        replicate=_MEMBER,
        measure=lead("SGD-CR", "SGD-C"),
        controls=_LATE,
    ),
    Claim(
        id="P15",
        source="pascanu2013: section 4.1; pascanu2012 says up to 400 only",
        source_status="read",
        kind="comparison",
        statement="One network trained on lengths from 20 to 40 until it errs on less than 1 % solves sequences "
        f"far longer: less than {SOLVED:.0%} are wrong at every length up to 25 times the longest.",
        setting="As the paper: basic-tanh, SGD-CR (α = 4, threshold 1, rate 0.01), a length drawn anew for every "
        "update. Scaled down: lengths from 20 to 40 and tests up to 1,000 instead of 50 to 200 and 5,000, because none "
        "of the 16 networks trained on the paper's lengths had succeeded after 20,000 updates; that was decided when "
        "it had been seen. Networks stop at less than 1 % errors over all lengths (the paper's at none of "
        "10,000, on longer sequences, so this is no verdict on its networks), and are tested on 2,000 sequences a "
        "length. Networks that did not succeed within the budget are not asked. "
        "Student's interval takes it that networks scatter alike: of a failure so rare that none of these had it "
        "nothing is known. The lengths of the updates, not the sequences, are the same for all networks.",
        region=Region(high=SOLVED),
        replicate=_MEMBER,
        measure=errors_at_other_lengths,
        controls=(
            Control("hardly-mistaken", "an oracle answers that errs on 0.5 % of the sequences", Verdict.SUPPORTED),
            Control("mistaken", "an oracle answers that errs on 2 % of the sequences", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="P16",
        source="pascanu2013: section 3.1",
        source_status="read",
        kind="comparison",
        statement="An L2 penalty that keeps the recurrent weights small costs memory: training with it succeeds later, "
        f"by more than {LEAD:.0%} of the budget, or not at all.",
        setting=f"{_TASK}0.1 times the sum of squares of W_hh against plain SGD, by the lead of P10c, at T = 10, 15 "
        "and 20. The paper names no weight of the penalty. Whether it holds σ₁ below 1/γ, and whether that stops "
        "explosion, was not looked at. " + _SCALED,
        region=Region(low=LEAD),
        replicate=_MEMBER,
        measure=lead("SGD", "SGD-L2"),
        controls=_LATE,
    ),
)

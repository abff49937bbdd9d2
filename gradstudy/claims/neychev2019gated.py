"""Statements L10 and L11 of Neychev's lecture, 2019: which of LSTM and GRU is better, and at what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables
from gradstudy.claims.families import Measure, planted
from gradstudy.claims.half_success import log_ratio_estimate
from gradstudy.claims.intervals import mean_estimate
from gradstudy.claims.neychev2019costs import SOURCE

# Better by less than this is as good: a part of the budget of updates, and a logarithm of nats a chord.
TIME_MARGIN, NATS_MARGIN = 0.1, 0.02
# A length or a number counted that is longer by less than this factor is not longer.
LONGER = math.log(1.1)
# Of the runs on a task at least one of the two must succeed in so many that it tells anything.
_ENOUGH = 0.25
# Quantities compared for L10: three tasks, two data sets.
_FIELDS = 5


def leads(tables: Tables, *, match: str = "parameters") -> tuple[Estimate, ...]:
    """The LSTM's lead over the GRU on every task and data set, in margins, paired by seed; default initialisation.

    On a task: the GRU's time to success minus the LSTM's, parts of the budget, mean over the lengths. On music: the
    logarithm of the ratio of the GRU's nats a chord to the LSTM's, on the test songs. Where both rivals succeed in
    less than a quarter of their runs, the interval is open on both sides: the lead is unknown.
    """
    rows = tables["outcomes"] if match == "parameters" and "outcomes" in tables else None
    found = list(_time_leads(rows)) if rows is not None else []
    return tuple(found + (list(_nats_leads(tables["scores"], match)) if "scores" in tables else []))


def equal_time_leads(tables: Tables) -> tuple[Estimate, ...]:
    """L10c: the LSTM's lead on music in equal time, in margins."""
    return leads({"scores": tables["scores"]}, match="time")


def consistent_leads(tables: Tables) -> tuple[Estimate, ...]:
    """L10a: the least lead over all tasks and data sets, of whichever of the two has the larger least lead; in margins.

    One of them is consistently better if this is above 1. The leads' intervals are simultaneous, so those of a least
    and of a largest run from the least (largest) of the lower ends to the least (largest) of the upper ones.
    """
    found = leads(tables)
    both = (_least("LSTM", found), _least("GRU", [_turned(lead) for lead in found]))
    best = max(both, key=lambda least: least.value)
    low, high = (float(np.max(ends)) for ends in zip(*((least.low, least.high) for least in both), strict=True))
    return (Estimate(best.value, low, high, best.n, best.unit, best.condition),)


def longest_lag(lstm: str, gru: str) -> Measure:
    """L11a: log of the ratio of the lengths at half success, LSTM over GRU; one condition a task.

    Args:
        lstm, gru: initialisation of each, "default" or "retaining".
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        tasks = list(tables["outcomes"].groupby("task", sort=True))
        return tuple(
            log_ratio_estimate(
                _successes(rows, "lstm", lstm), _successes(rows, "gru", gru), condition=str(task), conditions=len(tasks)
            )
            for task, rows in tasks
        )

    return measure


def counts_further(start: str) -> Measure:
    """L11b: log of the ratio of 1 + the number counted to, LSTM over GRU, paired by seed; one condition a language.

    What is counted within the range of the training is not beyond it: a network that gets no further than its end, or
    not even there, counts as getting there. Where an LSTM (a GRU) is right as far as it was looked at, the interval is
    open above (below); where both have learnt the strings of the training in less than a quarter of their runs, on
    both sides.

    Args:
        start: initialisation of both.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        rows = tables["reaches"]
        tasks = list(rows[rows["start"] == start].groupby("task", sort=True))
        return tuple(_further(part, str(task), len(tasks)) for task, part in tasks)

    return measure


def _further(part: pd.DataFrame, task: str, tasks: int) -> Estimate:
    part = part.assign(
        log=np.log1p(part["reach"].clip(lower=part["trained_to"])),
        learnt=part["reach"] >= part["trained_to"],
        censored=part["reach"] >= part["looked_to"],
    )
    logs = part.pivot(index="member", columns="cell", values="log")
    found = mean_estimate((logs["lstm"] - logs["gru"]).tolist(), "log ratio", condition=task, conditions=tasks)
    if math.isnan(found.low):
        return found
    by_cell = part.groupby("cell")
    silent, censored = by_cell["learnt"].mean().max() < _ENOUGH, by_cell["censored"].any()
    return replace(
        found,
        low=-math.inf if silent or censored["gru"] else found.low,
        high=math.inf if silent or censored["lstm"] else found.high,
    )


def _time_leads(rows: pd.DataFrame) -> Iterator[Estimate]:
    for task, part in rows[rows["start"] == "default"].groupby("task", sort=True):
        times = {
            cell: own.pivot(index="member", columns="steps", values="time").mean(axis="columns", skipna=False)
            for cell, own in part.groupby("cell")
        }
        found = mean_estimate(
            ((times["gru"] - times["lstm"]) / TIME_MARGIN).tolist(), "margins", condition=str(task), conditions=_FIELDS
        )
        silent = part.groupby("cell")["solved"].mean().max() < _ENOUGH
        yield replace(found, low=-math.inf, high=math.inf) if silent else found


def _nats_leads(rows: pd.DataFrame, match: str) -> Iterator[Estimate]:
    rows = rows[(rows["match"] == match) & (rows["split"] == "test")]
    for music, part in rows.groupby("music", sort=True):
        nats = part.pivot(index="member", columns="cell", values="nats")
        yield mean_estimate(
            (np.log(nats["gru"] / nats["lstm"]) / NATS_MARGIN).tolist(),
            "margins",
            condition=str(music),
            conditions=_FIELDS,
        )


def _turned(lead: Estimate) -> Estimate:
    return Estimate(-lead.value, -lead.high, -lead.low, lead.n, lead.unit, lead.condition)


def _least(who: str, found: Sequence[Estimate]) -> Estimate:
    """The least of some leads, whose intervals are simultaneous."""
    least = min(found, key=lambda lead: lead.value)
    low, high = (float(np.min(ends)) for ends in zip(*((lead.low, lead.high) for lead in found), strict=True))
    n = min(lead.n for lead in found)
    return Estimate(least.value, low, high, n, least.unit, f"{who}: least on {least.condition}")


def _successes(rows: pd.DataFrame, cell: str, start: str) -> pd.DataFrame:
    part = rows[(rows["cell"] == cell) & (rows["start"] == start)]
    return part.pivot(index="member", columns="steps", values="solved")


_SEED = "a network drawn and trained on its own (seed of weights and sequences)"
_RECIPE = (
    "Adam with norm clipping at 1 for both, the learning rate chosen for each task, cell and initialisation on "
    "networks of other seeds, from 0.003, 0.01, 0.03 and 0.1; GRUs (torch's) have as many parameters, within 4 %, as "
    "the LSTM of 16 units (music: 24, counting: 10). The lecture names no setting; all of this is small. "
)
_TASKS = (
    "Adding and temporal order (released code of pascanu2013), memorisation of 5 bits; 16 seeds a length; within "
    "800, 400 and 2,000 updates of 20 sequences; a network has succeeded when less than 1 % of 2,000 sequences are "
    "wrong, which is looked at every 50 updates. "
)
_MUSIC = (
    "Next chord of Nottingham and of the JSB chorales, 6 seeds, 600 updates of 10 windows of 30 chords, whole test "
    "songs. "
)
_MARGINS = (
    f"A lead is better by more than a margin, fixed beforehand: {TIME_MARGIN:.0%} of the budget in the mean time to "
    f"success over the lengths (networks that do not succeed count the budget), {NATS_MARGIN:.0%} of the nats a "
    f"chord. Intervals are simultaneous over {_FIELDS} fields. "
)
_ABSENT = (
    "That a search found no evidence is itself no evidence: too few seeds would never find any. So the claim is "
    "taken as one about the networks, that neither is better by a margin in *every* field. The number is the least "
    "of a rival's leads over the fields, of whichever rival has the larger one. The claim is supported only if the "
    "intervals show, for each of the two, a field in which it is not better by a margin; it is refuted if one is "
    "better by more than a margin in all of them; wide intervals decide nothing. Where both succeed in less than a "
    "quarter of the runs of a task, its lead is unknown. "
)
_LEAD = (
    "trainings are replaced by times to success of which the LSTM's are earlier, by this part of the budget:",
    ("0.05", "0.15"),
)
_NATS = (
    "trainings are replaced by nats a chord of which the GRU's are more, by a factor of e to the power of",
    ("0.01", "0.03"),
)
_LONGER = (
    "trainings are replaced by oracles; those of the LSTM learn sequences longer by a factor of",
    ("1.2", "1.02"),
)
_FURTHER = ("trainings are replaced by oracles; 1 + what the LSTM counts to is larger by a factor of", ("1.2", "1.02"))


def _gated(
    identity: str, statement: str, setting: str, region: Region, measure: Measure, controls: tuple[Control, Control]
) -> Claim:
    return Claim(
        id=identity,
        source=SOURCE,
        source_status="read",
        kind="comparison",
        statement=statement,
        setting=setting,
        region=region,
        replicate=_SEED,
        measure=measure,
        controls=controls,
    )


def _lag(identity: str, who: str, lstm: str, gru: str) -> Claim:
    return _gated(
        identity,
        f"An LSTM learns longer dependencies than a GRU, by more than a factor of {math.exp(LONGER):.3g} on every "
        f"task: {who}.",
        "The number is the logarithm of the ratio of the lengths at which the share of successes falls through one "
        "half, made monotone and read off between the lengths on a logarithmic axis; bootstrap over seeds. Where a "
        "rival succeeds at the longest length or fails at the shortest, its length is *censored*, and that side of "
        f"the interval is open. {_TASKS}{_RECIPE}",
        Region(low=LONGER),
        longest_lag(lstm, gru),
        planted("learns-longer", "hardly-longer", *_LONGER),
    )


def _count(identity: str, who: str, start: str) -> Claim:
    return _gated(
        identity,
        "An LSTM catches more complex dependencies than a GRU: trained on short strings of aⁿbⁿ and of aⁿbⁿcⁿ it "
        f"counts further beyond them, by more than a factor of {math.exp(LONGER):.3g}; {who}.",
        "Trained on n = 1 to 10 for 1,500 updates of 10 strings, 16 seeds; the number counted to is the greatest N "
        "such that all strings with n = 1, …, N are right, each symbol. The number is the mean logarithm of the ratio "
        "of 1 + N, paired by seed. Beyond the training means N above 10: a smaller N counts as 10, and where both "
        "rivals learn n = 1 to 10 in less than a quarter of their runs, nothing is known. Looked at up to 100: where "
        "a network is still right there, its N is *censored*, and that side of the interval is open. That LSTMs count "
        f"and GRUs do not is said by weiss2018 (second-hand). {_RECIPE}",
        Region(low=LONGER),
        counts_further(start),
        planted("counts-further", "hardly-further", *_FURTHER),
    )


CLAIMS = (
    _gated(
        "L10a",
        "Of LSTM and GRU neither is consistently better than the other.",
        f"{_ABSENT}{_MARGINS}{_TASKS}{_MUSIC}Equal parameters, torch's default initialisation. {_RECIPE}",
        Region(high=1.0),
        consistent_leads,
        planted("hardly-leads", "leads", *_LEAD),
    ),
    _gated(
        "L10b",
        "LSTM and GRU are equally good: in no field is one of them better by a margin.",
        f"The stronger reading of L10a, decided field by field as an equivalence. {_MARGINS}{_TASKS}{_MUSIC}Equal "
        f"parameters, torch's default initialisation. {_RECIPE}",
        Region(-1.0, 1.0),
        leads,
        planted("hardly-leads", "leads", *_LEAD),
    ),
    _gated(
        "L10c",
        "On music, with equal units and trained for about equal time, LSTM and GRU are equally good.",
        "As L10b, but both have 24 units, and the GRU 1/0.9 times as many updates. That is no exactly equal time: "
        "timed apart from the run, its whole update took 0.97 to 0.99 of the LSTM's time, so that it is given 8 "
        "to 10 % more. "
        f"{_MARGINS}{_MUSIC}{_RECIPE}",
        Region(-1.0, 1.0),
        equal_time_leads,
        planted("hardly-more-nats", "more-nats", *_NATS),
    ),
    _lag("L11a1", "both as torch draws them", "default", "default"),
    _lag("L11a2", "the LSTM with a forget bias of 1, the GRU as torch draws it", "retaining", "default"),
    _lag("L11a3", "both with a bias of 1 in the gate that keeps the state", "retaining", "retaining"),
    _count("L11b1", "both as torch draws them", "default"),
    _count("L11b2", "both with a bias of 1 in the gate that keeps the state", "retaining"),
)

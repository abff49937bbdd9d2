"""Statements L3, L4 and L5 of Neychev's lecture, CNN and vanishing gradient, 2019, in trainings of small networks."""

from __future__ import annotations

import math

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.depth import Measure
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import mean_estimate
from gradstudy.claims.neychev2019surface import HIGHER, SAME_DIRECTION, strayed

WORSE = math.log10(1.1)
"""Powers of ten by which a loss must be higher than another to be a worse one: by a tenth."""

LESS_OFTEN = 0.1
"""Of the trainings, over all learning rates."""

_SOURCE = "neychev2019: exploding gradient and gradient clipping"


def landing(column: str | None = None) -> Measure:
    """L3c-e: log10 of the loss after the largest gradient's step over the loss before; one condition a learning rate.

    Args:
        column: whose log10 ratio is taken off; None for none.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = list(tables["landings"].groupby("rate", sort=True))
        estimates = []
        for rate, rows in found:
            values = rows["log10_ratio_largest"] - (0.0 if column is None else rows[column])
            spoilt = rows["considered"] < rows["budget"]
            at_once = int((spoilt & (rows["update"] == rows["considered"])).sum())
            name = (
                f"learning rate {rate:g}: gradients of norm {rows['gradient_norm'].median():.3g} (median); of "
                f"{len(rows)} trainings {int(spoilt.sum())} are spoilt, {at_once} by this step"
            )
            estimates.append(mean_estimate(values.tolist(), "powers of ten", condition=name, conditions=len(found)))
        return tuple(estimates)

    return measure


def numbers_lost(tables: Tables) -> tuple[Estimate, ...]:
    """L4: how many trainings without clipping ended in NaN or Inf; one condition a cell and task."""
    plain = tables["endings"][tables["endings"]["arm"] == "plain"]
    estimates = []
    for (task, cell), rows in plain.groupby(["task", "cell"], sort=True):
        counts = rows["end"].value_counts()
        lost, ruined = int(counts.get("not finite", 0)), int(counts.get("ruined", 0))
        said = f"{task}, {cell}: of {len(rows)} trainings; {ruined} more are ruined"
        estimates.append(Estimate(lost, lost, lost, rows["member"].nunique(), "trainings", said))
    return tuple(estimates)


def bad_ends(tables: Tables) -> tuple[Estimate, ...]:
    """L5d: share of the learning rates at which training ended badly, plain minus clipped, paired by the draw."""
    found = list(tables["endings"].groupby(["task", "cell"], sort=True))
    estimates = []
    for (task, cell), rows in found:
        bad = rows.assign(bad=rows["end"] != "kept").groupby(["member", "arm"])["bad"].mean().unstack("arm")
        said = f"{task}, {cell}: {bad['plain'].mean():.3f} and {bad['clipped'].mean():.3f}"
        values = (bad["plain"] - bad["clipped"]).tolist()
        estimates.append(mean_estimate(values, "of the trainings", condition=said, conditions=len(found)))
    return tuple(estimates)


def straying(tables: Tables) -> tuple[Estimate, ...]:
    """L5c: `strayed` of the trainings, by learning rate."""
    groups = tables["directions"].groupby("rate", sort=True)
    return tuple(strayed(rows, f"learning rate {rate:g}") for rate, rows in groups)


_STEPS = (
    "tanh networks of 50 units (basic tanh: all weights of standard deviation 0.1) learn temporal order at 20 steps by "
    "SGD on batches of 20 fresh sequences"
)
_LARGEST = (
    "The number is the decimal logarithm of the loss right after the step of a training's largest gradient over the "
    "loss right before it, on the same 500 fresh sequences. Where a batch loses more than 1.5 times what a constant "
    "answer does the training is spoilt, and the largest gradient is that of the updates before"
)
_TRAINED = "a network drawn and trained on its own (seed of weights and sequences)"
_HEIGHTS = "untrained networks whose step changes the answers so that the loss is as many powers of ten higher:"
_WORST = (
    "50 units (torch's default initialisation), 20 steps, 16 seeds, 150 updates on batches of 20 fresh sequences by "
    "SGD in float64 at 8 learning rates from 1/64 to 2 (factor 2): tanh and relu networks on the adding problem "
    "(squared error), tanh networks on temporal order (cross-entropy)"
)


def _landing_claim(identity: str, statement: str, measured: Measure, border: float, heights: tuple[str, str]) -> Claim:
    names = ("higher-landing", "lower-landing") if border == HIGHER else ("worse-landing", "hardly-worse-landing")
    return Claim(
        id=identity,
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement=statement,
        setting=f"{_STEPS} at learning rates 0.05 and 0.1, without clipping, 1,000 updates, 32 seeds. {_LARGEST}.",
        region=Region(low=border),
        replicate=_TRAINED,
        measure=measured,
        controls=planted(*names, _HEIGHTS, heights),
    )


CLAIMS = (
    _landing_claim(
        "L3c",
        "In a training, the step of the largest gradient is so big that it lands in a bad configuration: the loss is "
        "at least twice as high as before it.",
        landing(),
        HIGHER,
        ("0.35", "0.25"),
    ),
    _landing_claim(
        "L3d",
        "In a training, the step of the largest gradient is too big: it lands at a loss at least a tenth higher than "
        "the same step clipped to norm 1.",
        landing("log10_ratio_clipped"),
        WORSE,
        ("0.06", "0.02"),
    ),
    _landing_claim(
        "L3e",
        "In a training, the step of the largest gradient is worse than an ordinary one: it raises the loss by a tenth "
        "more (mean over the steps of 8 updates drawn at random, before it is spoilt as well).",
        landing("log10_ratio_ordinary"),
        WORSE,
        ("0.06", "0.02"),
    ),
    Claim(
        id="L4",
        source=_SOURCE,
        source_status="read",
        kind="existence",
        statement="In the worst case training ends in Inf or NaN.",
        setting=f"{_WORST}; no clipping and no other rescue. A witness is a training in which a loss or a weight "
        "became NaN or infinite. Counted beside it are those that are ruined: finite, but at the end the loss on 500 "
        "fresh sequences is more than 1.5 times that of the constant answer, after it had been below that.",
        region=Region(low=0.5),
        replicate=_TRAINED,
        measure=numbers_lost,
        controls=(
            Control(
                "norms-clipped",
                "the same trainings with gradients clipped to norm 1: the weights can grow by the learning rate at "
                "most an update, which bounds every state and gradient, so that theory excludes a witness",
                Verdict.INCONCLUSIVE,
            ),
        ),
    ),
    Claim(
        id="L5c",
        source=_SOURCE,
        source_status="read",
        kind="equality",
        statement="In a training, a step with norm clipping has the same direction as the plain one and is smaller.",
        setting=f"{_STEPS} at learning rates 0.05 and 0.2, 500 updates, 16 seeds; threshold 1 (Algorithm 1 of Pascanu "
        "et al.). Every clipped step as taken is compared with the plain one from the same weights on the same "
        "batch. The number is its distance from the nearest point of the segment between 0 and the plain step, over "
        "its own length, of the step where it is largest: 0 if the direction is the same and the step no longer. The "
        f"same is below {SAME_DIRECTION:g}. Deterministic: the interval is the rounding error.",
        region=Region(high=SAME_DIRECTION),
        replicate=_TRAINED,
        measure=straying,
        controls=(
            Control("steps-slightly-turned", "steps are turned by 0.005 radians", Verdict.SUPPORTED),
            Control("steps-turned", "steps are turned by 0.015 radians", Verdict.REFUTED),
        ),
    ),
    Claim(
        id="L5d",
        source=_SOURCE,
        source_status="read",
        kind="comparison",
        statement="With norm clipping fewer trainings end badly, in numbers that are none or at a high loss: fewer by "
        f"more than {LESS_OFTEN:.0%} of the trainings at all learning rates.",
        setting=f"{_WORST}, with gradients clipped to norm 1 and without. A bad end is no finite loss, or one on 500 "
        "fresh sequences of more than 1.5 times that of the constant answer, whether it had been below that or not. "
        "The number is the share of the trainings, over the learning rates, that end badly without clipping, minus "
        "that with.",
        region=Region(low=LESS_OFTEN),
        replicate=_TRAINED,
        measure=bad_ends,
        controls=planted(
            "ends-spoilt",
            "few-ends-spoilt",
            "both arms are clipped, and in the place of the plain ones this share ends with weights that are no "
            "numbers:",
            ("0.15", "0.04"),
        ),
    ),
)

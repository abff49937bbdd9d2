"""Claims P17-P20 on clipping: Pascanu, Mikolov and Bengio, ICML 2013, section 3.2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.conditions import TOLERANCE
from gradstudy.claims.depth import Measure
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import jackknife_estimate, mean_estimate

# Part of the budget by which a training may succeed later and count as still converging.
LATER = 0.25
# A mean time to success within this factor of another is similar.
SIMILAR = math.log(2.0)
# Thresholds that the paper recommends, in averages of the gradient norm.
RECOMMENDED = (0.5, 10.0)
# Powers of ten by which one loss must be lower than another to be an improvement: by a tenth.
BETTER = math.log10(1.1)
# Nats by which two losses may differ and be the same.
SAME_LOSS = 0.01

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


def improvement(fold: str) -> Measure:
    """P19: log10 of the loss at the end, plain over clipped, each at its best learning rate, paired by the seed.

    Args:
        fold: train or test.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = [rows for _, rows in tables["finite"].groupby("epoch", sort=True)]
        estimates = []
        for rows in found:
            plain, clipped = rows[f"{fold}_plain"], rows[f"{fold}_clipped"]
            said = (
                f"{20 * int(rows['epoch'].iloc[0])} sequences, learning rates "
                f"{_rate(rows['rate_plain'].iloc[0], tables)} and {_rate(rows['rate_clipped'].iloc[0], tables)}: "
                f"{plain.mean():.3g} and {clipped.mean():.3g} nats on average"
            )
            logs = np.log10(plain / clipped).tolist()
            estimates.append(mean_estimate(logs, "powers of ten", condition=said, conditions=len(found)))
        return tuple(estimates)

    return measure


def fitted(tables: Tables) -> tuple[Estimate, ...]:
    """P19c: as P19a, each arm at the rate at which other seeds had the least mean *training* loss."""
    found = [rows for _, rows in tables["learning_rates"].groupby("epoch", sort=True)]
    estimates = []
    for rows in found:
        best = rows[rows["chooses"]].groupby(["arm", "learning_rate"])["train_loss"].mean().groupby("arm").idxmin()
        judged = rows[~rows["chooses"]].set_index(["arm", "learning_rate", "member"])["train_loss"].sort_index()
        plain, clipped = judged[best["plain"]], judged[best["clipped"]]
        said = (
            f"{20 * int(rows['epoch'].iloc[0])} sequences, learning rates {_rate(best['plain'][1], tables)} and "
            f"{_rate(best['clipped'][1], tables)}: {plain.mean():.3g} and {clipped.mean():.3g} nats on average"
        )
        logs = np.log10(plain / clipped).tolist()
        estimates.append(mean_estimate(logs, "powers of ten", condition=said, conditions=len(found)))
    return tuple(estimates)


def _rate(rate: float, tables: Tables) -> str:
    """A chosen rate; if none was tried beyond it, that is said, for then a better one may lie there."""
    tried = tables["learning_rates"]["learning_rate"]
    edges = {float(tried.min()): " (the least tried)", float(tried.max()): " (the greatest tried)"}
    return f"{rate:g}{edges.get(float(rate), '')}"


def unchanged(what: str, unit: str) -> Measure:
    """P20: a number of the clipped networks minus that of the plain ones; open where plain gradients do not vanish.

    Args:
        what: rate (nats per link) or loss.
        unit: its unit.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        found = list(tables["vanishing"].groupby(["cell", "length", "clipped_at"], sort=True))
        estimates = []
        for (cell, length, threshold), rows in found:
            plain = mean_estimate(rows["rate_plain"].tolist(), "nats per link", conditions=len(found))
            said = (
                f"{cell}, T = {length}, threshold {threshold:g}: {rows['clipped'].mean():.0%} of the gradients "
                f"clipped, plain ones vanish at {plain.value:+.3g} nats per link; plain loss "
                f"{rows['loss_plain'].mean():.4g} nats, of a constant answer {rows['trivial_loss'].iloc[0]:.4g}"
            )
            values = (rows[f"{what}_clipped"] - rows[f"{what}_plain"]).tolist()
            estimate = mean_estimate(values, unit, condition=said, conditions=len(found))
            estimates.append(estimate if plain.high < -TOLERANCE else _open(estimate))
        return tuple(estimates)

    return measure


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
    "is that of plain SGD without clipping over the first 1,000 updates of 24 other seeds. Times are updates to "
    "success as parts of a budget of 3,000 updates (paper: up to 5,000,000), restricted to it: a training that has "
    "not succeeded by then is censored and counts as 1. Nothing is decided if more than half of the trainings clipped "
    "at the average norm are censored, nor where the budget is so short that the claim would hold if the slower ones "
    "never succeeded"
)
_FINITE = (
    "Temporal order at 20 steps, 50 tanh units (basic tanh), SGD on batches of 20, 400 updates, float64; every seed "
    "has a training set of its own, of 40 or 100 sequences, that comes again and again. Norm clipping at 1 against "
    "none, each at the learning rate of 0.025 to 0.8 (factor 2) at which 16 other seeds had the least mean test "
    "loss; 16 seeds decide. Test loss: on 1,000 fresh sequences. A loss above twice that of the constant answer, or "
    "none that is finite, counts as twice it. The paper has polyphonic music and Penn Treebank text instead (Table 1)"
)
_VANISHING = (
    "Temporal order with all weights of standard deviation 0.01 (the paper's initialisation named sigmoid), 50 sigmoid "
    "or tanh units, T = 20 and 40, plain SGD and norm clipping from the same weights on the same sequences, learning "
    "rate 0.01 (the paper's), 500 updates, 16 seeds; thresholds 1, the paper's, and 0.05, which is below most "
    "gradients' norm. The rate is that of the gradient's decay from h_T back to h_1 at the end"
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
    *(
        Claim(
            id=identity,
            source="pascanu2013: section 4.2, Table 1",
            source_status="read",
            kind="comparison",
            statement="Clipping is optimisation, not regularisation, which would lower the test loss alone: with it "
            f"the {name} loss is lower, by a tenth at least.",
            setting=f"{_FINITE}. The number is the mean over seeds of the decimal logarithm of the {name} loss without "
            "clipping over that with it.",
            region=Region(low=BETTER),
            replicate=_MEMBER,
            measure=improvement(fold),
            controls=planted(
                "better",
                "hardly-better",
                "both arms are clipped, and the losses of those in the place of the plain ones multiplied by",
                ("1.15", "1.05"),
            ),
        )
        for identity, fold, name in (("P19a", "train", "training"), ("P19b", "test", "test"))
    ),
    Claim(
        id="P19c",
        source="pascanu2013: section 4.2, Table 1",
        source_status="read",
        kind="comparison",
        statement="Clipping is optimisation, not regularisation: with it the training loss is lower, by a tenth at "
        "least, when each arm has the learning rate that fits its training set best.",
        setting=f"{_FINITE}. Here rates are chosen by the least mean training loss of the other seeds: a rate that is "
        "chosen by the test loss may be one that fits less. The number is the mean over seeds of the decimal logarithm "
        "of the training loss without clipping over that with it.",
        region=Region(low=BETTER),
        replicate=_MEMBER,
        measure=fitted,
        controls=planted(
            "better",
            "hardly-better",
            "both arms are clipped, and the losses of those in the place of the plain ones multiplied by",
            ("1.15", "1.05"),
        ),
    ),
    Claim(
        id="P20a",
        source="pascanu2013: section 3, clipping is for exploding gradients",
        source_status="computed here; that clipping is no cure for vanishing is common knowledge, not the paper's "
        "words",
        kind="equality",
        statement="Clipping does not cure vanishing gradients: with it they vanish at the same rate.",
        setting=f"{_VANISHING}. The number is the rate with clipping minus that without; the same is within "
        f"{TOLERANCE:g} nats per link.",
        region=Region(-TOLERANCE, TOLERANCE),
        replicate=_MEMBER,
        measure=unchanged("rate", "nats per link"),
        controls=planted(
            "hardly-slower-vanishing",
            "slower-vanishing",
            "in the place of the clipped networks stand the plain ones, W_hh multiplied by e to the power",
            ("0.006", "0.015"),
        ),
    ),
    Claim(
        id="P20b",
        source="pascanu2013: section 3, clipping is for exploding gradients",
        source_status="computed here; that clipping is no cure for vanishing is common knowledge, not the paper's "
        "words",
        kind="equality",
        statement="Where gradients vanish, clipping changes nothing of what is learnt: the loss is the same.",
        setting=f"{_VANISHING}. The number is the loss on 500 fresh sequences with clipping minus that without; the "
        f"same is within {SAME_LOSS:g} nats.",
        region=Region(-SAME_LOSS, SAME_LOSS),
        replicate=_MEMBER,
        measure=unchanged("loss", "nats"),
        controls=planted(
            "hardly-another-loss",
            "another-loss",
            "in the place of the clipped networks stand the plain ones, their loss raised by as many nats:",
            ("0.006", "0.015"),
        ),
    ),
)

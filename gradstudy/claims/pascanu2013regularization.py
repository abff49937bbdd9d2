"""Claims P19 on whether clipping optimises or regularises: Pascanu, Mikolov and Bengio, ICML 2013, section 4.2."""

from __future__ import annotations

import math

import numpy as np

from gradstudy.claims.claim import Claim, Estimate, Region, Tables
from gradstudy.claims.depth import Measure
from gradstudy.claims.families import planted
from gradstudy.claims.intervals import mean_estimate

# Powers of ten by which one loss must be lower than another to be an improvement: by a tenth.
BETTER = math.log10(1.1)


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


_MEMBER = "a network drawn and trained on its own (seed of weights and sequences)"
_FINITE = (
    "Temporal order at 20 steps, 50 tanh units (basic tanh), SGD on batches of 20, 400 updates, float64; every seed "
    "has a training set of its own, of 40 or 100 sequences, that comes again and again. Norm clipping at 1 against "
    "none, each at the learning rate of 0.0125 to 1.6 (factor 2) at which 48 other seeds had the least mean test "
    "loss; 48 seeds decide. Test loss: on 1,000 fresh sequences. A loss above twice that of the constant answer, or "
    "none that is finite, counts as twice it. The paper has polyphonic music and Penn Treebank text instead (Table 1)"
)

CLAIMS = (
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
)

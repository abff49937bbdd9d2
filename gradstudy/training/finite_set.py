"""Clipping beside plain SGD on a finite training set: the losses on it and on fresh sequences, by rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gradstudy.training.arms import Member
from gradstudy.training.campaign import Campaign, run
from gradstudy.training.evaluation import losses

ARMS = ("plain", "clipped")
# Rates are chosen on members of their own, as many as are then compared.
_CHOOSING = 1000
# A loss above so many times the trivial predictor's, or none that is finite, counts as so many times it.
_WORST = 2.0
_BATCHES, _TESTED = 2, 500


def by_rate(campaign: Campaign, rates: Sequence[float], threshold: float, raised: float | None = None) -> pd.DataFrame:
    """Losses at the end of the training by arm, rate and member; half of the members serve to choose the rate.

    Args:
        campaign: with an epoch; its members' indices are trained at every rate, and as many others, 1000 further on.
        rates: learning rates.
        threshold: of the clipped arm.
        raised: planted: the plain networks are the clipped ones, their losses multiplied by this.

    Returns:
        One row an arm, rate and member: `arm`, `learning_rate`, `member`; `chooses`: whether it is one of those on
        which the rate is chosen; `train_loss`: over the member's whole training set, `test_loss`: on 1,000 fresh
        sequences, each at most twice the trivial predictor's; `trivial_loss`.
    """
    indices = sorted({member.index for member in campaign.members})
    indices += [_CHOOSING + index for index in indices]
    clipped = _trained(campaign, indices, rates, threshold)
    plain = _trained(campaign, indices, rates, math.inf) if raised is None else clipped.copy()
    plain[["train_loss", "test_loss"]] *= raised or 1.0
    found = pd.concat([plain.assign(arm="plain"), clipped.assign(arm="clipped")], ignore_index=True)
    found["chooses"] = found["member"] >= _CHOOSING
    return found[["arm", "learning_rate", "member", "chooses", "train_loss", "test_loss", "trivial_loss"]]


def at_best_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Losses of the members that chose nothing, each arm at the rate that had the least mean test loss of the others.

    Args:
        table: as `by_rate` gives it.

    Returns:
        One row a member: `member`; `rate_plain`, `rate_clipped`; `train_plain`, `train_clipped`, `test_plain`,
        `test_clipped`: losses.
    """
    chosen = table[table["chooses"]].groupby(["arm", "learning_rate"])["test_loss"].mean()
    found: dict[str, object] = {}
    for arm in ARMS:
        rate = float(chosen[arm].idxmin())
        rows = table[(table["arm"] == arm) & (table["learning_rate"] == rate) & ~table["chooses"]].set_index("member")
        found |= {f"rate_{arm}": rate, f"train_{arm}": rows["train_loss"], f"test_{arm}": rows["test_loss"]}
    columns = [f"{what}_{arm}" for what in ("rate", "train", "test") for arm in ARMS]
    return pd.DataFrame(found)[columns].rename_axis("member").reset_index()


def _trained(campaign: Campaign, indices: Sequence[int], rates: Sequence[float], threshold: float) -> pd.DataFrame:
    """Losses of members of one threshold at every rate."""
    tables = []
    for rate in rates:
        members = tuple(Member(index, "", rate, threshold) for index in indices)
        tables.append(_losses(replace(campaign, members=members, every=0)).assign(learning_rate=rate))
    return pd.concat(tables, ignore_index=True)


def _losses(campaign: Campaign) -> pd.DataFrame:
    """Train, and ask each member for its training set and for fresh sequences."""
    outcome, indices = run(campaign), [member.index for member in campaign.members]
    trivial = campaign.task.trivial_loss(campaign.range[1])
    training = campaign.draws("training", campaign.recipe.batch)
    fresh = campaign.draws("test on fresh sequences", _TESTED, ahead=1)
    ends = {
        "train_loss": losses(outcome.population, indices, training, batches=campaign.epoch or 1),
        "test_loss": losses(outcome.population, indices, fresh, batches=_BATCHES),
    }
    table = pd.DataFrame({name: np.nan_to_num(values.numpy(), nan=np.inf) for name, values in ends.items()})
    return table.clip(upper=_WORST * trivial).assign(member=indices, trivial_loss=trivial)

"""Families of feed-forward networks compared: gradients at their blocks, and the paths of a residual network."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from gradstudy.measure.block_gradients import block_gradients, rate_back
from gradstudy.measure.error_decay import interval
from gradstudy.measure.residual_paths import identity_path, path_gradients
from gradstudy.models.feedforward import FeedForwardNetwork
from gradstudy.models.randomness import generator
from gradstudy.training.draws import Draw
from gradstudy.training.images import updates
from gradstudy.training.through_depth import Lesson


def family_tables(draw: Draw, networks: int, images: Tensor, labels: Tensor) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gradients at the blocks' own new feature maps, at initialisation: rates by network, and the mean by block.

    Returns:
        Rates: `network`; `gradient_rate` of log |dL/df_l| and `relative_rate` of its relative size, over blocks with
        maps of equal shape, nats per block on the way back (see `block_gradients`).
        Profile: `block`; `log_gradient` and `log_relative`, each relative to the last block and the mean over networks
        with its 95 % Student interval (`..._low`, `..._high`); `n` networks.
    """
    tables = [block_gradients(draw(i), images, labels).iloc[1:].reset_index(drop=True) for i in range(networks)]
    rates = [
        {
            "network": i,
            "gradient_rate": rate_back(table["log_gradient"].tolist(), table["shape"].tolist()),
            "relative_rate": rate_back(table["log_relative"].tolist(), table["shape"].tolist()),
        }
        for i, table in enumerate(tables)
    ]
    profile = [
        {"block": int(tables[0]["block"][place])}
        | _relative_to_last(tables, "log_gradient", place)
        | _relative_to_last(tables, "log_relative", place)
        for place in range(len(tables[0]))
    ]
    return pd.DataFrame(rates), pd.DataFrame(profile)


def path_tables(
    draw: Draw, networks: int, lesson: Lesson, paths: int, *, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Paths of pre-activation networks before and after training: rates by network, and the mean by length.

    Returns:
        Rates: `moment` ("at init", and "after all" if there are updates); `network`; `path_rate`: least-squares slope
        of the mean log |g_path| over the length, nats per block; `effective`: mean length weighted by gradient mass,
        `common`: mean length of all paths, L/2; `identity_error`: largest error of He's decomposition over states;
        `identity_share`: of dL/dx_0;
        `least_rate`: least over states of (log |dL/dx_l| - log |dL/dx_L|) / (L - l).
        Profile: `moment`; `length`; `log_path` with `low`, `high`, `n`; `log_mass`, mean over networks;
        `log_count`, of the paths of that length.
    """
    rates, profile = [], []
    probe = lesson.images[: lesson.probe].double(), lesson.labels[: lesson.probe]
    drawn = [draw(i) for i in range(networks)]
    for moment in ("at init", "after all")[: 1 + (lesson.updates > 0)]:
        tables = []
        for i, network in enumerate(drawn):
            if moment == "after all":
                _train(network, lesson, seed, i)
            measured = copy.deepcopy(network).double()  # errors of rounding are part of what is measured
            table = path_gradients(measured, *probe, paths, generator(seed, i, "paths"))
            rates.append({"moment": moment, "network": i, **_path_rates(table), **_identity(measured, *probe)})
            tables.append(table)
        profile += [{"moment": moment, **row} for row in _path_profile(tables)]
    return pd.DataFrame(rates), pd.DataFrame(profile)


def _train(network: FeedForwardNetwork, lesson: Lesson, seed: int, index: int) -> None:
    for _ in updates(network, lesson.images, lesson.labels, lesson.recipe, generator(seed, index, "order of images")):
        pass


def _path_rates(table: pd.DataFrame) -> dict[str, float]:
    lengths, depth = table["length"].to_numpy(dtype=float), len(table) - 1
    mass = np.exp(table["log_mass"] - table["log_mass"].max()).to_numpy()
    slope = -rate_back(table["log_path"].tolist(), ["path"] * len(table))
    return {"path_rate": slope, "effective": float(mass @ lengths / mass.sum()), "common": depth / 2}


def _identity(network: FeedForwardNetwork, images: Tensor, labels: Tensor) -> dict[str, float]:
    table = identity_path(network, images, labels)
    return {
        "identity_error": float(table["error"].max(skipna=False)),
        "identity_share": float(table["share"].iloc[0]),
        "least_rate": float((table["log_ratio"] / table["links"]).min(skipna=False)),
    }


def _path_profile(tables: Sequence[pd.DataFrame]) -> list[dict[str, float]]:
    depth = len(tables[0]) - 1
    return [
        {
            "length": length,
            **interval("log_path", [table["log_path"][length] for table in tables]),
            "log_mass": float(np.mean([table["log_mass"][length] for table in tables])),
            "log_count": math.log(math.comb(depth, length)),
        }
        for length in range(depth + 1)
    ]


def _relative_to_last(tables: Sequence[pd.DataFrame], column: str, place: int) -> dict[str, float]:
    values = [float(table[column].iloc[place] - table[column].iloc[-1]) for table in tables]
    found = interval(column, values)
    return {column: found[column], f"{column}_low": found["low"], f"{column}_high": found["high"], "n": found["n"]}

"""Claims on families of networks that see images.

Oracles: tables made by hand with a known verdict; numpy's polyfit for the slope of the error on depth.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradstudy.claims import he2015, he2016, neychev2019depth, veit2016
from gradstudy.claims.claim import Verdict, decide
from gradstudy.claims.registry import find

SPREAD = (-1e-3, 0.0, 1e-3, 0.0)
INSIDE, OUTSIDE, OPEN = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.INCONCLUSIVE


def around(value, scale=1.0):
    return [value + scale * offset for offset in SPREAD]


def verdict(claim, **tables):
    found = find(claim)
    return decide(found, found.measure(tables))


def rows(column, values, **shared):
    return pd.DataFrame({**shared, "network": range(len(values)), column: values})


CASES = [
    ("R3a", "moment_rates", "rate", {"depth": 20, "moment": "at init"}, (-0.005, 0.2), (-0.015,), -0.01),
    ("R3b", "moment_rates", "rate", {"depth": 20, "moment": "at init"}, (-0.005, 0.005), (-0.015, 0.015), 0.01),
    ("R3c", "moment_rates", "rate", {"depth": 20, "moment": "after all"}, (-0.005, 0.2), (-0.015,), -0.01),
    ("Y4", "moment_rates", "weight_rate", {"learning_rate": 1.0, "moment": "after 1"}, (0.005,), (0.015, -0.015), 0.01),
    ("R5b", "path_rates", "least_rate", {"normalisation": "batch", "moment": "at init"}, (-0.005,), (-0.015,), -0.01),
    ("V2", "path_rates", "path_rate", {"moment": "at init"}, (-0.015, -0.3), (-0.005, 0.1), -0.01),
    ("L15a", "family_rates", "gradient_rate", {}, (-0.005, 0.3), (-0.015,), -0.01),
    ("L15b", "family_rates", "relative_rate", {}, (-0.005, 0.3), (-0.015,), -0.01),
    ("L16a", "family_rates", "gradient_rate", {}, (-0.005, 0.3), (-0.015,), -0.01),
    ("L16b", "family_rates", "relative_rate", {}, (-0.005, 0.3), (-0.015,), -0.01),
    ("L14a", "lower_rates", "update_rate", {}, (0.015, 1.0), (0.005, -0.1), 0.01),
    ("L14b", "lower_rates", "settling_rate", {}, (-0.09, -0.5), (-0.01, 0.4), -0.05),
]
DESIGN = {
    "family_rates": {"family": "residual", "initialisation": "he", "normalisation": "none", "padding": "zeros"},
    "lower_rates": {"layer": "linear", "activation": "relu", "initialisation": "he", "normalisation": "none"},
}


@pytest.mark.parametrize(("claim", "table", "column", "shared", "inside", "outside", "border"), CASES)
def test_rates_are_decided_by_their_region(claim, table, column, shared, inside, outside, border):
    shared = DESIGN.get(table, {}) | shared

    def one(values):
        return verdict(claim, **{table: rows(column, values, **shared)})

    assert {one(around(value)) for value in inside} == {INSIDE}
    assert {one(around(value)) for value in outside} == {OUTSIDE}
    assert one(around(border)) == OPEN
    assert one([math.nan, *around(inside[0])[1:]]) == OPEN
    # Another condition of the claim that lies outside refutes it.
    differing = {"depth": 56, "learning_rate": 0.1, "moment": "other", "padding": "circular", "layer": "convolution"}
    name = next(name for name in differing if name in shared)
    other = rows(column, around(outside[0]), **{**shared, name: differing[name]})
    both = pd.concat([rows(column, around(inside[0]), **shared), other], ignore_index=True)
    assert verdict(claim, **{table: both}) == OUTSIDE
    assert len(find(claim).measure({table: both})) == 2


def test_y4_looks_after_one_step_only():
    shared = {"learning_rate": 1.0}
    tables = [rows("weight_rate", around(value), moment=m, **shared) for m, value in (("at init", 0.2), ("after 1", 0))]
    assert verdict("Y4", moment_rates=pd.concat(tables)) == INSIDE


def errors(slope, levelled=True, depths=(8, 20, 32), seeds=5):
    parts = [
        pd.DataFrame(
            {
                "network": range(seeds),
                "depth": depth,
                "error": [0.05 + slope * depth + 1e-4 * ((seed * depth) % 3) for seed in range(seeds)],
                "levelled": levelled,
            }
        )
        for depth in depths
    ]
    return pd.concat(parts, ignore_index=True)


def test_degradation_is_the_slope_of_seeds():
    assert verdict("R1", training_errors=errors(3e-4)) == INSIDE
    assert verdict("R1", training_errors=errors(1e-4)) == OUTSIDE
    table = errors(3e-4)
    slopes = [100 * np.polyfit(part["depth"], part["error"], 1)[0] for _, part in table.groupby("network")]
    (found,) = he2015.error_slope({"training_errors": table})
    assert found.value == pytest.approx(np.mean(slopes))
    assert found.n == 5
    assert found.condition == "plain networks of 8, 20, 32 layers"


def test_degradation_is_open_where_a_loss_has_not_levelled_or_a_depth_is_missing():
    table = errors(3e-3)
    table.loc[4, "levelled"] = False
    assert verdict("R1", training_errors=table) == OPEN
    assert verdict("R1", training_errors=errors(3e-3).iloc[1:]) == OPEN
    assert verdict("R1", training_errors=errors(3e-3, depths=(8,))) == OPEN


def test_the_identity_is_exact_or_not():
    def one(error, normalisation="batch"):
        return rows("identity_error", [1e-16, error], normalisation=normalisation, moment="at init")

    assert verdict("R5a", path_rates=one(1e-15)) == INSIDE
    assert verdict("R5a", path_rates=one(9e-10)) == INSIDE
    assert verdict("R5a", path_rates=one(1.8e-9)) == OUTSIDE
    assert verdict("R5a", path_rates=pd.concat([one(1e-15), one(1.0, "none")])) == OUTSIDE
    assert verdict("R5a", path_rates=one(math.nan)) == OPEN
    assert verdict("R5a", path_rates=one(math.inf)) == OPEN


def test_every_claim_has_a_control_on_either_side():
    for module in (he2015, he2016, veit2016, neychev2019depth):
        for claim in module.CLAIMS:
            assert claim.source.startswith(module.__name__.split(".")[-1].removesuffix("depth"))
            assert {control.expect for control in claim.controls} == {INSIDE, OUTSIDE}

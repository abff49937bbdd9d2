"""What the study of temporal order keeps and plants.

Oracles: the campaign's own tables read again with pandas and scipy's rank correlation; known numbers that were planted.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import temporal_order
from gradstudy.training.arms import arms
from gradstudy.training.campaign import Campaign
from gradstudy.training.examination import Examination
from gradstudy.training.temporal_order import Plant

ARMS = ("SGD", "SGD-C", "SGD-CR")


def campaign(**changes):
    options = {"lengths": 10, "budget": 60, "seed": 3, "hidden": 12, "every": 5, **changes}
    members = arms(options.pop("arms", ARMS), range(3), rate=0.01)
    # Everybody solves a task of which all but one in a million sequences may be wrong.
    easy = Examination(every=20, sequences=250, tolerance=1.0)
    return Campaign(TemporalOrder(), "tanh", "basic-tanh", members, examination=easy, **options)


def test_members_are_the_campaigns_rows():
    outcome = temporal_order.train(campaign(), Plant())
    table = temporal_order.members(outcome, Plant(), at=10)
    assert list(table["arm"]) == [arm for arm in ARMS for _ in range(3)]
    assert set(table["time"]) == {20 / 60}  # the first test comes after 20 updates
    for row in table.itertuples():
        history = outcome.history.query("arm == @row.arm and member == @row.member")
        assert row.radius == history.loc[history["update"] == 10, "spectral_radius"].item()
        assert math.isnan(row.correlation)  # four rows are too few


def test_correlation_is_spearmans():
    outcome = temporal_order.train(campaign(arms=["SGD"], budget=40, every=2), Plant())
    history = outcome.history[outcome.history["member"] == 0]
    expected = spearmanr(history["spectral_radius"], history["largest_gradient_norm"]).statistic
    assert temporal_order.members(outcome, Plant(), at=10)["correlation"][0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("planted", [0.2, 0.04])
@pytest.mark.parametrize("rows", [10, 20])
def test_a_planted_correlation_is_met(planted, rows):
    outcome = temporal_order.train(campaign(arms=["SGD"], budget=rows, every=1), Plant(paired_at=planted))
    found = temporal_order.members(outcome, Plant(paired_at=planted), at=10)["correlation"]
    assert np.abs(found - planted).max() < 0.02


def test_arms_that_begin_late_differ_in_nothing_else():
    outcome = temporal_order.train(campaign(), Plant(late=0.1))
    table = temporal_order.members(outcome, Plant(late=0.1), at=10).set_index(["arm", "member"])
    assert np.allclose(table.loc["SGD-C", "time"] - table.loc["SGD-CR", "time"], 0.1)
    assert (table.loc["SGD", "time"] == table.loc["SGD-CR", "time"]).all()
    by_length = temporal_order.train(campaign(), Plant(late_by_length=0.01))
    times = temporal_order.members(by_length, Plant(), at=10).set_index(["arm", "member"])["time"]
    assert np.allclose(times["SGD"] - times["SGD-C"], 0.1)


def test_a_late_start_ends_with_the_budget():
    outcome = temporal_order.train(campaign(budget=20), Plant(late=0.5))
    table = temporal_order.members(outcome, Plant(late=0.5), at=10)
    assert (table["time"] == 1.0).all()


def test_planted_radii_and_mistakes():
    outcome = temporal_order.train(campaign(lengths=40), Plant(radius_slope=0.002))
    radii = temporal_order.members(outcome, Plant(), at=10)["radius"]
    assert np.abs(radii - 1.08).max() < 0.01
    assert radii.nunique() == 3  # a member is the same in every arm
    plant = Plant(mistakes=0.02)
    answered = temporal_order.generalisation(temporal_order.train(campaign(), plant), [10, 50], plant, sequences=5000)
    assert len(answered) == 2 * 9
    assert np.abs(answered["error"] - 0.02).max() < 5 * math.sqrt(0.02 / 5000)


def test_networks_that_know_nothing_err_at_every_length():
    outcome = temporal_order.train(campaign(arms=["SGD"]), Plant())
    errors = temporal_order.generalisation(outcome, [10, 30], Plant(), sequences=1000)
    assert list(errors["test_length"]) == [10] * 3 + [30] * 3
    assert np.abs(errors["error"] - 0.75).max() < 0.15


def test_nobody_is_tested_where_nobody_succeeded():
    hard = campaign(arms=["SGD"])
    hard = type(hard)(**{**vars(hard), "examination": Examination(every=20, sequences=250, tolerance=0.001)})
    outcome = temporal_order.train(hard, Plant())
    assert temporal_order.generalisation(outcome, [10], Plant(), sequences=250).empty


def test_courses_are_thinned():
    table = temporal_order.course(temporal_order.train(campaign(), Plant()), most=2, every=10)
    assert set(table["member"]) == {0, 1}
    assert set(table["update"]) == {10, 20}

"""Guessing against backpropagation.

Oracles: the tasks' own sequences and success rules on networks taken from a population; counting by hand.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradstudy.tasks.latch import Latch
from gradstudy.tasks.two_sequence import TwoSequence
from gradstudy.training.latch import INFORMATIVE, MINIMAL_LATCH, TWO_SEQUENCE, backpropagate, draw_population
from gradstudy.training.latch_convergence import Setting
from gradstudy.training.latch_rivals import budget, connected_networks, latch_networks, rivals

SETTING = Setting(searches=8, rates=[0.3, 1.0], updates=120, noise=0.2, reach=0.5, seed=3)


def test_a_latch_of_a_population_says_the_same_as_the_task_s_network():
    members = draw_population(MINIMAL_LATCH, 4, [0.1], 0.2, reach=2.0, seed=1)
    task = Latch(informative=INFORMATIVE, noise=0.2, law="uniform")
    inputs, targets = task.draw(9, 12, torch.Generator().manual_seed(2))
    predictions = latch_networks(members).predictions(inputs, task.scored(9))[0, ..., 0]
    for sequence in range(12):
        positive = int(targets[0, sequence, 0] < 0)  # column 0 of a population is the class whose target is positive
        drives = torch.cat([members.told, inputs[INFORMATIVE:, sequence, -1][:, None, None].expand(-1, 2, 4)])
        found, *_ = backpropagate(members.weight, drives, torch.full((2, 4), 9), torch.zeros(2, 1))
        assert predictions[:, sequence].tolist() == pytest.approx(found[positive].tolist(), abs=1e-12)


def test_a_connected_network_says_the_same_as_the_task_s_network():
    members = draw_population(TWO_SEQUENCE, 4, [0.1], 0.2, reach=1.0, seed=1)
    task = TwoSequence(noise=0.2, law="uniform")
    inputs, targets = task.draw(9, 12, torch.Generator().manual_seed(2))
    predictions = connected_networks(members).predictions(inputs, task.scored(9))
    wrong = task.wrong(predictions.flatten(1, 2), targets.repeat(1, 4, 1)).view(4, 12)
    drives = inputs[..., 0][:, :, None].expand(-1, -1, 4)
    for sequence in range(12):
        pair = drives[:, sequence][:, None].expand(-1, 2, 4)
        outputs, *_ = backpropagate(members.weight, pair, torch.full((2, 4), 9), torch.zeros(2, 1))
        assert predictions[0, :, sequence, 0].tolist() == pytest.approx(((1 + outputs[0]) / 2).tolist(), abs=1e-12)
        sign = 2 * targets[0, sequence, 0] - 1
        right = outputs[0] * sign > TWO_SEQUENCE.margin
        assert wrong[:, sequence].tolist() == (~right).tolist()


def test_presentations_and_budget():
    assert budget(SETTING) == 720
    table = rivals("latch", SETTING, [12], [1.0, 100.0])
    assert table.groupby(["method", "option"]).size().to_dict() == {
        ("backpropagation", 0.3): 8,
        ("backpropagation", 1.0): 8,
        ("guessing", 1.0): 8,
        ("guessing", 100.0): 8,
    }
    assert (table.loc[~table["solved"], "presentations"] == 720).all()
    assert (table.loc[table["solved"], "presentations"] <= 720).all()
    learnt = table[(table["method"] == "backpropagation") & table["solved"]]
    assert len(learnt)
    # 6 an update, but for the last 50, of which only the forward passes count
    assert ((learnt["presentations"] - 100) % 6 == 0).all()
    assert (learnt["presentations"] >= 100).all()
    wide = table[(table["method"] == "guessing") & (table["option"] == 100.0)]
    assert wide["solved"].all()
    assert (wide["presentations"] >= 100).all()
    assert not table[(table["method"] == "guessing") & (table["option"] == 1.0)]["solved"].any()


def test_the_best_rate_is_the_one_with_the_fewest_presentations_on_the_first_quarter():
    table = rivals("two-sequence", SETTING, [8, 12], [10.0])
    for _, rows in table[table["method"] == "backpropagation"].groupby("length"):
        means = rows[rows["search"] < 2].groupby("option")["presentations"].mean()
        assert rows.loc[rows["best"], "option"].unique().tolist() == [means.idxmin()]
    assert table.loc[table["method"] == "guessing", "best"].all()
    assert (table["choosing"] == (table["search"] < 2)).all()


def test_a_planted_rival_is_a_guesser_that_pays_more():
    table = rivals("latch", SETTING, [12], [10.0, 100.0], rival=2.0)
    other = table[table["method"] == "backpropagation"]
    assert other["option"].unique().tolist() == [100.0]
    assert (other.loc[other["solved"], "presentations"] % 2 == 0).all()
    plain = rivals("latch", Setting(8, [0.3], 120, 0.2, 0.5, 1003), [12], [10.0, 100.0], rival=1.0)
    twice = 2 * plain.loc[(plain["method"] == "guessing") & (plain["option"] == 100.0), "presentations"].to_numpy()
    assert other["presentations"].tolist() == np.minimum(twice, 720).tolist()

"""LSTM and GRU as rivals: sizes, learning rates, success by length, counting, music.

Oracles: numbers of parameters of torch's own modules; campaigns run by hand; strings written out; planted
numbers.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.tasks.counting import Counting
from gradstudy.tasks.music import NextChord
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training import counting_reach, longest_lag, rival_music
from gradstudy.training.campaign import run
from gradstudy.training.examination import Examination
from gradstudy.training.longest_lag import Plant
from gradstudy.training.population import Population, Shape, draw_population
from gradstudy.training.rivals import Rival, best_rate, equal_parameters, rivals

EASY = Examination(every=10, sequences=250, tolerance=1.0)


def rival(task=None, **changes):
    options = {"hidden": 6, "members": 3, "budget": 30, "batch": 5, "rates": (0.01, 0.1), "pilots": 2, "seed": 1}
    return Rival(task or TemporalOrder(), "lstm", "default", **{**options, **changes})


@pytest.mark.parametrize("hidden", [8, 16, 24])
def test_equal_parameters_are_as_equal_as_they_can_be(hidden):
    task = NextChord(rival_music.data_set("generated", 5, seed=0).train)
    found = equal_parameters(task, hidden)

    def numbers(cell, units):
        one_bias = torch.nn.LSTM if cell == "lstm" else torch.nn.GRU
        module = one_bias(task.input_size, units)
        weights = sum(p.numel() for name, p in module.named_parameters() if "bias_hh" not in name)
        return weights + task.output_size * (units + 1)

    off = {units: abs(numbers("gru", units) - numbers("lstm", hidden)) for units in range(1, 60)}
    assert found == min(off, key=off.__getitem__)


def test_the_best_rate():
    table = pd.DataFrame(
        {"rate": [0.1, 0.1, 0.2, 0.2, 0.3, 0.3], "score": [1.0, 0.4, 0.7, 0.7, 0.1, math.nan], "error": [0.5] * 6}
    )
    assert best_rate(table) == 0.1
    assert best_rate(table.assign(error=[0.5, 0.5, 0.1, 0.1, 0, 0])) == 0.2
    with pytest.raises(OptionError, match="pilots"):
        rival(pilots=0)


def test_the_rate_is_chosen_on_other_networks():
    first = rival()
    compared, piloted = first.compared(0.01), first.piloted()
    assert not {m.index for m in compared} & {m.index for m in piloted}
    assert [m.rate for m in piloted] == [0.01, 0.01, 0.1, 0.1]


def test_outcomes_are_those_of_the_campaigns():
    everyone = rivals(rival(), ["default", "retaining"])
    found, pilots = longest_lag.outcomes(everyone, [10, 12, 14], EASY, Plant())
    assert len(found) == 4 * 3 * 3
    assert set(zip(pilots["cell"], pilots["start"], strict=True)) == {
        (c, s) for c in ("lstm", "gru") for s in ("default", "retaining")
    }
    assert (found["time"] == 10 / 30).all()  # everybody passes the first examination
    hard = Examination(every=10, sequences=250, tolerance=1e-9)
    one = rival(rates=(0.02,), pilots=0)
    found, pilots = longest_lag.outcomes([one], [10], hard, Plant())
    assert pilots.empty
    again = run(one.campaign(10, one.compared(0.02), hard)).members
    assert found["error"].tolist() == again["error"].tolist()
    assert set(found["outcome"]) == {"censored"}
    assert (found["time"] == 1).all()


def test_planted_lengths_and_leads():
    everyone = rivals(rival(members=40, budget=1000), ["default"])
    found, pilots = longest_lag.outcomes(everyone, [10, 20, 40], EASY, Plant(longer=1.2))
    assert pilots.empty
    by = found.pivot(index="member", columns=["cell", "steps"], values="solved")
    assert (by["lstm"].to_numpy() == by["gru"].to_numpy()).all()
    assert by["lstm"].columns.tolist() == pytest.approx([12, 24, 48])
    assert 0.2 < by["gru", 20].mean() < 0.8
    found, _ = longest_lag.outcomes(everyone, [10, 20], EASY, Plant(lead=0.05))
    times = found.groupby(["cell", "member"])["time"].mean().unstack("cell")
    assert (times["gru"] - times["lstm"]).mean() == pytest.approx(0.05, abs=0.005)


def silent():
    """Build a network that always tells logits of 0, which name no symbol."""
    population = draw_population(Shape("gru", 4, 1, 3), "default", [0], seed=0)
    return Population(population.shape, torch.zeros_like(population.weights))


def test_reach_is_the_first_string_that_is_wrong():
    outcome = run(rival(Counting(2, 1, 3), rates=(0.05,), budget=400, batch=10).campaign(
        7, rival(rates=(0.05,)).compared(0.05), None
    ))  # fmt: skip
    found = counting_reach.reach(outcome.population, Counting(2, 1, 3), 12)
    for place, number in enumerate(found):
        module, head = outcome.population.modules(place)
        right = [_right(module, head, n) for n in range(1, 13)]
        assert number == (right.index(False) if False in right else 12)
    assert max(found) >= 3  # something was learnt
    assert counting_reach.reach(silent(), Counting(2), 5) == [0]


def _right(module, head, n):
    """Whether a^n b^n is told right, symbol by symbol, by torch's own modules."""
    string = "S" + "a" * n + "b" * n
    inputs = torch.zeros(len(string), 1, 4, dtype=torch.float64)
    for t, symbol in enumerate(string):
        inputs[t, 0, "abES".index(symbol)] = 1
    with torch.no_grad():
        told = head(module(inputs)[0])[:, 0] > 0
    may = [{"a"}] + [{"a", "b"}] * n + [{"b"}] * (n - 1) + [{"E"}]
    return all(
        {s for s, yes in zip("abE", row.tolist(), strict=True) if yes} == m for row, m in zip(told, may, strict=True)
    )


def test_reaches_and_what_is_planted():
    everyone = rivals(rival(Counting(2, 1, 3), members=2), ["default"])
    found, pilots = counting_reach.reaches(everyone, 5)
    assert len(found) == 4
    assert (pilots["score"] <= 0).all()
    many = rivals(rival(Counting(2, 1, 3), members=16), ["default"])
    planted, pilots = counting_reach.reaches(many, 5, 1.2)
    assert pilots.empty
    logs = np.log1p(planted.pivot(index="member", columns="cell", values="reach"))
    assert (logs["lstm"] - logs["gru"]).mean() == pytest.approx(math.log(1.2), abs=0.015)


def test_music_with_equal_parameters_and_in_equal_time():
    songs = rival_music.data_set("generated", 6, seed=0)
    everyone = rivals(rival(NextChord(songs.train), budget=9, rates=(0.01,), pilots=1), ["default"])
    found, pilots = rival_music.likelihoods(everyone, songs, 0.9)
    assert len(found) == 2 * 2 * 3 * 3
    updates = found.groupby(["cell", "match"])[["updates", "units"]].first()
    assert updates.loc[("gru", "time")].tolist() == [10, 6]
    assert updates.loc[("gru", "parameters")].tolist() == [9, equal_parameters(NextChord(songs.train), 6)]
    nats = found[found["cell"] == "lstm"].pivot(index=["member", "split"], columns="match", values="nats")
    assert (nats["parameters"] == nats["time"]).all()
    assert set(pilots["match"]) == {"parameters", "time"}
    again = run(everyone[0].campaign(6, everyone[0].compared(0.01), None))
    one = found[(found["cell"] == "lstm") & (found["match"] == "time") & (found["split"] == "test")]
    assert one["nats"].tolist() == rival_music.song_likelihoods(again.population, songs.test)


def test_planted_nats():
    songs = rival_music.data_set("generated", 6, seed=0)
    everyone = rivals(rival(NextChord(songs.train), members=12), ["default"])
    found, _ = rival_music.likelihoods(everyone, songs, 0.9, 0.03)
    nats = found[found["split"] == "test"].pivot(index=["match", "member"], columns="cell", values="nats")
    assert np.log(nats["gru"] / nats["lstm"]).mean() == pytest.approx(0.03, abs=0.003)

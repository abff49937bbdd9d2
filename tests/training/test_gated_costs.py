"""What a step of an LSTM and of a GRU costs.

Oracles: parameters by closed form; torch's count of matrix products against the closed form; backward, by what
autograd has to multiply; a stand-in whose cost is known.
"""

from __future__ import annotations

import itertools

import pytest
import torch

from gradstudy.measure import baselines
from gradstudy.training import gated_costs
from gradstudy.training.gated_costs import Layer


def test_parameters_by_closed_form():
    table = gated_costs.parameters([Layer(5, 8), Layer(5, 20)])
    assert (table["ratio"] == 0.75).all()
    for row in table.itertuples():
        biases = 2 if row.layout == "torch" else 1
        assert row.lstm == 4 * row.units * (row.units + 5 + biases)
        assert row.gru == 3 * row.units * (row.units + 5 + biases)
    surplus = gated_costs.parameters([Layer(10, 64)], 0.002)
    assert surplus["ratio"].to_numpy() == pytest.approx(0.752, abs=1e-4)


def test_matrix_products_are_those_that_torch_counts():
    table = gated_costs.flops([Layer(5, 8), Layer(10, 16)])
    for cell in ("lstm", "gru"):
        assert (table[f"{cell}_matmul"] == table[f"{cell}_counted"]).all()
    row = table.iloc[0]
    # Backward: for the weights as many as forward, for the states those of W_hh, but at the first step.
    assert row["lstm_counted_back"] == 2 * 4 * 8 * (5 + 8) + 2 * 4 * 8 * 8 * 19 / 20
    assert row["match"] == "units"
    assert 0.75 <= row["ratio"] < 0.76
    assert row["counted_ratio"] == pytest.approx(0.75)


def test_equal_parameters_leave_no_fewer_operations():
    rows = gated_costs.flops([Layer(10, 64)]).set_index("match")
    assert rows.loc["parameters", "gru_units"] == gated_costs.matched_units(Layer(10, 64), "parameters") == 75
    assert 0.97 < rows.loc["parameters", "ratio"] < 1.03


@pytest.mark.parametrize("part", [0.9, 1.0])
def test_a_stand_in_costs_its_part(part):
    table = gated_costs.flops([Layer(5, 8)], part)
    assert table["ratio"].to_numpy() == pytest.approx(part)


@pytest.mark.parametrize("part", [0.9, 1.0])
def test_a_stand_in_takes_its_part_of_the_time_whatever_a_pass_costs_apart_from_its_steps(part, monkeypatch):
    seconds = itertools.count()
    monkeypatch.setattr(gated_costs, "process_time", lambda: float(next(seconds)))  # every pass takes 1 s
    table = gated_costs.times([Layer(3, 4, length=10, batch=2)], rounds=2, seed=0, stand_in=part)
    assert table["ratio"].to_numpy() == pytest.approx(part)
    assert (table["gru_units"] == 4).all()
    real = gated_costs.times([Layer(3, 4, length=10, batch=2)], rounds=2, seed=0)
    assert (real["ratio"] == 1).all()


def test_what_is_timed_first_has_no_disadvantage(monkeypatch):
    """A clock by which the pass that was built first takes 2 s and the other 1 s, whoever they are."""
    passed, built = [0.0], [0]

    def build(layer, cell, length, seed):
        built[0] += 1
        seconds = 1.0 + built[0] % 2
        return lambda: passed.__setitem__(0, passed[0] + seconds)

    monkeypatch.setattr(gated_costs, "_PASSES", {"cells": build})
    monkeypatch.setattr(gated_costs, "process_time", lambda: passed[0])
    table = gated_costs.times([Layer(3, 4, length=10, batch=2)], rounds=2, seed=0)
    assert table["ratio"].to_numpy() == pytest.approx(1.0)
    assert table["milliseconds"].to_numpy() == pytest.approx(table["baseline_milliseconds"].to_numpy())


def test_times_are_told_for_each_implementation_and_match():
    table = gated_costs.times([Layer(3, 4, length=5, batch=2)], rounds=2, seed=0)
    assert set(zip(table["implementation"], table["match"], strict=True)) == {
        (name, match) for name in ("population", "cells", "fused") for match in ("units", "parameters")
    }
    assert (table[["ratio", "milliseconds"]] >= 0).all(axis=None)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_is_timed_is_one_network(cell):
    """The loop of cells and the fused module give the same states."""
    layer = Layer(3, 4, length=5, batch=2)
    module, inputs = gated_costs._module(layer, cell, 0), gated_costs._inputs(layer, 5, 0, 1)[0]
    last = gated_costs._stepped(module, cell, inputs)
    torch.testing.assert_close(last, module(inputs)[0][-1], rtol=0, atol=1e-6)
    assert len(baselines.stepped_cell(module, inputs)) == 5

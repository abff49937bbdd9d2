"""The test of members on fresh sequences.

Oracles: networks whose share of wrong sequences is known, for they answer one class always (3/4 wrong) or read the
answer off the inputs (none wrong); a full count without stopping early.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.backpropagation import predict
from gradstudy.training.examination import Examination
from gradstudy.training.population import Population, Shape, draw_population
from gradstudy.training.sequences import Draws, Feed


@dataclass(frozen=True)
class LastInput(TemporalOrder):
    """Wrong where the last step's largest input is not the first: one in four."""

    def draw(self, length, count, generator):
        inputs, targets = super().draw(length, count, generator)
        inputs[-1] = 0.0
        inputs[-1, torch.arange(count), targets[0]] = 1.0
        return inputs, targets


def reader():
    """A member that says what the last input says, and one that always says class 0."""
    shape = Shape("tanh", 6, 4, 4)
    population = Population(shape, torch.zeros(2, shape.parameters, dtype=torch.float64))
    population.recurrent[0, :, 4:8] = torch.eye(4)
    population.readout[0, :, :4] = torch.eye(4)
    population.readout[1, 0, -1] = 1.0
    return population


def draws(chunk=250, lengths=12):
    return Draws(LastInput(), lengths, chunk, 0, "test after 5", ahead=1)


def test_who_knows_passes_and_who_guesses_is_dismissed_early():
    solved, error = Examination(sequences=1000).test(reader(), [0, 1], draws())
    assert solved.tolist() == [True, False]
    assert float(error[0]) == 0.0
    # Of 250 sequences; the standard deviation of the share is 0.03.
    assert float(error[1]) == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize("tolerance", [0.01, 0.7, 0.74, 0.76, 0.9])
def test_the_verdict_is_that_of_the_full_test(tolerance):
    indices = list(range(5))
    population = draw_population(Shape("tanh", 6, 4, 4), "default", indices, seed=0)
    examination = Examination(sequences=990, tolerance=tolerance)
    solved, error = examination.test(population, indices, draws())
    feed, wrong = Feed(draws()), torch.zeros(5, dtype=torch.float64)
    for chunk, count in enumerate([250, 250, 250, 240]):
        inputs, targets = feed.batch(indices, chunk)
        found = predict(population, inputs, slice(-1, None))
        for i in indices:
            wrong[i] += LastInput().wrong(found[i], targets[i])[:count].sum()
    assert solved.tolist() == (wrong < tolerance * 990).tolist()
    assert error[solved].tolist() == (wrong / 990)[solved].tolist()


def test_a_member_is_tested_on_its_own_whoever_is_there():
    indices = list(range(4))
    population = draw_population(Shape("tanh", 6, 4, 4), "default", indices, seed=0)
    examination = Examination(sequences=600, tolerance=0.76)
    together = examination.test(population, indices, draws(lengths=(11, 14)))
    alone = examination.test(population.take([2]), [2], draws(lengths=(11, 14)))
    assert (together[0][2], together[1][2]) == (alone[0][0], alone[1][0])


@pytest.mark.parametrize(
    "number", [{"every": 0}, {"sequences": 0}, {"tolerance": 0.0}, {"tolerance": 1.1}, {"chunk": 0}]
)
def test_numbers_out_of_range_are_refused(number):
    with pytest.raises(OptionError, match="Examination"):
        Examination(**number)

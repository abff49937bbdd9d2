"""Temporal order.

Oracles: the released code's generator written out with its floating-point places, as a slow loop over sequences; the
other definitions' ranges as tables; closed forms of guessing one of K classes.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import LengthError, OptionError
from gradstudy.tasks.temporal_order import TemporalOrder

N = 20_000
TASKS = [
    TemporalOrder(),
    TemporalOrder(3),
    TemporalOrder(2, "docstring"),
    TemporalOrder(2, "derived"),
    TemporalOrder(2, "hochreiter1997"),
    TemporalOrder(3, "hochreiter1997"),
]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def relevant(inputs):
    """Places and values of the relevant symbols of each sequence, read off the one-hot inputs."""
    for sequence in inputs.argmax(-1).T.tolist():
        yield [(place, symbol) for place, symbol in enumerate(sequence) if symbol < 2]


@pytest.mark.parametrize("length", [10, 25, 99, 128])
@pytest.mark.parametrize("starts", [(0.1, 0.5), (0.1, 0.3, 0.6)])
def test_places_and_classes_are_those_of_the_released_code(length, starts):
    task = TemporalOrder(len(starts))
    inputs, classes = task.draw(length, 2000, stream())
    assert torch.equal(inputs.sum(-1), torch.ones(length, 2000, dtype=torch.float64))
    assert inputs.dtype == torch.float64
    seen = [set() for _ in starts]
    for found, label in zip(relevant(inputs), classes[0].tolist(), strict=True):
        assert len(found) == len(starts)
        assert label == sum(value * 2**i for i, (_, value) in enumerate(found))
        for (place, _), places in zip(found, seen, strict=True):
            places.add(place)
    for places, start in zip(seen, starts, strict=True):
        first = int(length * start)
        assert places == set(range(first, first + int(length * 0.1)))


@pytest.mark.parametrize(
    ("task", "length", "ranges"),
    [
        (TemporalOrder(2, "docstring"), 100, [(1, 10), (50, 60)]),
        (TemporalOrder(2, "derived"), 100, [(11, 20), (41, 50)]),
        (TemporalOrder(2, "hochreiter1997"), 100, [(11, 21), (51, 61)]),
        (TemporalOrder(2, "hochreiter1997"), 109, [(11, 21), (51, 61)]),
        (TemporalOrder(3, "hochreiter1997"), 105, [(11, 21), (34, 44), (67, 77)]),
    ],
)
def test_places_of_the_other_definitions(task, length, ranges):
    """Ranges counted from 1, both ends included."""
    inputs, _ = task.draw(length, 3000, stream())
    found = torch.tensor([[place + 1 for place, _ in places] for places in relevant(inputs)])
    assert [(int(places.min()), int(places.max())) for places in found.T] == ranges


def test_start_and_trigger_of_1997():
    inputs, targets = TemporalOrder(2, "hochreiter1997").draw(100, 500, stream())
    shown = inputs.argmax(-1)
    assert (shown[0] == 6).all()
    assert (shown[-1] == 7).all()
    assert shown[1:-1].max() == 5
    for found, target in zip(relevant(inputs), targets[0].tolist(), strict=True):
        one_hot = [0.0] * 4
        one_hot[found[0][1] + 2 * found[1][1]] = 1.0
        assert target == one_hot


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_symbols_places_and_classes_are_uniform_and_independent(task):
    inputs, targets = task.draw(30, N, stream())
    classes = targets if task.likelihood == "categorical" else targets.argmax(-1)
    shares = torch.bincount(classes[0], minlength=task.output_size) / N
    assert (shares - 1 / task.output_size).abs().max() < 5 / math.sqrt(N * task.output_size)
    distractors = inputs[1:-1, :, 2:6].mean((0, 1))
    assert (distractors / distractors.sum() - 1 / 4).abs().max() < 5 / math.sqrt(4 * N * 20)
    places = torch.tensor([[place for place, _ in found] for found in relevant(inputs)]).double()
    both = torch.cat([places.T, classes.double()])
    correlation = torch.corrcoef(both) - torch.eye(len(both))
    assert correlation.abs().max() < 5 / math.sqrt(N)


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_what_cannot_see_the_sequence_scores_as_told(task):
    _, targets = task.draw(10, N, stream())
    shares = 1 / task.output_size
    constant = math.log(shares) if task.likelihood == "categorical" else shares
    blind = torch.full((10, N, task.output_size), constant, dtype=torch.float64)
    assert task.loss(blind, targets).item() == pytest.approx(task.trivial_loss(10), abs=0.01)
    assert task.last_loss(blind, targets) == task.loss(blind, targets)
    named = torch.zeros_like(blind)
    named[..., 0] = 1.0
    error = task.wrong(named[-1:], targets).double().mean().item()
    assert error == pytest.approx(task.trivial_error(10), abs=5 * math.sqrt(0.25 / N))


def test_success_rules_at_their_borders():
    predictions = torch.tensor([[[1.0, 2.0, 2.0 - 1e-12, 0.0], [5.0, 0.0, 0.0, 5.0 + 1e-12]]], dtype=torch.float64)
    assert TemporalOrder().wrong(predictions, torch.tensor([[1, 0]])).tolist() == [False, True]
    target = torch.eye(4, dtype=torch.float64)[None, :3]
    outputs = target.clone()
    outputs[0, 0, 0], outputs[0, 1, 3], outputs[0, 2] = 0.7 + 1e-12, 0.3, outputs[0, 2] + 0.29
    assert TemporalOrder(2, "hochreiter1997").wrong(outputs, target).tolist() == [False, True, False]


def test_draws_depend_on_the_generator_alone():
    before = torch.get_rng_state()
    one, same, other = (TemporalOrder().draw(20, 8, stream(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_bad_options_and_lengths_are_named():
    for options in ((4, "code"), (3, "docstring"), (1, "hochreiter1997")):
        with pytest.raises(OptionError, match="as in"):
            TemporalOrder(*options)
    for task in TASKS:
        task.draw(10, 1, stream())
        with pytest.raises(LengthError, match=r"9 steps for TemporalOrder.*\n.*at least 10 steps"):
            task.draw(9, 1, stream())

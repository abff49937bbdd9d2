"""What every synthetic task must be, and what can be scored without seeing its sequences.

Oracles: losses written out from the definition; blind predictions fitted to many drawn targets, step by step; perfect
and broken predictions made from the targets.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import LengthError
from gradstudy.models.randomness import generator
from gradstudy.tasks.adding import Adding
from gradstudy.tasks.counting import Counting
from gradstudy.tasks.random_permutation import RandomPermutation
from gradstudy.tasks.synthetic import SYNTHETIC

TASKS = {
    **SYNTHETIC,
    "random-permutation-every": RandomPermutation(20, "every"),
    "counting-narrow": Counting(3, 4, 6),
}
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
EXTRA = 3  # steps beyond the shortest


def drawn(task, count=50, extra=EXTRA, seed=0):
    length = max(task.shortest, 2) + extra
    return length, *task.draw(length, count, generator(seed, 0, "test"))


def perfect(task, targets):
    """Predictions at the scored steps that know the targets."""
    if task.likelihood == "categorical":
        return 50 * torch.nn.functional.one_hot(targets, task.output_size).double()
    return targets.clone() if task.likelihood == "gaussian" else 100 * targets - 50


def everywhere(task, length, scored):
    """Predictions at all steps, rubbish where none is scored."""
    found = torch.full((length, *scored.shape[1:]), 7.0, dtype=torch.float64)
    found[task.scored(length)] = scored
    return found


@every_task
def test_shapes(task):
    length, inputs, targets = drawn(task)
    steps = len(range(length)[task.scored(length)])
    assert inputs.shape == (length, 50, task.input_size)
    assert inputs.dtype == torch.float64
    if task.likelihood == "categorical":
        assert targets.shape == (steps, 50)
        assert targets.dtype == torch.int64
        assert 0 <= targets.min() <= targets.max() < task.output_size
    else:
        assert targets.shape == (steps, 50, task.output_size)
        assert targets.dtype == torch.float64
    assert range(length)[task.scored(length)][-1] == length - 1


@every_task
def test_the_generator_alone_decides_what_is_drawn(task):
    before = torch.get_rng_state()
    (_, *one), (_, *same), (_, *other) = drawn(task), drawn(task), drawn(task, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])
    assert len({tuple(sequence.flatten().tolist()) for sequence in one[0].transpose(0, 1)}) > 1


@every_task
def test_the_shortest_sequences_fit_and_shorter_ones_are_named(task):
    stream = generator(0, 0, "test")
    task.draw(task.shortest, 2, stream)
    with pytest.raises(LengthError, match=rf"{task.shortest - 1} steps.*\n.*at least {task.shortest} steps"):
        task.draw(task.shortest - 1, 2, stream)


def written_out(task, prediction, target):
    """Loss of one prediction, summed over outputs."""
    if task.likelihood == "categorical":
        return math.log(sum(math.exp(x) for x in prediction)) - prediction[target]
    if task.likelihood == "gaussian":
        return sum((x - y) ** 2 for x, y in zip(prediction, target, strict=True))
    pairs = zip(prediction, target, strict=True)
    return sum(math.log1p(math.exp(-x)) if y else math.log1p(math.exp(x)) for x, y in pairs)


@every_task
def test_the_loss_is_the_standard_one_over_the_scored_steps(task):
    length, _, targets = drawn(task, count=3)
    scored = torch.randn(len(targets), 3, task.output_size, generator=generator(2, 0, "test"), dtype=torch.float64)
    predictions = everywhere(task, length, scored)
    terms = [
        [written_out(task, *pair) for pair in zip(*step, strict=True)]
        for step in zip(scored.tolist(), targets.tolist(), strict=True)
    ]
    assert task.loss(predictions, targets).item() == pytest.approx(sum(map(sum, terms)) / len(terms) / 3)
    assert task.last_loss(predictions, targets).item() == pytest.approx(sum(terms[-1]) / 3)


@every_task
def test_perfect_predictions_are_right_and_broken_ones_wrong(task):
    length, _, targets = drawn(task)
    right = perfect(task, targets)
    assert task.wrong(right, targets).tolist() == [False] * 50
    assert task.loss(everywhere(task, length, right), targets) < 1e-12
    step = 0 if task.likelihood == "bernoulli" else -1  # after the end of a string nothing counts
    for value in (math.nan, math.inf):
        broken = right.clone()
        broken[step, ::2] = value
        assert task.wrong(broken, targets).tolist() == [True, False] * 25


@every_task
def test_the_best_blind_loss(task):
    length, _, targets = drawn(task, count=20_000)
    if task.likelihood == "categorical":
        blind = torch.nn.functional.one_hot(targets, task.output_size).double().mean(1).clamp(min=1e-12).log()
    elif task.likelihood == "gaussian":
        blind = targets.mean(1)
    else:
        blind = torch.logit(targets.mean(1), eps=1e-12)
    predictions = everywhere(task, length, blind[:, None].expand(-1, 1000, -1))
    losses = torch.tensor([task.loss(predictions, part) for part in targets.split(1000, 1)], dtype=torch.float64)
    # Fitting k free numbers to n sequences lowers the loss by some k / 2n nats: k / 2n < 0.001 of it in all tasks.
    expected = task.trivial_loss(length)
    assert losses.mean().item() == pytest.approx(
        expected, abs=5 * losses.std().item() / math.sqrt(20) + 1e-3 * expected
    )


@every_task
def test_no_blind_prediction_is_right_more_often_than_told(task):
    """Each drawn sequence's own perfect prediction, given to all others; constants besides where a value is told."""
    length, _, targets = drawn(task, count=4000)
    candidates = list(perfect(task, targets[:, :64]).unbind(1))
    if task.output_size == 1:
        candidates = [torch.full((1, 1), value, dtype=torch.float64) for value in torch.linspace(-1, 1, 201).tolist()]
    errors = [task.wrong(blind[:, None].expand(-1, 4000, -1), targets).double().mean().item() for blind in candidates]
    expected = task.trivial_error(length)
    assert min(errors) == pytest.approx(expected, abs=max(5 * math.sqrt(expected * (1 - expected) / 4000), 2e-3))


@every_task
def test_batches_of_many_networks_are_one_draw_that_is_split(task):
    """Sequences of a draw are independent: the two halves of it are no more alike than two draws."""
    _, inputs, _ = drawn(task, count=4000)
    centred = inputs.flatten(2) - inputs.mean(1, keepdim=True)
    product = (centred[:, :2000] * centred[:, 2000:]).mean(1)
    spread = centred.square().mean(1)
    assert (product.abs() <= 6 * spread / math.sqrt(2000) + 1e-12).all()


def test_the_error_of_a_short_sequence_says_what_to_do():
    with pytest.raises(LengthError) as caught:
        Adding().draw(4, 1, torch.Generator())
    assert "Adding" in caught.value.came
    assert "10" in caught.value.needed
    assert caught.value.why
    assert caught.value.remedy

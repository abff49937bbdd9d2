"""Sequences of populations. Oracles: the task's own draws from the same generators; other companies and orders."""

from __future__ import annotations

import pytest
import torch

from gradstudy.models.randomness import generator
from gradstudy.tasks.adding import Adding
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.training.sequences import AHEAD, Draws, Feed

TASKS = [TemporalOrder(), Adding()]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_block_is_one_draw_of_the_task(task):
    draws = Draws(task, 20, 4, 7, "training")
    inputs, targets = task.draw(20, AHEAD * 4, generator(7, 2, "sequences, training, block 3"))
    feed = Feed(draws)
    for place in range(AHEAD):
        found = feed.batch([2], 3 * AHEAD + place)
        rows = slice(4 * place, 4 * place + 4)
        assert torch.equal(found[0][0], inputs[:, rows])
        assert torch.equal(found[1][0], targets[:, rows])


@pytest.mark.parametrize("lengths", [20, (11, 30)])
def test_a_members_sequences_depend_on_seed_index_and_update_alone(lengths):
    draws = Draws(TemporalOrder(), lengths, 3, 7, "training")
    together, alone = Feed(draws), Feed(draws)
    for update in range(2 * AHEAD + 3):
        everybody = together.batch([5, 1, 5], update)
        if update in (0, 4, AHEAD, 2 * AHEAD + 2):  # joins when it pleases
            single = alone.batch([1], update)
            assert torch.equal(everybody[0][1], single[0][0])
            assert torch.equal(everybody[1][1], single[1][0])
        assert torch.equal(everybody[0][0], everybody[0][2])  # of one index in two arms
        assert not torch.equal(everybody[0][0], everybody[0][1])


def test_lengths_are_shared_and_cover_the_range():
    feed = Feed(Draws(TemporalOrder(), (11, 14), 2, 7, "training"))
    found = {feed.batch([0, 1], update)[0].shape[1] for update in range(100)}
    assert found == {11, 12, 13, 14}


def test_purposes_and_updates_have_sequences_of_their_own():
    one, other = (Feed(Draws(TemporalOrder(), 20, 4, 7, purpose)) for purpose in ("training", "test after 100"))
    drawn = [one.batch([0], 0)[0], one.batch([0], 1)[0], one.batch([0], AHEAD)[0], other.batch([0], 0)[0]]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_dtype_is_that_of_inputs_and_of_targets_that_are_no_classes():
    for task, kind in zip(TASKS, (torch.int64, torch.float32), strict=True):
        inputs, targets = Feed(Draws(task, 20, 4, 7, "training", torch.float32)).batch([0], 0)
        assert inputs.dtype == torch.float32
        assert targets.dtype == kind

"""Random permutation.

Oracles: the released code's definition as a slow loop; closed forms of uniform symbols.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.tasks.random_permutation import RandomPermutation


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_definition_of_the_released_code():
    inputs, targets = RandomPermutation().draw(30, 2000, stream())
    assert inputs.shape == (30, 2000, 100)
    assert torch.equal(inputs.sum(-1), torch.ones(30, 2000, dtype=torch.float64))
    for sequence, target in zip(inputs.argmax(-1).T.tolist(), targets[0].tolist(), strict=True):
        assert sequence[0] == target
        assert target in (0, 1)
        assert all(2 <= symbol < 100 for symbol in sequence[1:])
    assert targets.double().mean().item() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(2000))
    counts = torch.bincount(inputs[1:].argmax(-1).flatten(), minlength=100)[2:]
    expected = 29 * 2000 / 98
    assert (counts - expected).abs().max() < 5 * math.sqrt(expected)


def test_every_next_symbol_where_all_are_trained():
    task = RandomPermutation(10, "every")
    inputs, targets = task.draw(12, 40, stream())
    shown = inputs.argmax(-1)
    assert torch.equal(targets[:-1], shown[1:])
    assert torch.equal(targets[-1], shown[0])
    last, _ = RandomPermutation(10).draw(12, 40, stream())
    assert torch.equal(inputs, last)


def test_only_the_last_prediction_decides():
    task = RandomPermutation(4, "every")
    predictions = torch.zeros(3, 2, 4, dtype=torch.float64)
    predictions[-1, :, 1] = 1.0
    targets = torch.tensor([[2, 3], [3, 2], [1, 0]])
    assert task.wrong(predictions, targets).tolist() == [False, True]


def test_what_can_be_scored_blindly():
    assert RandomPermutation().trivial_loss(50) == pytest.approx(math.log(2))
    assert RandomPermutation(trained="every").trivial_loss(50) == pytest.approx((math.log(2) + 49 * math.log(98)) / 50)


def test_too_few_symbols_are_refused():
    with pytest.raises(OptionError, match="at least 3"):
        RandomPermutation(2)

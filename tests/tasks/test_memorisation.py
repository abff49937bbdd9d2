"""Noiseless memorisation.

Oracles: the released code's definition as a slow loop; closed forms of uniform strings.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.tasks.memorisation import Memorisation


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("values", "positions", "blanks"), [(5, 10, 50), (2, 5, 0), (3, 1, 7), (2, 5, 1)])
def test_the_definition_of_the_released_code(values, positions, blanks):
    task = Memorisation(values, positions)
    length = task.steps(blanks)
    assert length == blanks + 2 * positions
    inputs, targets = task.draw(length, 200, stream())
    assert inputs.shape == (length, 200, values + 2)
    assert torch.equal(inputs.sum(-1), torch.ones(length, 200, dtype=torch.float64))
    blank, trigger = values, values + 1
    for shown, told in zip(inputs.argmax(-1).T.tolist(), targets.T.tolist(), strict=True):
        string = shown[:positions]
        assert all(symbol < values for symbol in string)
        assert shown[positions:] == [blank] * blanks + [trigger] + [blank] * (positions - 1)
        assert told == [blank] * (blanks + positions) + string


def test_strings_are_uniform_and_independent():
    inputs, _ = Memorisation(2, 5).draw(10, 32_000, stream())
    string = inputs[:5].argmax(-1)
    code = (string * 2 ** torch.arange(5)[:, None]).sum(0)
    counts = torch.bincount(code, minlength=32)
    assert (counts - 1000).abs().max() < 5 * math.sqrt(1000)


def test_one_wrong_symbol_makes_a_sequence_wrong():
    task = Memorisation(2, 3)
    _, targets = task.draw(9, 4, stream())
    predictions = torch.nn.functional.one_hot(targets, 3).double()
    predictions[0, 1] = torch.tensor([1.0, 0.0, 0.5])
    predictions[-1, 2, targets[-1, 2]] = -1.0
    assert task.wrong(predictions, targets).tolist() == [False, True, True, False]


def test_what_can_be_scored_blindly():
    task = Memorisation()
    assert task.trivial_loss(task.steps(80)) == pytest.approx(10 * math.log(5) / 100)
    assert task.trivial_error(100) == 1 - 5**-10
    assert -math.log2(1 - task.trivial_error(100)) == pytest.approx(23.2, abs=0.03)


@pytest.mark.parametrize("options", [(1, 5), (2, 0)])
def test_nothing_to_memorise_is_refused(options):
    with pytest.raises(OptionError, match="nothing to memorise"):
        Memorisation(*options)

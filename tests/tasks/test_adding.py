"""The adding problem.

Oracles: closed forms of uniform variables and their mean; the target recomputed from the sequence.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy.tasks.adding import Adding

N = 20_000


@pytest.fixture(scope="module")
def drawn():
    before = torch.get_rng_state()
    found = Adding().draw(40, N, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)
    return found


def test_two_marks_a_sequence_one_in_the_first_tenth_one_in_the_rest_of_the_first_half(drawn):
    inputs, _ = drawn
    marks = inputs[..., 1]
    assert set(marks.unique().tolist()) == {0.0, 1.0}
    assert (marks[:4].sum(0) == 1).all()
    assert (marks[4:20].sum(0) == 1).all()
    assert not marks[20:].any()
    places = marks.mean(1)
    # Each place has probability 1/4 or 1/16; five standard errors.
    torch.testing.assert_close(places[:4], torch.full((4,), 1 / 4, dtype=torch.float64), rtol=0, atol=0.016)
    torch.testing.assert_close(places[4:20], torch.full((16,), 1 / 16, dtype=torch.float64), rtol=0, atol=0.009)


def test_the_target_is_the_mean_of_the_marked_values(drawn):
    inputs, targets = drawn
    torch.testing.assert_close((inputs[..., 0] * inputs[..., 1]).sum(0) / 2, targets)
    assert inputs.dtype == targets.dtype == torch.float64


def test_the_constant_prediction(drawn):
    task, (_, targets) = Adding(), drawn
    half = torch.full((40, N, 1), 0.5, dtype=torch.float64)
    # The squared error of 1/2 has variance E d^4 - 1/24^2 = 1/240 - 1/576, so a standard error of 3.5e-4.
    assert task.loss(half, targets).item() == pytest.approx(task.trivial_loss(), abs=5 * 3.5e-4)
    solved = ((half[-1, :, 0] - targets).square() <= 0.04).double().mean()
    assert solved.item() == pytest.approx(0.64, abs=0.017)


def test_the_loss_sees_the_last_step_alone():
    task, targets = Adding(), torch.tensor([0.25, 0.75], dtype=torch.float64)
    predictions = torch.full((12, 2, 1), 9.0, dtype=torch.float64)
    predictions[-1, :, 0] = torch.tensor([0.5, 0.25], dtype=torch.float64)
    assert task.loss(predictions, targets).item() == (0.25**2 + 0.5**2) / 2
    assert task.last_loss(predictions, targets) == task.loss(predictions, targets)


def test_sequences_without_a_first_tenth_are_refused():
    with pytest.raises(ValueError, match="at least 10"):
        Adding().draw(9, 1, torch.Generator())

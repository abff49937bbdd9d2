"""The adding problem.

Oracles: the draw as it was before it had variants, written out; the definition of 1997 as a slow loop over sequences;
closed forms of uniform variables and their mean.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy.errors import LengthError
from gradstudy.tasks.adding import Adding

N = 20_000
HS97 = Adding("hochreiter1997")


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
    torch.testing.assert_close((inputs[..., 0] * inputs[..., 1]).sum(0) / 2, targets[0, :, 0])
    assert inputs.dtype == targets.dtype == torch.float64
    assert targets.shape == (1, N, 1)


@pytest.mark.parametrize("length", [10, 37, 100])
def test_what_is_drawn_is_what_always_was(length):
    inputs, targets = Adding().draw(length, 5, torch.Generator().manual_seed(3))
    stream = torch.Generator().manual_seed(3)
    values = torch.rand(length, 5, generator=stream, dtype=torch.float64)
    first = torch.randint(0, length // 10, (5,), generator=stream).tolist()
    second = torch.randint(length // 10, length // 2, (5,), generator=stream).tolist()
    assert torch.equal(inputs[..., 0], values)
    for row in range(5):
        assert inputs[:, row, 1].nonzero()[:, 0].tolist() == [first[row], second[row]]
        assert targets[0, row, 0] == (values[first[row], row] + values[second[row], row]) / 2


def test_the_constant_prediction(drawn):
    task, (_, targets) = Adding(), drawn
    half = torch.full((40, N, 1), 0.5, dtype=torch.float64)
    # The squared error of 1/2 has variance E d^4 - 1/24^2 = 1/240 - 1/576, so a standard error of 3.5e-4.
    assert task.loss(half, targets).item() == pytest.approx(task.trivial_loss(40), abs=5 * 3.5e-4)
    solved = 1 - task.wrong(half[-1:], targets).double().mean()
    assert solved.item() == pytest.approx(0.64, abs=0.017)
    assert task.trivial_error(40) == pytest.approx(1 - 0.64)


def test_the_loss_sees_the_last_step_alone():
    task, targets = Adding(), torch.tensor([0.25, 0.75], dtype=torch.float64)[None, :, None]
    predictions = torch.full((12, 2, 1), 9.0, dtype=torch.float64)
    predictions[-1, :, 0] = torch.tensor([0.5, 0.25], dtype=torch.float64)
    assert task.loss(predictions, targets).item() == (0.25**2 + 0.5**2) / 2
    assert task.last_loss(predictions, targets) == task.loss(predictions, targets)


def test_success_rules_at_their_borders():
    targets = torch.zeros(1, 4, 1, dtype=torch.float64)
    # 0.2^2 is above 0.04 by one rounding, so stay away from it.
    predictions = torch.tensor([0.2 - 1e-12, -0.2 - 1e-12, 0.04, -0.04 + 1e-12], dtype=torch.float64)[None, :, None]
    assert Adding().wrong(predictions, targets).tolist() == [False, True, False, False]
    assert HS97.wrong(predictions, targets).tolist() == [True, True, True, False]


def test_the_definition_of_1997():
    inputs, targets = HS97.draw(24, N, torch.Generator().manual_seed(0))
    for (values, markers), target in zip(
        inputs.permute(1, 2, 0)[:500].tolist(), targets[0, :500, 0].tolist(), strict=True
    ):
        marked = [step for step, marker in enumerate(markers) if marker == 1]
        assert len(marked) == 2
        assert min(marked) < 10
        assert max(marked) < 12
        assert markers[-1] == -1
        assert markers[0] == (1 if 0 in marked else -1)
        assert all(marker == 0 for step, marker in enumerate(markers[1:-1], 1) if step not in marked)
        assert values[0] == 0 or 0 not in marked
        assert target == pytest.approx(0.5 + sum(values[step] for step in marked) / 4)
    shares = (inputs[..., 1] == 1).double().mean(1)
    # The first mark is uniform on 10 steps, the second on the 11 of the first half that are left.
    expected = torch.zeros(24, dtype=torch.float64)
    for first in range(10):
        expected[first] += 1 / 10
        for second in set(range(12)) - {first}:
            expected[second] += 1 / 10 / 11
    assert (shares - expected).abs().max() < 5 * (0.25 / N) ** 0.5
    assert HS97.first_marked(24) == pytest.approx(expected[0].item())
    assert inputs[1:, :, 0].min() < -0.999
    assert inputs[..., 0].max() > 0.999


def test_the_constant_prediction_of_1997():
    _, targets = HS97.draw(20, N, torch.Generator().manual_seed(1))
    half = torch.full((20, N, 1), 0.5, dtype=torch.float64)
    assert HS97.loss(half, targets).item() == pytest.approx(HS97.trivial_loss(20), abs=5 * 3.5e-4)
    error = HS97.wrong(half[-1:], targets).double().mean().item()
    assert error == pytest.approx(HS97.trivial_error(20), abs=5 * (0.13 / N) ** 0.5)


@pytest.mark.parametrize(("task", "shortest"), [(Adding(), 10), (HS97, 20)])
def test_sequences_without_room_for_the_marks_are_refused(task, shortest):
    task.draw(shortest, 1, torch.Generator())
    with pytest.raises(LengthError, match=f"at least {shortest}"):
        task.draw(shortest - 1, 1, torch.Generator())

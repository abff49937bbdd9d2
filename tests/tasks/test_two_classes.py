"""Latch, 2-sequence and parity: one of two classes in noise.

Oracles: definitions as slow loops; moments of the noise in closed form; the latch's own recursion against an `nn.RNN`
with the task's inputs.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.tasks.latch import Latch
from gradstudy.tasks.parity import Parity
from gradstudy.tasks.two_sequence import TwoSequence

N = 4000


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_noise(values, variance, bound=math.inf):
    """Mean 0 and that variance, to five standard errors; none beyond the bound."""
    count = values.numel()
    assert values.mean().abs() < 5 * math.sqrt(variance / count)
    # The variance of a square is at most 2 variance^2 (gaussian).
    assert (values.square().mean() - variance).abs() < 5 * variance * math.sqrt(2 / count)
    assert values.abs().max() <= bound


def test_the_latch_shows_the_class_in_its_first_steps_and_noise_after_them():
    inputs, targets = Latch(3, 0.5).draw(10, N, stream())
    for sequence, target in zip(inputs.transpose(0, 1)[:200].tolist(), targets[0, :200, 0].tolist(), strict=True):
        label = 0 if target == 0.8 else 1
        assert target in (0.8, -0.8)
        for step, shown in enumerate(sequence):
            expected = [0.0] * 7
            if step < 3:
                expected[3 * label + step] = 1.0
            assert shown[:6] == expected[:6]
            assert (shown[6] == 0) == (step < 3)
    assert_noise(inputs[3:, :, 6], 0.25)
    assert targets.mean().abs() < 5 * 0.8 / math.sqrt(N)


def test_the_latch_itself_is_an_rnn_of_one_unit():
    """a_t = w tanh(a_{t-1}) + u_t, x = tanh(a), by hand."""
    task, drives, w = Latch(2, 0.3), torch.tensor([[0.7, 0.1], [-0.4, -0.2]], dtype=torch.float64), 1.6
    inputs, targets = task.draw(9, 5, stream())
    rnn = torch.nn.RNN(5, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(task.input_weights(drives))
        rnn.weight_hh_l0.fill_(w)
    states, _ = rnn(inputs)
    for row in range(5):
        x, label = 0.0, 0 if targets[0, row, 0] > 0 else 1
        for step in range(9):
            u = drives[label, step].item() if step < 2 else inputs[step, row, 4].item()
            x = math.tanh(w * x + u)
        assert states[-1, row, 0].item() == pytest.approx(x, abs=1e-12)
    assert task.wrong(states[-1:], targets).tolist() == (states[-1, :, 0].sign() != targets[0, :, 0].sign()).tolist()
    assert task.wrong(torch.zeros_like(targets), targets).all()
    predictions = torch.full((9, 5, 1), 0.3, dtype=torch.float64)
    assert task.loss(predictions, targets).item() == pytest.approx(((0.3 - targets) ** 2).mean().item())


@pytest.mark.parametrize(
    ("task", "variance", "bound"),
    [
        (TwoSequence(), 0.2, math.inf),
        (TwoSequence(1), 0.2, math.inf),
        (TwoSequence(3, 0.2, "uniform"), 0.04 / 3, 0.2),
        (TwoSequence(2, everywhere=True), 0.2, math.inf),
    ],
)
def test_two_sequences(task, variance, bound):
    inputs, targets = task.draw(8, N, stream())
    signal = 2 * targets[..., 0] - 1
    first, rest = inputs[: task.informative, :, 0], inputs[task.informative :, :, 0]
    if task.everywhere:
        assert_noise(first - signal, variance)
    else:
        assert torch.equal(first, signal.expand_as(first))
    assert_noise(rest, variance, bound)
    assert set(targets.unique().tolist()) == {0.0, 1.0}
    assert targets.mean().item() == pytest.approx(0.5, abs=2.5 / math.sqrt(N))


@pytest.mark.parametrize(("task", "bound"), [(Parity(), 0.0), (Parity(0.2), 0.2)])
def test_parity(task, bound):
    inputs, targets = task.draw(7, N, stream())
    for sequence, target in zip(inputs[..., 0].T.tolist(), targets[0, :, 0].tolist(), strict=True):
        assert target == sum(value > 0 for value in sequence) % 2
    noise = inputs - inputs.sign()
    assert noise.abs().max() <= bound
    assert (noise.abs().max() > 0.99 * bound) or not bound
    assert (inputs > 0).double().mean().item() == pytest.approx(0.5, abs=2.5 / math.sqrt(7 * N))
    # Any six of the seven steps say nothing about the parity.
    codes = ((inputs[:6, :, 0] > 0) * 2 ** torch.arange(6)[:, None]).sum(0)
    for code in range(64):
        odd = targets[0, codes == code, 0]
        assert odd.mean().item() == pytest.approx(0.5, abs=2.5 / math.sqrt(len(odd)))


@pytest.mark.parametrize(("task", "tolerance"), [(TwoSequence(), 0.2), (Parity(), 0.1)])
def test_success_rules_at_their_borders(task, tolerance):
    targets = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)[None, :, None]
    off = torch.tensor([tolerance + 1e-12, tolerance - 1e-12, tolerance, -tolerance + 1e-12], dtype=torch.float64)
    assert task.wrong(targets + off[None, :, None], targets).tolist() == [True, False, True, False]


@pytest.mark.parametrize("make", [lambda: Latch(0), lambda: TwoSequence(0), lambda: Parity(-0.1), lambda: Latch(1, -1)])
def test_bad_options_are_named(make):
    with pytest.raises(OptionError, match="told apart"):
        make()

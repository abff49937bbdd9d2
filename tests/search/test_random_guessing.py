"""Random weight guessing.

Oracles: networks stepped by slow loops and by `nn.RNN`; a search that shows one sequence at a time to one network;
probabilities of the right signs, which decide whether a guessed latch works; the bound w > 1 below which none can.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradstudy.errors import OptionError
from gradstudy.models.randomness import generator
from gradstudy.search.guessed_networks import elman, fully_connected, fully_recurrent, minimal_latch
from gradstudy.search.random_guessing import Guessing, guess_weights, guessing_table
from gradstudy.tasks.latch import Latch
from gradstudy.tasks.memorisation import Memorisation
from gradstudy.tasks.parity import Parity
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.tasks.two_sequence import TwoSequence

ALL = slice(None)


def stream(seed=0):
    return generator(seed, 0, "test")


def test_fully_connected_networks_have_nothing_but_their_weights():
    networks = fully_connected(5)(3, 2.0, stream())
    inputs = torch.randn(6, 4, 1, generator=stream(1), dtype=torch.float64)
    found = networks.predictions(inputs, slice(5, 6))
    assert found.shape == (1, 3, 4, 1)
    for g in range(3):
        weight = networks.weights.hidden[g, :, :5]
        assert 0 < weight.abs().max() <= 2
        for b in range(4):
            x = torch.zeros(5, dtype=torch.float64)
            for u in inputs[:, b, 0]:
                x = torch.tanh(weight @ x + u * torch.eye(5, dtype=torch.float64)[0])
            assert found[0, g, b, 0].item() == pytest.approx((1 + x[4].item()) / 2, abs=1e-14)


@pytest.mark.parametrize("psi", ["linear", "sigmoid"])
def test_elman_networks_are_rnns_with_a_read_out(psi):
    networks = elman(3, 4, 2, psi=psi)(5, 1.0, stream())
    inputs = torch.randn(7, 6, 3, generator=stream(1), dtype=torch.float64)
    found = networks.predictions(inputs, ALL)
    assert found.shape == (7, 5, 6, 2)
    assert torch.equal(networks.predictions(inputs, slice(6, 7)), found[6:])
    w = networks.weights
    for i in range(5):
        rnn, head = torch.nn.RNN(3, 4, dtype=torch.float64), torch.nn.Linear(4, 2, dtype=torch.float64)
        with torch.no_grad():
            rnn.weight_hh_l0.copy_(w.hidden[i, :, :4])
            rnn.weight_ih_l0.copy_(w.hidden_in[i])
            rnn.bias_hh_l0.zero_()
            rnn.bias_ih_l0.copy_(w.hidden_bias[i, :, 0])
            head.weight.copy_(w.output[i, :, :4])
            head.bias.copy_(w.output_bias[i, :, 0])
            expected = head(rnn(inputs)[0])
        expected = expected.sigmoid() if psi == "sigmoid" else expected
        torch.testing.assert_close(found[:, i], expected, rtol=0, atol=1e-12)


def test_fully_recurrent_networks_by_hand():
    networks = fully_recurrent(2)(3, 2.0, stream())
    inputs = torch.randn(5, 2, 1, generator=stream(1), dtype=torch.float64)
    found, w = networks.predictions(inputs, ALL), networks.weights
    for i in range(3):
        for row in range(2):
            h, y = [0.0, 0.0], 0.0
            for step in range(5):
                u = inputs[step, row, 0].item()
                seen = [*h, y]
                nets = [
                    sum(w.hidden[i, j, k].item() * seen[k] for k in range(3))
                    + w.hidden_in[i, j, 0].item() * u
                    + w.hidden_bias[i, j, 0].item()
                    for j in range(2)
                ]
                h = [1 / (1 + math.exp(-net)) for net in nets]
                net = sum(w.output[i, 0, k].item() * value for k, value in enumerate([*h, y]))
                y = 1 / (1 + math.exp(-net - w.output_in[i, 0, 0].item() * u))
                assert found[step, i, row, 0].item() == pytest.approx(y, abs=1e-12)
    assert not w.output_bias.any()
    guessed = sum(getattr(w, name)[0].numel() for name in ("hidden", "hidden_in", "hidden_bias", "output", "output_in"))
    assert guessed == 2 * 3 + 2 + 2 + 3 + 1


def test_seven_parameters_for_parity():
    w = fully_recurrent(1)(1, 1.0, stream()).weights
    assert sum(int((value != 0).sum()) for value in vars(w).values()) == 7


def test_the_minimal_latch_by_hand():
    networks, task = minimal_latch(2)(4, 3.0, stream()), Latch(2)
    inputs, targets = task.draw(6, 8, stream(1))
    found, w = networks.predictions(inputs, ALL), networks.weights
    for i in range(4):
        drives = w.hidden_in[i, 0, :4].view(2, 2)
        for row in range(8):
            x, label = 0.0, int(targets[0, row, 0] < 0)
            for step in range(6):
                u = drives[label, step] if step < 2 else inputs[step, row, -1]
                x = math.tanh(w.hidden[i, 0, 0] * x + u)
                assert found[step, i, row, 0].item() == pytest.approx(x, abs=1e-12)


def one_at_a_time(task, guesser, plan, reach, source):
    """A search that shows one sequence at a time to one network, until the first that is right on all."""
    sequences = []
    for i, length in enumerate(plan.lengths):
        share = plan.training // len(plan.lengths) + (i < plan.training % len(plan.lengths))
        inputs, targets = task.draw(length, share, source)
        sequences += [(inputs[:, j : j + 1], targets[:, j : j + 1]) for j in range(share)]
    networks = guesser(plan.trials, reach, source)
    shown = 0
    for i in range(plan.trials):
        network, right = networks[torch.tensor([i])], True
        for inputs, targets in sequences:
            shown += 1
            right = not task.wrong(network.predictions(inputs, task.scored(len(inputs)))[:, 0], targets).item()
            if not right:
                break
        if right:
            return i + 1, shown
    return plan.trials, shown


@pytest.mark.parametrize(
    ("task", "guesser", "plan"),
    [
        (Latch(1), minimal_latch(1), Guessing((12, 13), training=11, test=10, allowed=1.1, trials=64)),
        (Parity(), fully_recurrent(1), Guessing((1, 2), training=9, test=10, allowed=1.1, trials=200)),
        (TemporalOrder(), elman(6, 2, 4), Guessing((10,), training=5, test=10, allowed=1.1, trials=60)),
        (Memorisation(2, 1), elman(4, 2, 3), Guessing((2, 3, 4), training=7, test=10, allowed=1.1, trials=200)),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_a_search_that_shows_one_sequence_at_a_time(task, guesser, plan, seed):
    found = guess_weights(task, guesser, plan, 10.0, stream=stream(seed))
    trials, shown = one_at_a_time(task, guesser, plan, 10.0, stream(seed))
    assert (found.trials, found.presentations) == (trials, shown)
    assert found.tested == (10 if found.solved else 0)
    assert found.solved or found.trials == plan.trials


@pytest.mark.parametrize(("lengths", "chance"), [((20,), 1 / 4), ((20, 21), 1 / 8)])
def test_a_latch_works_if_the_signs_are_right(lengths, chance):
    """w > 0 and the two drives of the right signs; at one length w < 0 as well, which alternates."""
    plan = Guessing(lengths, training=60, test=100, trials=400, at_once=16)
    table = guessing_table(Latch(1), minimal_latch(1), plan, [100.0], 150, seed=0)
    assert table["solved"].all()
    # Geometric: mean 1/p, deviation sqrt(1 - p)/p. Some 3 % of the guesses have w or a drive too small.
    spread = math.sqrt(1 - chance) / chance / math.sqrt(150)
    assert table["trials"].mean() == pytest.approx(1 / chance / 0.97, abs=5 * spread)


def test_no_latch_works_below_one():
    plan = Guessing((60,), training=60, test=100, trials=300)
    table = guessing_table(Latch(1), minimal_latch(1), plan, [1.0], 2, seed=0)
    assert not table["solved"].any()
    assert (table["trials"] == 300).all()
    assert table["test_error"].isna().all()


def test_a_guess_that_fails_the_test_is_dropped():
    """One training sequence: most that are right on it are no solution."""
    plan = Guessing((10,), training=1, test=400, allowed=0.1, trials=3000)
    found = guess_weights(TwoSequence(1), elman(1, 1, 1, psi="sigmoid"), plan, 100.0, stream=stream(3))
    assert found.solved
    assert found.tested > 400
    assert found.tested % 400 == 0
    assert found.test_error < 0.1


def test_searches_are_independent_and_meet_the_same_sequences_at_all_ranges():
    plan = Guessing((12,), training=20, test=50, trials=50)
    few, many = (
        guessing_table(Latch(1), minimal_latch(1), plan, [10.0, 100.0], searches, seed=5) for searches in (2, 4)
    )
    assert many["search"].tolist() == [0, 1, 2, 3] * 2
    for reach in (10.0, 100.0):
        first = many[(many["reach"] == reach) & (many["search"] < 2)].reset_index(drop=True)
        assert first.equals(few[few["reach"] == reach].reset_index(drop=True))
    assert len(np.unique(many["presentations"])) > 1


@pytest.mark.parametrize("options", [{"lengths": ()}, {"lengths": (5, 6), "test": 1}, {"lengths": (5,), "trials": 0}])
def test_plans_that_try_nothing_are_refused(options):
    with pytest.raises(OptionError, match="without having been tried"):
        Guessing(**options)

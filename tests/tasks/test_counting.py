"""Counting.

Oracles: strings and what may follow each prefix, found by trying all strings of the language; entropies written out; a
counter made by hand, which is right at any n.
"""

from __future__ import annotations

import math

import pytest
import torch

from gradstudy.errors import LengthError, OptionError
from gradstudy.tasks.counting import Counting

LETTERS = "abc"


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def language(letters, most):
    return ["".join(letter * n for letter in LETTERS[:letters]) for n in range(1, most + 1)]


def may_follow(prefix, letters, most):
    """The symbols after a prefix in the language, $ for the end, by looking through all of its strings."""
    strings = [string + "$" for string in language(letters, most)]
    return {string[len(prefix)] for string in strings if string.startswith(prefix) and len(string) > len(prefix)}


@pytest.mark.parametrize(("letters", "most", "extra"), [(2, 5, 0), (2, 4, 3), (3, 4, 2)])
def test_strings_and_what_may_follow(letters, most, extra):
    task = Counting(letters, 1, most)
    length = task.shortest + extra
    inputs, targets = task.draw(length, 300, stream())
    symbols, outputs = LETTERS[:letters] + "$S", LETTERS[:letters] + "$"
    seen = set()
    for shown, following in zip(inputs.argmax(-1).T.tolist(), targets.transpose(0, 1).tolist(), strict=True):
        text = "".join(symbols[i] for i in shown)
        string = text[1:].rstrip("$")
        seen.add(string)
        assert text == "S" + string + "$" * (length - 1 - len(string))
        sets = [{outputs[i] for i, value in enumerate(step) if value == 1} for step in following]
        for step in range(len(string) + 1):
            # Strings of the whole language, beyond the largest n too.
            assert sets[step] == may_follow(string[:step], letters, most + 1)
        assert all(step == {"$"} for step in sets[len(string) :])
    assert seen == set(language(letters, most))
    assert torch.equal(inputs.sum(-1), torch.ones(length, 300, dtype=torch.float64))


def test_n_is_uniform():
    inputs, _ = Counting(2, 3, 7).draw(15, 10_000, stream())
    sizes = torch.bincount((inputs[..., 0] == 1).sum(0), minlength=8)
    assert sizes[:3].sum() == 0
    assert (sizes[3:] - 2000).abs().max() < 5 * math.sqrt(2000)


def counter(inputs, letters):
    """Logits of a machine that counts, from the one-hot symbols alone."""
    logits = torch.full((*inputs.shape[:2], letters + 1), -1.0, dtype=torch.float64)
    for row in range(inputs.shape[1]):
        counts = [0] * letters
        for step, symbol in enumerate(inputs[:, row].argmax(-1).tolist()):
            if symbol == letters + 1:
                following = [0]
            elif symbol == letters:
                following = [letters]
            else:
                counts[symbol] += 1
                done = counts[symbol] == counts[0]
                following = [0, 1] if symbol == 0 else [symbol + 1 if done else symbol]
            logits[step, row, following] = 1.0
    return logits


@pytest.mark.parametrize("letters", [2, 3])
def test_what_counts_is_right_beyond_any_n_and_what_knows_bounds_is_not(letters):
    trained, beyond = Counting(letters, 1, 5), Counting(letters, 6, 40)
    length = beyond.shortest
    for task in (trained, beyond):
        inputs, targets = task.draw(length, 30, stream())
        assert not task.wrong(counter(inputs, letters), targets).any()
    inputs, targets = beyond.strings(torch.arange(1, 9), length)
    bounded = counter(inputs, letters)
    bounded[..., 0][inputs[..., 0].cumsum(0) > 5] = -1.0  # no a after the sixth
    sizes = torch.arange(1, 9)
    assert torch.equal(beyond.wrong(bounded, targets), sizes > 5)


def test_what_is_predicted_after_the_end_does_not_count_and_what_is_before_it_does():
    task = Counting(2, 1, 3)
    _, targets = task.strings(torch.tensor([1, 1, 1, 3]), 7)
    predictions = 2 * targets - 1
    predictions[3:, 0] = 1.0  # after the end of ab
    predictions[2, 1, 2] = -1.0  # the end itself
    predictions[0, 2, 1] = 1e-9  # b after S
    assert task.wrong(predictions, targets).tolist() == [False, True, True, False]


def test_the_blind_loss_is_the_entropy_of_each_symbol_at_each_step():
    task, length = Counting(2, 1, 4), 10
    total = 0.0
    for step in range(length):
        sets = [may_follow((string + "$" * length)[:step], 2, 5) or {"$"} for string in language(2, 4)]
        for symbol in "ab$":
            p = sum(symbol in found for found in sets) / len(sets)
            total -= sum(x * math.log(x) for x in (p, 1 - p) if x > 0)
    assert task.trivial_loss(length) == pytest.approx(total / length)
    assert task.trivial_error(length) == 3 / 4
    assert Counting(3, 5, 5).trivial_loss(20) == Counting(3, 5, 5).trivial_error(20) == 0


@pytest.mark.parametrize("options", [(1, 1, 5), (2, 0, 5), (2, 6, 5)])
def test_bad_options_are_named(options):
    with pytest.raises(OptionError, match="letters"):
        Counting(*options)


def test_the_longest_string_must_fit():
    with pytest.raises(LengthError, match="at least 31"):
        Counting(3).draw(30, 1, stream())

"""The multiplication problem.

Oracles: both definitions as slow loops over sequences; the density -log z of a product of two uniform numbers, by
quadrature.
"""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad

from gradstudy.errors import LengthError
from gradstudy.tasks.adding import Adding
from gradstudy.tasks.multiplication import Multiplication

HS97 = Multiplication("hochreiter1997")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("definition", ["pascanu2013", "hochreiter1997"])
def test_the_target_is_the_product_of_the_marked_values(definition):
    inputs, targets = Multiplication(definition).draw(40, 1000, stream())
    alone = 0
    for (values, markers), target in zip(inputs.permute(1, 2, 0).tolist(), targets[0, :, 0].tolist(), strict=True):
        first, second = (value for value, marker in zip(values, markers, strict=True) if marker == 1)
        assert target == pytest.approx(first * second)
        if definition == "hochreiter1997":
            assert markers[-1] == -1
            assert markers[0] == 1 or markers[0] == -1
            assert markers[0] == -1 or values[0] == 1
            alone += markers[0] == 1
        else:
            assert sum(markers) == 2
    if definition == "hochreiter1997":
        assert alone / 1000 == pytest.approx(HS97.first_marked(40), abs=5 * math.sqrt(0.1 / 1000))


def test_sequences_are_those_of_the_adding_problem():
    ours, theirs = (task.draw(30, 50, stream())[0] for task in (Multiplication(), Adding()))
    assert torch.equal(ours, theirs)


def test_trivial_scores_of_2013_by_quadrature():
    mean = quad(lambda z: -z * math.log(z), 0, 1)[0]
    square = quad(lambda z: -z * z * math.log(z), 0, 1)[0]
    assert Multiplication().trivial_loss(100) == pytest.approx(square - mean**2, rel=1e-9)
    assert Multiplication().trivial_loss(100) == pytest.approx(7 / 144)
    right = max(quad(lambda z: -math.log(z), max(c - 0.2, 0), min(c + 0.2, 1))[0] for c in (0.1, 0.2, 0.21, 0.25, 0.5))
    assert 1 - Multiplication().trivial_error(100) == pytest.approx(right, rel=1e-6)
    assert right == pytest.approx(0.767, abs=5e-4)
    # The constant with the least squared error solves fewer.
    assert quad(lambda z: -math.log(z), 0.05, 0.45)[0] < 0.62


@pytest.mark.parametrize("length", [20, 100])
def test_trivial_scores_of_1997(length):
    n = 100_000
    _, targets = HS97.draw(length, n, stream())
    assert targets.var(correction=0).item() == pytest.approx(HS97.trivial_loss(length), rel=0.02)
    errors = [HS97.wrong(torch.full_like(targets, c), targets).double().mean().item() for c in (0.02, 0.04, 0.06, 0.2)]
    assert min(errors) == errors[1] == pytest.approx(HS97.trivial_error(length), abs=5 * math.sqrt(0.2 / n))


def test_success_rules_at_their_borders():
    targets = torch.zeros(1, 4, 1, dtype=torch.float64)
    predictions = torch.tensor([0.2 - 1e-12, -0.2 - 1e-12, 0.04, 0.04 - 1e-12], dtype=torch.float64)[None, :, None]
    assert Multiplication().wrong(predictions, targets).tolist() == [False, True, False, False]
    assert HS97.wrong(predictions, targets).tolist() == [True, True, True, False]


def test_sequences_without_room_for_the_marks_are_refused():
    with pytest.raises(LengthError, match=r"Multiplication.*\n.*at least 20"):
        HS97.draw(19, 1, stream())

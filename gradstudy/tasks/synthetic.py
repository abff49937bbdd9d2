"""The synthetic tasks by name, as studies ask for them."""

from __future__ import annotations

from collections.abc import Mapping

from gradstudy.tasks.adding import Adding
from gradstudy.tasks.counting import Counting
from gradstudy.tasks.latch import Latch
from gradstudy.tasks.memorisation import Memorisation
from gradstudy.tasks.multiplication import Multiplication
from gradstudy.tasks.parity import Parity
from gradstudy.tasks.random_permutation import RandomPermutation
from gradstudy.tasks.task import SolvableTask
from gradstudy.tasks.temporal_order import TemporalOrder
from gradstudy.tasks.two_sequence import TwoSequence

SYNTHETIC: Mapping[str, SolvableTask] = {
    "temporal-order": TemporalOrder(),
    "temporal-order-3": TemporalOrder(3),
    "temporal-order-1997": TemporalOrder(2, "hochreiter1997"),
    "temporal-order-3-1997": TemporalOrder(3, "hochreiter1997"),
    "adding": Adding(),
    "adding-1997": Adding("hochreiter1997"),
    "multiplication": Multiplication(),
    "multiplication-1997": Multiplication("hochreiter1997"),
    "random-permutation": RandomPermutation(),
    "memorisation": Memorisation(),
    "memorisation-5-bits": Memorisation(2, 5),
    "counting-2": Counting(2),
    "counting-3": Counting(3),
    "latch": Latch(),
    "two-sequence": TwoSequence(),
    "two-sequence-1994": TwoSequence(noise=0.2, law="uniform"),
    "parity": Parity(),
    "parity-1994": Parity(noise=0.2),
}

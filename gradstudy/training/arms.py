"""Members of a campaign and the conditions they are trained under: the arms of Pascanu, Mikolov and Bengio (2013)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from gradstudy.errors import OptionError

Arm = Literal["SGD", "SGD-C", "SGD-R", "SGD-CR", "SGD-L2"]


@dataclass(frozen=True)
class Member:
    """One network and its conditions.

    Args:
        index: decides its initial weights and its sequences; members of different arms with the same index share them.
        arm: a name for its conditions.
        rate: learning rate.
        threshold: of clipping; infinite for none.
        alpha: weight of Omega in the loss.
        l2: weight of the sum of squares of W_hh (not halved) in the loss.

    Raises:
        OptionError: a condition out of its range.
    """

    index: int
    arm: str
    rate: float
    threshold: float = math.inf
    alpha: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        for name, why in _WHY.items():
            value = getattr(self, name)
            least = "above 0" if name in ("rate", "threshold") else "of at least 0"
            most = "" if name == "threshold" else " and finite"
            above = value > 0 if least == "above 0" else value >= 0
            if not above or (most and value == math.inf):
                raise OptionError(
                    f"{name}={value} of member {self.index}, arm {self.arm!r}",
                    needed=f"a {name} {least}{most}",
                    why=why,
                    remedy="give another, or leave it out",
                )


_WHY = {
    "rate": "an update would go nowhere, or uphill",
    "threshold": "a gradient clipped to nothing, or turned round, trains nothing",
    "alpha": "a negative weight would drive the error's length away from what Omega asks for",
    "l2": "a negative weight would let the weights grow without bound",
}


def arms(
    names: Iterable[Arm],
    indices: Iterable[int],
    *,
    rate: float,
    threshold: float = 1.0,
    alpha: float = 4.0,
    l2: float = 0.01,
) -> tuple[Member, ...]:
    """The same members under each of the named arms.

    | arm | conditions besides the rate |
    |---|---|
    | SGD | none |
    | SGD-C | clipping at the threshold |
    | SGD-R | Omega with weight alpha, no clipping |
    | SGD-CR | both |
    | SGD-L2 | l2 times the sum of squares of W_hh, no clipping |

    Args:
        names: of the arms.
        indices: of the members of each.
        rate, threshold, alpha, l2: numbers of the arms that have them. A threshold of 1 and an alpha of 4 are the
            paper's for temporal order; for the L2 penalty, of which it speaks in section 3.1, it names no number.

    Raises:
        OptionError: an unknown arm, or a number out of its range.

    Example:
        >>> [member.arm for member in arms(["SGD", "SGD-CR"], range(2), rate=0.01)]
        ['SGD', 'SGD', 'SGD-CR', 'SGD-CR']
    """
    conditions: dict[Arm, dict[str, float]] = {
        "SGD": {},
        "SGD-C": {"threshold": threshold},
        "SGD-R": {"alpha": alpha},
        "SGD-CR": {"threshold": threshold, "alpha": alpha},
        "SGD-L2": {"l2": l2},
    }
    wanted, indices = list(names), list(indices)
    for name in wanted:
        if name not in conditions:
            raise OptionError(
                f"an arm {name!r}",
                needed=f"one of {', '.join(get_args(Arm))}",
                why="an arm is a set of conditions, and this one has none",
                remedy="choose one of them, or make Members of your own",
            )
    return tuple(Member(index, name, rate, **conditions[name]) for name in wanted for index in indices)

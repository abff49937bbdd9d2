"""Which quantity is measured at which step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradstudy.errors import OptionError

QUANTITIES = {
    "gradient": "norm of dL/dW of each parameter, each layer and in total, before clipping; the clip factor",
    "activation": "norm of dL/dy at the output y of each leaf module",
    "units": "fractions of dead and of saturated units",
    "update": "size of the optimizer's step over the size of the weights",
    "time": "norm of dL/dh_t at every timestep of recurrent layers; saturation of their gates",
    "spectrum": "singular values of each weight matrix, and of the last link of recurrent layers",
}
"""What a schedule may name."""

# Singular values cost the cube of a layer's width, a price that no training step bounds: only where asked for by name.
_ON_REQUEST = {"spectrum"}


@dataclass(frozen=True)
class Schedule:
    """Steps between two measurements of each quantity; a quantity that is not named is not measured.

    Args:
        every: quantity to number of steps; measured are the steps 0, every, 2 every, ...
    """

    every: Mapping[str, int]

    def due(self, quantity: str, step: int) -> bool:
        """Whether the quantity is measured at this step."""
        return quantity in self.every and step % self.every[quantity] == 0


def make_schedule(every: object) -> Schedule:
    """A schedule from one number for all quantities (but the spectrum), or from a mapping of quantities to numbers.

    Raises:
        OptionError: a quantity that does not exist, or a number of steps below 1.
    """
    if not isinstance(every, Mapping):
        every = dict.fromkeys([name for name in QUANTITIES if name not in _ON_REQUEST], every)
    intervals: dict[str, int] = {}
    for name, number in every.items():
        if name not in QUANTITIES:
            raise OptionError(
                f"the quantity {name!r} in every",
                needed=f"some of {', '.join(QUANTITIES)}",
                why="nothing would be measured under that name",
                remedy="correct the name; quantities left out are not measured",
            )
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise OptionError(
                f"every={number!r} for {name}",
                needed="an integer from 1",
                why="it is the number of steps from one measurement to the next",
                remedy=f"leave {name} out of the mapping if it is not to be measured",
            )
        intervals[name] = number
    return Schedule(intervals)

"""What the gates of a gated network do: their means, and how many of them are saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains import gru, lstm
from gradstudy.chains.chain import Chain, check_chain
from gradstudy.errors import UnsupportedModuleError
from gradstudy.measure.result import Result, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Karpathy, Johnson and Li 2015: a gate below 0.1 is left-saturated, above 0.9 right-saturated.
_SATURATED = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class GateStatistics(Result):
    """Means and saturation of gates, over the rows of the batch and the units.

    Args:
        names: of the gates, in the order of torch's weights.
        mean: mean activation, `(T, gates)`; of the candidate the mean of its tanh.
        low: fraction of units in the lowest tenth of the activation's range, `(T, gates)`: below 0.1 for a gate,
            below -0.8 for the candidate.
        high: fraction in the highest tenth.
    """

    names: tuple[str, ...]
    mean: Float[Tensor, "links gates"]
    low: Float[Tensor, "links gates"]
    high: Float[Tensor, "links gates"]

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a link and gate: `t` (from 1), `gate`, `mean`, `low`, `high`; nothing here is a logarithm."""
        frame = tidy(self.mean, ("t", "gate"), "mean")
        for name in ("low", "high"):
            frame[name] = tidy(getattr(self, name), ("t", "gate"), name)[name]
        return frame.assign(t=frame["t"] + 1, gate=[self.names[i] for i in frame["gate"]])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean of each gate over t."""
        from gradstudy.plot.gate_statistics import plot

        return plot(self.to_frame(), ax)

    def _summary(self) -> str:
        words = [f"{name} {value:.2f}" for name, value in zip(self.names, self.mean.mean(0).tolist(), strict=True)]
        return f"T={len(self.mean)}, means: {', '.join(words)}"


def gate_statistics(chain: Chain) -> GateStatistics:
    """Mean and saturation of the gates of an LSTM or GRU at every step.

    Args:
        chain: of nn.LSTM (input, forget, candidate, output), nn.GRU or TextbookGRU (reset, update, candidate). In
            torch's GRU the update gate z retains the state, in the textbook's u replaces it: z = 1 - u.

    Returns:
        GateStatistics with `.names` of the gates and `.mean`, `.low`, `.high` `(T, gates)`: mean activation, and the
        fractions of units in the lowest and the highest tenth of its range.

    Raises:
        UnsupportedModuleError: a chain without gates.

    Cost: one pass over the gates, which the chain already holds.

    Source: saturation as in Karpathy, Johnson and Li 2015, Visualizing and understanding recurrent networks.

    Example:
        >>> import torch, gradstudy as gs
        >>> gates = gs.gate_statistics(gs.time_chain(torch.nn.LSTM(3, 4), torch.randn(10, 2, 3)))
        >>> gates.names, tuple(gates.mean.shape)
        (('input', 'forget', 'candidate', 'output'), (10, 4))
    """
    check_chain(chain)
    links = chain.links
    if not isinstance(links, lstm.LSTMLinks | gru.GRULinks | gru.TextbookGRULinks):
        raise UnsupportedModuleError(
            f"a chain of a {chain.method}",
            needed="a chain of nn.LSTM, nn.GRU or TextbookGRU",
            why="a vanilla recurrent network has no gates",
            remedy="use gs.jacobian_spectra for its links",
        )
    names = lstm.GATES if isinstance(links, lstm.LSTMLinks) else gru.GATES
    gates = links.gates.double()
    place = gates.clone()
    candidate = names.index("candidate")
    place[:, :, candidate] = (1 + place[:, :, candidate]) / 2
    low, high = ((where).double().mean((1, 3)) for where in (place < _SATURATED, place > 1 - _SATURATED))
    return GateStatistics(chain.method, chain.dtype, names, gates.mean((1, 3)), low, high)

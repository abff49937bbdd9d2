"""One network on one input with one E_T: what a study measures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from gradstudy.chains.chain import Chain
from gradstudy.chains.time import time_chain
from gradstudy.models.networks import Network, as_taken
from gradstudy.models.pascanu import Activation, PascanuRNN


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, its inputs and start, and the gradient of one E_T at the last output.

    Args:
        network: one layer, time-major.
        inputs: `(T, rows, input)`.
        start: s_0, `(rows, n)`; of an LSTM h_0 and c_0 beside each other, `(rows, 2n)`.
        cotangent: dE_T/dh_T, `(rows, n)`; only its direction matters.
        criterion: the task's training loss on these inputs as a function of the module's output, None where there is no
            task.
        loss: of the task on these inputs, NaN where there is no task.
        trivial_loss: what the best constant prediction would lose, NaN where there is no task.
    """

    network: Network
    inputs: Tensor
    start: Tensor
    cotangent: Tensor
    criterion: Callable[[Tensor], Tensor] | None = None
    loss: float = math.nan
    trivial_loss: float = math.nan

    @property
    def activation(self) -> Activation:
        """Name of the activation of a network without gates."""
        module = self.network.module
        assert isinstance(module, nn.RNN | PascanuRNN)
        return module.nonlinearity if isinstance(module, nn.RNN) else module.activation

    def chain(self) -> Chain:
        """The subject's chain over time."""
        return time_chain(self.network.module, self.inputs, as_taken(self.network.module, self.start))

    def last_error(self, output: Tensor) -> Tensor:
        """E_T as a linear function of the last output: its gradient there is the cotangent."""
        return (output[-1] * self.cotangent.to(output.dtype)).sum()

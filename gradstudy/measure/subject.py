"""One network on one input with one E_T: what a study measures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from gradstudy.chains.chain import Chain
from gradstudy.chains.time import time_chain
from gradstudy.models.networks import Network
from gradstudy.models.pascanu import Activation


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, its inputs and start, and the gradient of one E_T at the last state.

    Args:
        network: nn.RNN (one layer, time-major) or PascanuRNN.
        inputs: `(T, rows, input)`.
        start: s_0, `(rows, n)`.
        cotangent: dE_T/ds_T, `(rows, n)`; only its direction matters.
        loss: of the task on these inputs, NaN where there is no task.
    """

    network: Network
    inputs: Tensor
    start: Tensor
    cotangent: Tensor
    loss: float = math.nan

    @property
    def activation(self) -> Activation:
        """Name of the activation."""
        module = self.network.module
        return module.nonlinearity if isinstance(module, nn.RNN) else module.activation

    def chain(self) -> Chain:
        """The subject's chain over time."""
        module = self.network.module
        return time_chain(module, self.inputs, self.start[None] if isinstance(module, nn.RNN) else self.start)

    def last_error(self, output: Tensor) -> Tensor:
        """E_T as a linear function of the last state: its gradient there is the cotangent."""
        return (output[-1] * self.cotangent.to(output.dtype)).sum()

"""The model under study, and what is measured on it. Put your own in the place of `Network` and `measured`."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

import gradstudy as gs
from gradstudy.measure.gradient_norms import GradientNorms


class Network(nn.Module):
    """An LSTM that reads a sequence `(length, batch, inputs)` and answers at its end."""

    def __init__(self, inputs: int, hidden: int, forget_bias: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden)
        self.head = nn.Linear(hidden, 1)
        with torch.no_grad():  # both biases are added: all of it goes into the one
            self.lstm.bias_ih_l0[hidden : 2 * hidden] = forget_bias
            self.lstm.bias_hh_l0[hidden : 2 * hidden] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Answers `(batch, 1)`."""
        return self.head(self.lstm(x)[0][-1])


def measured(hidden: int, length: int, forget_bias: float) -> GradientNorms:
    """Gradient norms of one network, on one batch of data that belongs to it, with its loss."""
    model = Network(4, hidden, forget_bias)
    x, y = torch.randn(length, 8, 4), torch.randn(8, 1)
    chains = gs.chains(model, x)  # one pass of your model as it is; its recurrent layers by name
    return gs.gradient_norms(chains["lstm"], nn.functional.mse_loss(chains.result, y))


class Planted(nn.Module):
    """A linear recurrent cell whose gradient changes by exactly `rate` nats a step: what a control measures instead."""

    def __init__(self, hidden: int, rate: float) -> None:
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(hidden, hidden))
        self.weight = nn.Parameter(rotation * torch.tensor(rate).exp())

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """The next state; inputs leave it alone."""
        return state @ self.weight.T


def norms(
    networks: int, hidden: int, length: int, forget_biases: Sequence[float], planted: float | None
) -> pd.DataFrame:
    """How large the gradient is at every state.

    Returns:
        One row a network and step: `network`, `forget_bias`, `steps_back`, `log_norm`: mean over the batch of
        log|dL/ds_t|.
    """
    tables = []
    for forget_bias in forget_biases:
        for network in range(networks):
            torch.manual_seed(network)  # the same draw for every bias
            found = _gradient_norms(hidden, length, forget_bias, planted)
            log_norm = found.log_norm.mean(dim=1).flip(0)
            tables.append(
                pd.DataFrame(
                    {
                        "network": network,
                        "forget_bias": forget_bias,
                        "steps_back": range(length + 1),
                        "log_norm": log_norm,
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """How fast the gradient shrinks, over the middle half of the sequence: its ends have transients of their own.

    Returns:
        One row a network: `network`, `forget_bias`, `rate` in nats per step on the way back.
    """
    last = table["steps_back"].max()
    near, far = last // 4, last - last // 4
    norms = table.pivot(index=["network", "forget_bias"], columns="steps_back", values="log_norm")
    return ((norms[far] - norms[near]) / (far - near)).rename("rate").reset_index()


def _gradient_norms(hidden: int, length: int, forget_bias: float, planted: float | None) -> GradientNorms:
    if planted is None:
        return measured(hidden, length, forget_bias)
    chain = gs.time_chain(Planted(hidden, planted), torch.randn(length, 8, 4), state=torch.randn(8, hidden))
    return gs.gradient_norms(chain, lambda output: output[-1].sum())

"""The recurrent network of Pascanu, Mikolov and Bengio (2013, Eq. 2) whose state is the pre-activation."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["tanh", "relu", "sigmoid", "linear"]

# The largest slope of each activation.
STEEPEST = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25, "linear": 1.0}


def activate(name: Activation, x: Tensor) -> Tensor:
    """phi(x) for one of the four named activations."""
    if name == "linear":
        return x
    return {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[name](x)


def slope(name: Activation, x: Tensor) -> Tensor:
    """phi'(x), with phi'(0) = 0 for relu as in torch."""
    if name == "linear":
        return torch.ones_like(x)
    if name == "relu":
        return (x > 0).to(x.dtype)
    y = activate(name, x)
    return 1 - y * y if name == "tanh" else y * (1 - y)


class PascanuRNN(nn.Module):
    """x_t = W_rec phi(x_{t-1}) + W_in u_t + b, the state being the pre-activation x_t.

    The paper's footnote 1 calls it equivalent to h_t = phi(W h_{t-1} + ...); the Jacobian here is
    W diag(phi'(x_{t-1})), there diag(phi') W.

    Args:
        input_size, hidden_size: numbers of inputs and units.
        activation: tanh, relu, sigmoid or linear.
        gain: factor on phi; 1 in the paper. With gain g the steepest slope is g times that of phi.
        generator: source of the initial weights, uniform in +-1/sqrt(hidden_size).

    Source: Pascanu, Mikolov and Bengio, ICML 2013, Eq. 2.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: Activation = "sigmoid",
        *,
        gain: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.gain = gain
        self.input_size, self.hidden_size = input_size, hidden_size
        bound = 1 / math.sqrt(hidden_size)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))

        self.weight_rec = draw(hidden_size, hidden_size)
        self.weight_in = draw(hidden_size, input_size)
        self.bias = draw(hidden_size)

    def forward(
        self, inputs: Float[Tensor, "time batch input"], state: Float[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "time batch n"]:
        """Pre-activations x_1 .. x_T from inputs u_1 .. u_T and x_0 (zero by default)."""
        x = inputs.new_zeros(inputs.shape[1], self.hidden_size) if state is None else state
        driven = inputs @ self.weight_in.T + self.bias
        states = []
        for drive in driven:
            x = self.gain * activate(self.activation, x) @ self.weight_rec.T + drive
            states.append(x)
        return torch.stack(states)

    def slopes(self, x: Tensor) -> Tensor:
        """The factor gain * phi'(x) of the Jacobian W diag(gain * phi'(x_{t-1}))."""
        return self.gain * slope(self.activation, x)

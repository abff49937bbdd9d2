"""The gated recurrent unit as the paper and the textbooks have it: the reset gate acts before the matrix."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class TextbookGRU(nn.Module):
    """h_t = (1 - u_t) h_{t-1} + u_t h~_t, with h~_t = tanh(W (r_t * h_{t-1}) + U x_t + b).

    The reset gate r_t = sigmoid(W_r h_{t-1} + U_r x_t + b_r) and the update gate u_t = sigmoid(W_u h_{t-1} + U_u x_t +
    b_u) are vectors, products with them elementwise. `torch.nn.GRU` is another network: its reset gate multiplies
    *after* the matrix, r_t * (W h_{t-1} + b_hn), and its gate z_t stands for 1 - u_t, so that z = 1 retains the state
    where here u = 0 does. (Cho et al. 2014 use z as torch does, Chung et al. 2014 call z what is u here.)

    Args:
        input_size, hidden_size: numbers of inputs and units.
        generator: source of the initial weights and biases, uniform in +-1/sqrt(hidden_size).

    Attributes:
        weight_ih: U, `(3 hidden, input)`, blocks in the order reset, update, candidate.
        weight_hh: W, `(3 hidden, hidden)`, in the same order.
        bias: `(3 hidden,)`, in the same order.

    Source: Cho et al. 2014, Eq. 5-8; Chung et al. 2014, section 3.2.

    Example:
        >>> import torch
        >>> from gradstudy.models.textbook_gru import TextbookGRU
        >>> gru = TextbookGRU(3, 4, generator=torch.Generator().manual_seed(0))
        >>> tuple(gru(torch.zeros(10, 2, 3)).shape)
        (10, 2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        bound = 1 / math.sqrt(hidden_size)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))

        self.weight_ih = draw(3 * hidden_size, input_size)
        self.weight_hh = draw(3 * hidden_size, hidden_size)
        self.bias = draw(3 * hidden_size)

    def forward(
        self, inputs: Float[Tensor, "time batch input"], state: Float[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "time batch n"]:
        """States h_1 .. h_T from inputs x_1 .. x_T and h_0 (zero by default)."""
        h = inputs.new_zeros(inputs.shape[1], self.hidden_size) if state is None else state
        gates_hh, candidate_hh = self.weight_hh.split([2 * self.hidden_size, self.hidden_size])
        states = []
        for driven in inputs @ self.weight_ih.T + self.bias:
            gates_x, candidate_x = driven.split([2 * self.hidden_size, self.hidden_size], dim=1)
            reset, update = torch.sigmoid(gates_x + h @ gates_hh.T).chunk(2, dim=1)
            candidate = torch.tanh(candidate_x + (reset * h) @ candidate_hh.T)
            h = (1 - update) * h + update * candidate
            states.append(h)
        return torch.stack(states)

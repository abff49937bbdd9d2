"""What one would write without gradstudy: the baselines of the study cost-of-measuring, printed in its report."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def fused_forward_backward(rnn: nn.RNN, inputs: Tensor) -> None:
    """One training step's forward and backward pass; it does not give dL/dh_t."""
    output, _ = rnn(inputs)
    output[-1].sum().backward()
    rnn.zero_grad()


def forward_and_bare_products(rnn: nn.RNN, inputs: Tensor) -> None:
    """The floor: the module's own forward pass and T products of a batch of vectors with W, nothing else."""
    weight = rnn.state_dict()["weight_hh_l0"]
    with torch.no_grad():
        output, _ = rnn(inputs)
        vector = torch.ones_like(output[0])
        for h in output:
            vector = (vector * h) @ weight


def stepped_cell(rnn: nn.RNN, inputs: Tensor) -> list[Tensor]:
    """A loop of nn.RNNCell that keeps the gradient of every state."""
    cell = nn.RNNCell(rnn.input_size, rnn.hidden_size).to(inputs)
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in rnn.state_dict().items()})
    state = inputs.new_zeros(inputs.shape[1], rnn.hidden_size).requires_grad_()
    states = [state]
    for x in inputs:
        state = cell(x, state)
        state.retain_grad()
        states.append(state)
    states[-1].sum().backward()
    return [s.grad.norm(dim=-1) for s in states if s.grad is not None]


def stepped_module(rnn: nn.RNN, inputs: Tensor) -> list[Tensor]:
    """The fused module called one step at a time, keeping the gradient of every state."""
    state = inputs.new_zeros(1, inputs.shape[1], rnn.hidden_size).requires_grad_()
    states = [state]
    for x in inputs:
        _, state = rnn(x[None], state)
        state.retain_grad()
        states.append(state)
    states[-1].sum().backward()
    rnn.zero_grad()
    return [s.grad.norm(dim=-1) for s in states if s.grad is not None]


def chunked_jacrev(rnn: nn.RNN, inputs: Tensor) -> Tensor:
    """All one-step Jacobians by vmap(jacrev) of the cell, in chunks of 64 timesteps."""
    w_ih, w_hh, b_ih, b_hh = (p.detach() for p in rnn.parameters())

    def cell(state: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(w_ih @ x + b_ih + w_hh @ state + b_hh)

    with torch.no_grad():
        output, _ = rnn(inputs)
    states = torch.cat([torch.zeros_like(output[:1]), output[:-1]])
    every = torch.func.vmap(torch.func.vmap(torch.func.jacrev(cell)))
    return torch.cat([every(s, x) for s, x in zip(states.split(64), inputs.split(64), strict=True)])


def plain_product_svd(rnn: nn.RNN, inputs: Tensor) -> Tensor:
    """The Jacobian product in float64 and its SVD; the small singular values come out wrong by many nats."""
    with torch.no_grad():
        output, _ = rnn(inputs)
        weight = rnn.state_dict()["weight_hh_l0"]
        product = torch.eye(rnn.hidden_size, dtype=inputs.dtype)
        for h in output:
            product = (1 - h**2)[:, :, None] * (weight @ product)
        return torch.linalg.svdvals(product).log()

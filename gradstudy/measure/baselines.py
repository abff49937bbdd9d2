"""What one would write without gradstudy: the baselines of the study cost-of-measuring, printed in its report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor], Tensor]


def fused_forward_backward(module: nn.RNNBase, inputs: Tensor, every_step: bool = False) -> None:
    """One training step's forward and backward pass; it does not give dL/dh_t."""
    output, _ = module(inputs)
    (output if every_step else output[-1]).sum().backward()
    module.zero_grad()


def forward_and_bare_products(module: nn.RNNBase, inputs: Tensor) -> None:
    """The floor of an nn.RNN: its own forward pass and T products of a batch of vectors with W, nothing else."""
    weight = module.state_dict()["weight_hh_l0"]
    with torch.no_grad():
        output, _ = module(inputs)
        vectors = torch.ones_like(output[0])
        for h in output:
            _ = (vectors * h) @ weight


def forward_and_bare_jacobians(module: nn.RNNBase, inputs: Tensor) -> Tensor:
    """The floor of an nn.RNN's Jacobians: its own forward pass and diag(1 - h^2) W written to memory, nothing else."""
    with torch.no_grad():
        output, _ = module(inputs)
        return (1 - output**2)[..., None] * module.state_dict()["weight_hh_l0"]


def stepped_cell(module: nn.RNNBase, inputs: Tensor, every_step: bool = False) -> list[Tensor]:
    """A loop of nn.RNNCell, nn.LSTMCell or nn.GRUCell that keeps the gradient of every hidden state."""
    kind = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell}.get(module.mode, nn.RNNCell)
    cell = kind(module.input_size, module.hidden_size).to(inputs)
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in module.state_dict().items()})
    zero = inputs.new_zeros(inputs.shape[1], module.hidden_size)
    state, hidden = (zero, zero) if module.mode == "LSTM" else zero, []
    for x in inputs:
        state = cell(x, state)
        hidden.append(state[0] if module.mode == "LSTM" else state)
        hidden[-1].retain_grad()
    (torch.stack(hidden) if every_step else hidden[-1]).sum().backward()
    return [h.grad.norm(dim=-1) for h in hidden if h.grad is not None]


def stepped_module(module: nn.RNNBase, inputs: Tensor, every_step: bool = False) -> list[Tensor]:
    """The fused module called one step at a time, keeping the gradient of every hidden state."""
    zero = inputs.new_zeros(1, inputs.shape[1], module.hidden_size)
    state, hidden = (zero, zero) if module.mode == "LSTM" else zero, []
    for x in inputs:
        _, state = module(x[None], state)
        hidden.append(state[0] if module.mode == "LSTM" else state)
        hidden[-1].retain_grad()
    (torch.stack(hidden) if every_step else hidden[-1]).sum().backward()
    module.zero_grad()
    return [h.grad.norm(dim=-1) for h in hidden if h.grad is not None]


def one_step(module: nn.RNNBase) -> Step:
    """The cell's map (state, input) -> state for one row, written out; an LSTM's state is (h, c)."""
    w_ih, w_hh, b_ih, b_hh = (p.detach() for p in module.parameters())

    def rnn(h: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)

    def lstm(state: Tensor, x: Tensor) -> Tensor:
        h, c = state.chunk(2)
        i, f, g, o = (w_ih @ x + b_ih + w_hh @ h + b_hh).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c])

    def gru(h: Tensor, x: Tensor) -> Tensor:
        (r_x, z_x, n_x), (r_h, z_h, n_h) = (w_ih @ x + b_ih).chunk(3), (w_hh @ h + b_hh).chunk(3)
        z, n = torch.sigmoid(z_x + z_h), torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
        return (1 - z) * n + z * h

    return {"LSTM": lstm, "GRU": gru}.get(module.mode, rnn)


def trajectory(module: nn.RNNBase, inputs: Tensor) -> Tensor:
    """States before each step, from the fused module; an LSTM's cells need a loop."""
    with torch.no_grad():
        output, _ = module(inputs)
        if module.mode != "LSTM":
            return torch.cat([torch.zeros_like(output[:1]), output[:-1]])
        step, states = torch.func.vmap(one_step(module)), [inputs.new_zeros(inputs.shape[1], 2 * module.hidden_size)]
        for x in inputs[:-1]:
            states.append(step(states[-1], x))
        return torch.stack(states)


def chunked_jacrev(module: nn.RNNBase, inputs: Tensor) -> Tensor:
    """All one-step Jacobians by vmap(jacrev) of the cell, in chunks of 64 timesteps."""
    every = torch.func.vmap(torch.func.vmap(torch.func.jacrev(one_step(module))))
    states = trajectory(module, inputs)
    return torch.cat([every(s, x) for s, x in zip(states.split(64), inputs.split(64), strict=True)])


def chunked_jacrev_and_qr(module: nn.RNNBase, inputs: Tensor) -> Tensor:
    """Lyapunov exponents from all Jacobians by vmap(jacrev), with a QR decomposition at every step."""
    basis, growth = torch.eye(2 * module.hidden_size, dtype=inputs.dtype), inputs.new_zeros(())
    for jacobian in chunked_jacrev(module, inputs)[:, 0]:
        basis, factor = torch.linalg.qr(jacobian @ basis)
        growth = growth + factor.diagonal().abs().log()
    return growth / len(inputs)


def stepped_jacrev_and_qr(module: nn.RNNBase, inputs: Tensor) -> Tensor:
    """Lyapunov exponents by one jacrev and one QR decomposition a step."""
    step = one_step(module)
    state = inputs.new_zeros(2 * module.hidden_size)
    basis, growth = torch.eye(2 * module.hidden_size, dtype=inputs.dtype), inputs.new_zeros(())
    for x in inputs[:, 0]:
        basis, factor = torch.linalg.qr(torch.func.jacrev(step)(state, x) @ basis)
        growth = growth + factor.diagonal().abs().log()
        state = step(state, x)
    return growth / len(inputs)


def plain_product_svd(module: nn.RNNBase, inputs: Tensor) -> Tensor:
    """The Jacobian product of an nn.RNN in float64 and its SVD; small singular values come out wrong by many nats."""
    with torch.no_grad():
        output, _ = module(inputs)
        weight = module.state_dict()["weight_hh_l0"]
        product = torch.eye(module.hidden_size, dtype=inputs.dtype)
        for h in output:
            product = (1 - h**2)[:, :, None] * (weight @ product)
        return torch.linalg.svdvals(product).log()


def dense_jacrev_svd(part: nn.Module, image: Tensor, k: int) -> Tensor:
    """The k largest singular values of a network's Jacobian at one image, from the dense Jacobian by jacrev."""
    with torch.no_grad():
        jacobian = torch.func.jacrev(lambda x: part(x).flatten(), chunk_size=256)(image)
        return torch.linalg.svdvals(jacobian.flatten(1))[:k]


def training_step(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    """One step of training, with nothing measured."""
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def step_with_naive_hooks(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> dict[str, float]:
    """The same step with a hook on every parameter that reads its gradient's norm by .item()."""
    norms: dict[str, float] = {}

    def keep(name: str) -> Callable[[Tensor], None]:
        return lambda grad: norms.update({name: grad.norm().item()})

    handles = [parameter.register_hook(keep(name)) for name, parameter in model.named_parameters()]
    training_step(model, optimizer, images, labels)
    for handle in handles:
        handle.remove()
    return norms


def update_one_after_another(
    networks: Sequence[tuple[nn.RNNBase, nn.Linear]],
    optimizers: Sequence[torch.optim.Optimizer],
    inputs: Tensor,
    classes: Tensor,
) -> None:
    """One update of each network on a batch of its own, by autograd, with norm clipping."""
    for (module, head), optimizer, x, y in zip(networks, optimizers, inputs, classes, strict=True):
        output, _ = module(x)
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(output[-1]), y).backward()
        nn.utils.clip_grad_norm_([*module.parameters(), *head.parameters()], 1.0)
        optimizer.step()

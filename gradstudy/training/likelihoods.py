"""Losses of predictions and their gradients in closed form, by likelihood, for many members at once."""

from __future__ import annotations

import torch
from torch import Tensor

from gradstudy.tasks.task import Likelihood


def loss_and_gradient(likelihood: Likelihood, predictions: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of each member and its gradient at the member's predictions.

    | likelihood | loss, averaged over steps and sequences | gradient, times steps x sequences |
    |---|---|---|
    | categorical | -log softmax(p)_y, nats | softmax(p) - onehot(y) |
    | gaussian | sum over outputs of (p - y)^2 | 2 (p - y) |
    | bernoulli | sum over outputs of log(1 + e^p) - y p, nats | sigmoid(p) - y |

    Args:
        likelihood: one of the above.
        predictions: `(members, steps, batch, outputs)`.
        targets: `(members, steps, batch)` class indices (categorical), else as the predictions.

    Returns:
        Losses `(members,)` and the gradient, of the predictions' shape.
    """
    count = predictions[0, ..., 0].numel()
    if likelihood == "categorical":
        log_share = torch.log_softmax(predictions, dim=-1)
        loss = -log_share.gather(-1, targets[..., None])
        gradient = log_share.exp_().scatter_add_(-1, targets[..., None], torch.full_like(loss, -1.0))
    elif likelihood == "gaussian":
        error = predictions - targets
        loss, gradient = error.square(), error.mul_(2)
    else:
        loss, gradient = _bernoulli(predictions, targets)
    return loss.flatten(1).sum(1) / count, gradient.div_(count)


def _bernoulli(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    # Member by member: torch rounds the last few numbers of a tensor otherwise than the rest in log and sigmoid, so a
    # member's would hang on who stands beside it.
    loss = torch.stack([torch.nn.functional.softplus(p) - y * p for p, y in zip(logits, targets, strict=True)])
    gradient = torch.stack([torch.sigmoid(p) - y for p, y in zip(logits, targets, strict=True)])
    return loss, gradient

"""The gradient of a residual network taken apart: by the paths it comes back on, and into identity and the rest."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from gradstudy.errors import UnsupportedModuleError
from gradstudy.measure.block_gradients import log_norm
from gradstudy.models.blocks import PreActivation
from gradstudy.models.feedforward import FeedForwardNetwork


@dataclass(frozen=True)
class Unravelled:
    """A pre-activation network x_{l+1} = S_l x_l + F_l(x_l) at one batch, each block with a graph of its own.

    Args:
        states: x_0 .. x_{L-1}, leaves.
        branches: F_l(x_l).
        shortcuts: S_l x_l.
        gradient: dL/dx_L of the mean cross-entropy.
    """

    states: Sequence[Tensor]
    branches: Sequence[Tensor]
    shortcuts: Sequence[Tensor]
    gradient: Tensor

    @classmethod
    def of(cls, network: FeedForwardNetwork, images: Tensor, labels: Tensor) -> Unravelled:
        """One forward pass; the network is left as it is."""
        measured, states, branches, shortcuts = copy.deepcopy(network), [], [], []
        state = measured.stem(images).detach()
        for block in _pre_activations(measured):
            states.append(state.requires_grad_())
            branches.append(block.scale * block.branch(state))
            # A view would share the leaf's edge.
            shortcuts.append(block.shortcut(state) * 1.0)
            state = (branches[-1] + shortcuts[-1]).detach()
        state.requires_grad_()
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(measured.head(state), labels), state)
        return cls(states, branches, shortcuts, gradient)

    def through(self, block: int, vector: Tensor) -> Tensor:
        """vector dF_l/dx_l."""
        return self._vjp(self.branches[block], block, vector)

    def around(self, block: int, vector: Tensor) -> Tensor:
        """vector S_l."""
        return self._vjp(self.shortcuts[block], block, vector)

    def _vjp(self, output: Tensor, block: int, vector: Tensor) -> Tensor:
        return torch.autograd.grad(output, self.states[block], vector, retain_graph=True)[0]


def path_gradients(
    network: FeedForwardNetwork, images: Tensor, labels: Tensor, paths: int, generator: torch.Generator
) -> pd.DataFrame:
    """The gradient dL/dx_0 by the length of the paths it comes back on.

    A path goes through the branch of some blocks and around the others; its length k is how many it goes through. The
    gradients of all 2^L paths add up to dL/dx_0, at the states of the whole network.

    Args:
        network: of pre-activation blocks, in train mode; it is left as it is.
        images: `(batch, ...)`.
        labels: `(batch,)`.
        paths: random paths of each length, drawn with equal odds.
        generator: of the paths.

    Returns:
        One row a length k = 0 .. L: `length`; `log_path`: mean over the drawn paths of log |g_path|; `log_mean`: log of
        the mean of |g_path|; `log_mass` = log_mean + log of the number of paths of that length.

    Cost: paths L^2 / 2 products through branches.

    Source: Veit, Wilber and Belongie, Residual networks behave like ensembles of relatively shallow networks, 2016.
    """
    chain = Unravelled.of(network, images, labels)
    depth = len(chain.states)
    rows = []
    for length in range(depth + 1):
        logs = torch.tensor([_path(chain, length, generator) for _ in range(paths)], dtype=torch.float64)
        log_mean = float(logs.logsumexp(0)) - math.log(paths)
        rows.append(
            {
                "length": length,
                "log_path": float(logs.mean()),
                "log_mean": log_mean,
                "log_mass": log_mean + math.log(math.comb(depth, length)),
            }
        )
    return pd.DataFrame(rows)


def path_sums(chain: Unravelled) -> list[Tensor]:
    """G_k, the sum of the gradients of all paths of length k, for k = 0 .. L; all of them add up to dL/dx_0.

    Exactly, by the recursion G_k <- S^T G_k + J^T G_{k-1} over the blocks; L^2 / 2 products through branches.
    """
    sums = [chain.gradient]
    for block in reversed(range(len(chain.states))):
        around = [chain.around(block, vector) for vector in sums]
        through = [chain.through(block, vector) for vector in sums]
        sums = [around[0], *(a + b for a, b in zip(around[1:], through[:-1], strict=True)), through[-1]]
    return sums


def identity_path(network: FeedForwardNetwork, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """dL/dx_l of a network with identity shortcuts as dL/dx_L + dL/dx_L d(sum of F_i, i >= l)/dx_l.

    The three terms come from backward passes of their own: the loss to x_l, the loss to x_L, and the branches to x_l.

    Returns:
        One row a state l = 0 .. L-1: `block` l; `links` = L - l; `log_gradient` = log |dL/dx_l|; `log_ratio` = log
        |dL/dx_l| - log |dL/dx_L|; `share` = <dL/dx_L, dL/dx_l> / |dL/dx_l|^2, signed, the identity's share; `error`:
        norm of what the two terms leave of dL/dx_l, over |dL/dx_l|.

    Source: He, Zhang, Ren and Sun, Identity mappings in deep residual networks, 2016, Eq. 5.
    """
    measured = copy.deepcopy(network)
    state = measured.stem(images)
    states, branches = [state], []
    for block in _pre_activations(measured):
        branches.append(block.scale * block.branch(state))
        state = block.shortcut(state) + branches[-1]
        states.append(state)
    loss = nn.functional.cross_entropy(measured.head(state), labels)
    *gradients, last = torch.autograd.grad(loss, states, retain_graph=True)
    rows = []
    for i, gradient in enumerate(gradients):
        later = branches[i:]
        (rest,) = torch.autograd.grad(later, states[i], [last] * len(later), retain_graph=True)
        size = gradient.norm()
        rows.append(
            {
                "block": i,
                "links": len(later),
                "log_gradient": log_norm(gradient),
                "log_ratio": log_norm(gradient) - log_norm(last),
                "share": float((last * gradient).sum() / size**2),
                "error": float((gradient - last - rest).norm() / size),
            }
        )
    return pd.DataFrame(rows)


def _path(chain: Unravelled, length: int, generator: torch.Generator) -> float:
    """log |g| of one random path of that length."""
    depth, vector = len(chain.states), chain.gradient
    taken = set(torch.randperm(depth, generator=generator)[:length].tolist())
    for block in reversed(range(depth)):
        vector = chain.through(block, vector) if block in taken else chain.around(block, vector)
    return log_norm(vector)


def _pre_activations(network: FeedForwardNetwork) -> list[PreActivation]:
    """The blocks of the network, if all are sums of a shortcut and a branch."""
    found = []
    for name, block in network.blocks.named_children():
        if not isinstance(block, PreActivation):
            raise UnsupportedModuleError(
                f"block {name} is a {type(block).__name__}",
                needed="pre-activation blocks, whose state is the sum of a shortcut and a branch",
                why="behind a nonlinearity the gradient is no sum over paths",
                remedy='draw the network with kind="pre-activation"',
            )
        found.append(block)
    return found

"""Correlation of gradients at different inputs.

Oracles: dense Jacobians by torch.autograd.functional; gs.gradient_correlation on the same networks; exact laws at small
depth, with the measure's own error.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gradstudy as gs
from gradstudy.measure.shattering import input_gradients, shattering
from gradstudy.models.randomness import generator
from gradstudy.models.stacks import Stack, draw
from gradstudy.theory import balduzzi2017


def normal(*size, index=1):
    return torch.randn(size, dtype=torch.float64, generator=generator(0, index, "shattering"))


@pytest.mark.parametrize("normalisation", ["none", "frozen"])
@pytest.mark.parametrize("shortcut", [None, 0.5])
def test_gradients_against_dense_jacobians(normalisation, shortcut):
    links = draw(Stack(4, 3, "relu", "he", normalisation, shortcut=shortcut), 5, generator(0, 0, "shattering"))
    inputs, readouts = normal(5, 4), normal(2, 4, index=2)
    found = input_gradients(links, inputs, readouts, [1, 3])
    for depth in (1, 3):
        state, jacobian = inputs, torch.eye(20, dtype=torch.float64)
        for link in links[:depth]:
            jacobian = torch.autograd.functional.jacobian(link, state).reshape(20, 20) @ jacobian
            state = link(state)
        blocks = jacobian.reshape(5, 4, 5, 4)
        own = torch.stack([torch.stack([u @ blocks[row, :, row] for row in range(5)]) for u in readouts])
        torch.testing.assert_close(found[depth], own)


def test_with_live_statistics_the_correlation_is_that_of_gradients_that_add_up_to_zero():
    found = shattering(Stack(16, 4, normalisation="batch"), 2, 10, [2, 4], seed=0)
    np.testing.assert_allclose(found["inner"] / found["square"], -1 / 9)


def test_moments_against_all_pairs():
    stack = Stack(6, 2, shortcut=1.0)
    found = shattering(stack, 1, 5, [2], readouts=3, seed=3).iloc[0]
    stream = generator(3, 0, "network")
    inputs = torch.randn(5, 6, generator=stream, dtype=torch.float64)
    readouts = torch.randn(3, 6, generator=stream, dtype=torch.float64)
    gradients = input_gradients(draw(stack, 5, stream), inputs, readouts, [2])[2].numpy()
    pairs = [of[a] @ of[b] for of in gradients for a in range(5) for b in range(5) if a != b]
    assert found["inner"] == pytest.approx(np.mean(pairs))
    assert found["square"] == pytest.approx((gradients**2).sum(2).mean())
    assert found["links"] == 2


def correlation(stack, depth, networks=60):
    rows = shattering(stack, networks, 20, [depth], seed=1)
    ratio = rows["inner"].mean() / rows["square"].mean()
    residual = rows["inner"] - ratio * rows["square"]
    return ratio, residual.std() / np.sqrt(networks) / rows["square"].mean()


@pytest.mark.parametrize(
    ("stack", "law"),
    [
        (Stack(40, 3, gates=0.0), balduzzi2017.plain(3)),
        (Stack(40, 3, gates=0.0, shortcut=1.0), balduzzi2017.residual(3)),
        (Stack(40, 3, gates=0.25), ((1.25 / 2) ** 2 / ((1 + 0.25**2) / 2)) ** 3),
    ],
)
def test_independent_gates_keep_the_laws(stack, law):
    found, error = correlation(stack, 3)
    assert found == pytest.approx(law, abs=4 * error)
    assert error < 0.1 * law


class Read(torch.nn.Module):
    """<readout, h_L> of each row."""

    def __init__(self, links, readout):
        super().__init__()
        self.links, self.readout = links, readout

    def forward(self, h):
        for link in self.links:
            h = link(h)
        return h @ self.readout


@pytest.mark.parametrize("shortcut", [None, 0.7])
def test_against_gradient_correlation_of_the_same_networks(shortcut):
    inputs, readouts = normal(4, 12), [normal(12, index=10 + i) for i in range(30)]
    networks = [draw(Stack(12, 3, shortcut=shortcut), 4, generator(0, i, "shattering")) for i in range(30)]
    found = gs.gradient_correlation(map(Read, networks, readouts), inputs)
    gradients = [input_gradients(n, inputs, u[None], [3])[3][0] for n, u in zip(networks, readouts, strict=True)]
    centred = torch.stack(gradients) - torch.stack(gradients).mean(0)
    covariance = torch.einsum("kac,kbc->ab", centred, centred)
    spread = covariance.diagonal().sqrt()
    torch.testing.assert_close(found.correlation, covariance / spread[:, None] / spread)
    assert not found.coupled

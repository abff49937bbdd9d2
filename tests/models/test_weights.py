"""Weights of layers by name.

Oracles: the moments and bounds of the named distributions; products W W^T; the singular values of the circular
convolution, by the Fourier transform of its kernel and by the matrix of the layer itself.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from gradstudy.models.feedforward import FeedForward, draw_feedforward
from gradstudy.models.weights import draw_weight

SHAPES = {"linear": (300, 200), "convolution": (60, 40, 3, 3)}
FANS = {"linear": (200, 300), "convolution": (360, 540)}
VARIANCE = {
    "standard": lambda n_in, n_out: 1 / (3 * n_in),
    "glorot": lambda n_in, n_out: 2 / (n_in + n_out),
    "he": lambda n_in, n_out: 2 / n_in,
    "gaussian": lambda n_in, n_out: 1 / n_in,
}
KURTOSIS = {"standard": 1.8, "glorot": 1.8, "he": 3.0, "gaussian": 3.0}


def draw(name, shape, seed=0):
    return draw_weight(name, shape, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layer", SHAPES)
@pytest.mark.parametrize("name", VARIANCE)
def test_variances_and_shapes_of_the_distributions(name, layer):
    weight = draw(name, SHAPES[layer])
    variance, count = VARIANCE[name](*FANS[layer]), weight.numel()
    assert weight.dtype == torch.float64
    # The mean of w^2 has the relative variance (kurtosis - 1) / count; five standard errors, as of the mean.
    assert weight.square().mean().item() == pytest.approx(variance, rel=5 * math.sqrt((KURTOSIS[name] - 1) / count))
    assert weight.mean().item() == pytest.approx(0, abs=5 * math.sqrt(variance / count))
    # Fourth moment: w^4 / variance^2 has variance 1/9 * 81 - 1.8^2 = 5.76 (uniform) or 105 - 9 = 96 (normal).
    spread = 5.76 if KURTOSIS[name] == 1.8 else 96
    fourth = weight.pow(4).mean().item() / variance**2
    assert fourth == pytest.approx(KURTOSIS[name], abs=5 * math.sqrt(spread / count))
    if KURTOSIS[name] == 1.8:
        assert weight.abs().max() <= math.sqrt(3 * variance)


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (8, 5, 3, 3), (60, 5, 3, 3)])
def test_orthogonal_rows_or_columns(shape):
    weight = draw("orthogonal", shape).flatten(1)
    gram = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    torch.testing.assert_close(gram, torch.eye(len(gram), dtype=torch.float64))


def test_orthogonal_draws_have_no_preferred_sign():
    """Haar: the first entry of an n x n draw has mean 0 and variance 1/n (QR alone makes the diagonal one-signed)."""
    first = torch.stack([draw("orthogonal", (4, 4), seed)[0, 0] for seed in range(1000)])
    assert first.mean().item() == pytest.approx(0, abs=5 * math.sqrt(1 / 4 / 1000))
    # Var u^2 = 3/24 - 1/16 = 1/16 for a coordinate of the unit sphere in four dimensions.
    assert first.square().mean().item() == pytest.approx(1 / 4, abs=5 * math.sqrt(1 / 16 / 1000))


def singular_values(weight, side):
    """Those of the circular convolution: of the matrices at each frequency (Sedghi et al. 2019)."""
    transform = np.fft.fft2(weight.numpy(), (side, side), axes=(2, 3))
    return np.linalg.svd(transform.transpose(2, 3, 0, 1), compute_uv=False)


def test_a_delta_orthogonal_convolution_is_an_isometry_and_an_orthogonal_kernel_is_not():
    for shape in ((6, 6, 3, 3), (9, 4, 3, 3), (4, 6, 3, 3), (5, 5, 1, 1)):
        np.testing.assert_allclose(singular_values(draw("delta-orthogonal", shape), 7), 1.0, atol=1e-14)
    assert np.ptp(singular_values(draw("orthogonal", (6, 6, 3, 3)), 7)) > 0.3


@pytest.mark.parametrize("padding", ["circular", "zeros"])
def test_the_layer_itself_is_an_isometry(padding):
    design = FeedForward(
        "plain",
        "convolution",
        1,
        3,
        input_shape=(3, 5, 5),
        initialisation="delta-orthogonal",
        padding=padding,
        gain=1.5,
    )
    network = draw_feedforward(design, seed=0)
    identity = torch.eye(75, dtype=torch.float64)
    matrix = network.blocks[0].convolution1(identity.reshape(75, 3, 5, 5)).flatten(1)
    # A kernel that is zero but at its centre never sees the padding.
    torch.testing.assert_close(matrix @ matrix.T, 1.5**2 * identity)
    head = network.head.linear.weight
    torch.testing.assert_close(head.T @ head, 1.5**2 * torch.eye(3, dtype=torch.float64))


def test_gain_scales_the_same_draw():
    one, other = (
        draw_feedforward(FeedForward("plain", "linear", 2, 8, initialisation="glorot", gain=gain), seed=0)
        for gain in (1.0, 0.5)
    )
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], 0.5 * value)
        assert name.endswith("weight") or not value.any()


@pytest.mark.parametrize("layer", ["linear", "convolution"])
def test_gaussian_weights_and_biases_have_their_standard_deviations(layer):
    shape = (100,) if layer == "linear" else (30, 4, 4)
    design = FeedForward(
        "plain", layer, 30, shape[0], input_shape=shape, initialisation="gaussian", sigma_w=1.3, sigma_b=0.2
    )
    network = draw_feedforward(design, seed=0)
    layers = [module for module in network.blocks.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    biases = torch.cat([module.bias.detach() for module in layers])
    weights = torch.stack([module.weight.detach() for module in layers])
    fan_in = weights[0, 0].numel()
    # The mean square of m normal numbers has the relative standard error sqrt(2 / m).
    assert biases.square().mean().item() == pytest.approx(0.04, rel=5 * math.sqrt(2 / len(biases)))
    expected = pytest.approx(1.69 / fan_in, rel=5 * math.sqrt(2 / weights.numel()))
    assert weights.square().mean().item() == expected

"""convolution_spectrum.

Oracles: SVD of the dense matrix, the layer applied to unit images; known spectra (1 x 1 kernels, shifts, the
Laplacian); the sum of squares, which is the matrix's squared Frobenius norm, counted tap by tap.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import gradstudy as gs
from gradstudy import errors
from gradstudy.measure import convolution_spectrum as module
from gradstudy.measure.deflated_lanczos import largest_singular_values


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def dense(layer, size):
    """The layer's matrix, one unit image after another through the layer itself."""
    layer = layer.double()
    images = torch.eye(math.prod(size), dtype=torch.float64).unflatten(1, size)
    with torch.no_grad():
        offset = layer(torch.zeros_like(images[:1]))  # the bias
        return torch.cat([layer(image[None]) - offset for image in images]).flatten(1).T


def agree(spectrum, layer, size):
    want = torch.linalg.svdvals(dense(layer, size))[: len(spectrum.singular_values)]
    found = spectrum.singular_values
    assert len(found) == len(want) or not spectrum.complete
    # The promised relative error, beside what rounding does to the oracle's own small values.
    bound = spectrum.error * want + 1e-13 * want[0]
    bound = torch.where(spectrum.error.isinf(), 1e-12 * want[0], bound)
    assert ((found - want).abs() <= bound).all()


CIRCULAR = {
    "plain": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (3, 6, 5)),
    "more outputs": (nn.Conv2d(2, 7, 3, padding="same", padding_mode="circular"), (2, 4, 6)),
    "even kernel": (nn.Conv2d(3, 2, (2, 4), padding="same", padding_mode="circular"), (3, 6, 7)),
    "dilation": (nn.Conv2d(2, 2, 3, padding=2, dilation=2, padding_mode="circular"), (2, 7, 6)),
    "groups": (nn.Conv2d(4, 6, 3, padding=1, groups=2, padding_mode="circular"), (4, 5, 4)),
    "depthwise": (nn.Conv2d(3, 3, 3, padding=1, groups=3, padding_mode="circular"), (3, 5, 5)),
    "kernel larger than the image": (nn.Conv2d(2, 3, 5, padding=2, padding_mode="circular"), (2, 3, 2)),
    "one pixel": (nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"), (3, 1, 1)),
    "stride": (nn.Conv2d(2, 5, 3, padding=1, stride=2, padding_mode="circular"), (2, 6, 8)),
    "strides": (nn.Conv2d(2, 3, 3, padding=1, stride=(3, 2), padding_mode="circular"), (2, 9, 4)),
    "shortcut": (nn.Conv2d(3, 4, 1, stride=2), (3, 6, 6)),
    "patches": (nn.Conv2d(2, 5, 3, stride=3), (2, 6, 9)),
    "one by one": (nn.Conv2d(4, 3, 1, padding="same"), (4, 3, 5)),
    "sequence": (nn.Conv1d(3, 4, 5, padding=2, padding_mode="circular"), (3, 8)),
    "volume": (nn.Conv3d(2, 2, 3, padding=1, padding_mode="circular"), (2, 3, 4, 2)),
    "float64": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular").double(), (2, 4, 4)),
}

OTHERS = {
    "zeros": (nn.Conv2d(3, 4, 3, padding=1), (3, 6, 5)),
    "no padding": (nn.Conv2d(2, 3, 3), (2, 6, 5)),
    "same, even": (nn.Conv2d(2, 3, 4, padding="same"), (2, 5, 6)),
    "reflect": (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), (2, 5, 4)),
    "replicate": (nn.Conv2d(2, 2, 5, padding=2, padding_mode="replicate"), (2, 5, 4)),
    "stride that leaves a rest": (nn.Conv2d(2, 2, 3, padding=1, stride=2, padding_mode="circular"), (2, 5, 4)),
    "circular but smaller": (nn.Conv2d(2, 2, 3, padding=0, padding_mode="circular"), (2, 5, 4)),
    "circular and larger": (nn.Conv2d(2, 2, 3, padding=2, padding_mode="circular"), (2, 5, 4)),
    "stride, groups, dilation": (nn.Conv2d(4, 2, 3, padding=2, stride=2, groups=2, dilation=2), (4, 7, 6)),
    "kernel larger than the image": (nn.Conv2d(2, 3, 7, padding=3), (2, 3, 2)),
    "sequence": (nn.Conv1d(3, 2, 4, padding=1, stride=3), (3, 11)),
}


@pytest.mark.parametrize("name", CIRCULAR)
def test_periodic_layers_have_all_values_by_frequencies(name):
    layer, size = CIRCULAR[name]
    spectrum = gs.convolution_spectrum(layer, size)
    assert "frequencies" in spectrum.method
    assert spectrum.complete
    agree(spectrum, layer, size)
    few = gs.convolution_spectrum(layer, size, k=1)
    assert not few.complete
    assert torch.equal(few.singular_values, spectrum.singular_values[:1])


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_have_all_values_from_the_matrix(name, monkeypatch):
    layer, size = OTHERS[name]
    spectrum = gs.convolution_spectrum(layer, size)
    assert "dense" in spectrum.method
    assert spectrum.complete
    agree(spectrum, layer, size)
    monkeypatch.setattr(module, "_TOGETHER", 1)  # the longer side in as many pieces as there are
    torch.testing.assert_close(
        gs.convolution_spectrum(layer, size).singular_values, spectrum.singular_values, rtol=0, atol=1e-13
    )


def frobenius(layer, size):
    """Squared Frobenius norm of a zero-padded layer's matrix: each tap counts where it falls into the image."""
    total = 0.0
    for tap in np.ndindex(*layer.kernel_size):
        places = 1
        for axis, i in enumerate(tap):
            n, s, p, d = size[1 + axis], layer.stride[axis], layer.padding[axis], layer.dilation[axis]
            outs = (n + 2 * p - d * (layer.kernel_size[axis] - 1) - 1) // s + 1
            places *= sum(0 <= o * s - p + i * d < n for o in range(outs))
        total += places * layer.weight.detach().double()[(..., *tap)].square().sum().item()
    return total


@pytest.mark.parametrize("options", [{"padding": 1}, {"padding": 2, "stride": 2, "dilation": 2}, {"groups": 2}])
def test_squares_sum_to_the_frobenius_norm(options):
    layer, size = nn.Conv2d(4, 6, 3, **options), (4, 9, 8)
    squares = gs.convolution_spectrum(layer, size).singular_values.square().sum().item()
    assert squares == pytest.approx(frobenius(layer, size), rel=1e-12)


def test_known_spectra():
    orthogonal = nn.Conv2d(5, 5, 1)
    nn.init.orthogonal_(orthogonal.weight)
    ones = torch.ones(5 * 12, dtype=torch.float64)
    # Float32 weights are orthogonal to some 1e-7 only.
    torch.testing.assert_close(gs.convolution_spectrum(orthogonal, (5, 3, 4)).singular_values, ones, rtol=1e-6, atol=0)
    shift = nn.Conv2d(3, 3, 3, padding=1)
    nn.init.dirac_(shift.weight)
    with torch.no_grad():
        shift.weight.copy_(shift.weight.roll(1, dims=-1))
    # Zero padding loses one column of each of 3 channels and 4 rows, circular padding none.
    values = gs.convolution_spectrum(shift, (3, 4, 5)).singular_values
    assert values.tolist() == [1.0] * (3 * 4 * 4) + [0.0] * (3 * 4)
    shift.padding_mode = "circular"
    shift._reversed_padding_repeated_twice = [1, 1, 1, 1]
    rolled = gs.convolution_spectrum(shift, (3, 4, 5)).singular_values
    torch.testing.assert_close(rolled, ones, rtol=1e-14, atol=0)


def test_the_laplacian_on_a_ring_and_on_an_interval():
    n = 12
    layer = nn.Conv1d(1, 1, 3, padding=1, bias=False, padding_mode="circular")
    interval = nn.Conv1d(1, 1, 3, padding=1, bias=False)
    with torch.no_grad():
        layer.weight[:] = interval.weight[:] = torch.tensor([-1.0, 2.0, -1.0])
    ring = sorted((2 - 2 * math.cos(2 * math.pi * j / n) for j in range(n)), reverse=True)
    assert gs.convolution_spectrum(layer, (1, n)).singular_values.tolist() == pytest.approx(ring, abs=1e-14)
    line = sorted((2 - 2 * math.cos(math.pi * j / (n + 1)) for j in range(1, n + 1)), reverse=True)
    assert gs.convolution_spectrum(interval, (1, n)).singular_values.tolist() == pytest.approx(line, abs=1e-14)


def large(**options):
    return nn.Conv2d(4, 6, 3, padding=1, **options), (4, 18, 14)


@pytest.mark.parametrize("options", [{}, {"padding_mode": "reflect"}, {"stride": 2, "groups": 2}, {"bias": False}])
def test_the_largest_come_from_products_alone(options, monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 100)
    monkeypatch.setattr(module, "_DENSE", 500)
    layer, size = large(**options)
    spectrum = gs.convolution_spectrum(layer, size)
    assert "Lanczos" in spectrum.method
    assert len(spectrum.singular_values) == 10
    assert not spectrum.complete
    assert spectrum.error.max() <= 1e-6
    want = torch.linalg.svdvals(dense(layer, size))[:10]
    assert ((spectrum.singular_values - want).abs() <= spectrum.error * want).all()


def test_every_copy_of_a_manifold_value_is_found(monkeypatch):
    # Equal kernels in all channels: each value comes 24 times, and one Krylov space would hold it once.
    monkeypatch.setattr(module, "_DENSE", 500)
    layer, size = nn.Conv2d(24, 24, 3, padding=1, groups=24), (24, 6, 6)
    with torch.no_grad():
        layer.weight[:] = layer.weight[:1]
    spectrum = gs.convolution_spectrum(layer, size)
    assert "Lanczos" in spectrum.method
    torch.testing.assert_close(
        spectrum.singular_values, torch.linalg.svdvals(dense(layer, size))[:10], rtol=1e-6, atol=0
    )


def test_a_rank_below_k_and_a_layer_of_zeros(monkeypatch):
    # The one tap that is not zero reaches from one corner of the image to the other: rank 1.
    layer = nn.Conv2d(1, 1, 3, padding=31, dilation=31)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 2, 2] = 1e4
    values = gs.convolution_spectrum(layer, (1, 32, 32), k=10)
    assert values.singular_values.tolist() == pytest.approx([1e4] + [0.0] * 9, abs=1e-8)
    assert values.error[1:].isinf().all()
    with torch.no_grad():
        layer.weight.zero_()
    assert not gs.convolution_spectrum(layer, (1, 32, 32), k=10).singular_values.any()


def test_deflation_against_a_prescribed_spectrum():
    # A diagonal operator: its values are known exactly; the third is sixfold, and seven are asked for.
    squares = np.concatenate([[9.0, 8.0], np.full(6, 7.0), np.linspace(0, 6, 400)])
    found = largest_singular_values(lambda v: squares * v, len(squares), 7)
    want = np.sqrt(np.sort(squares)[::-1][:7])
    assert (np.abs(found.values - want) <= found.error * want).all()
    assert found.error.max() < 1e-6


def test_the_fft_value_of_another_padding_is_an_approximation_with_its_measured_error():
    layer, size = nn.Conv2d(2, 3, 3, padding=1), (2, 8, 7)
    spectrum = gs.convolution_spectrum(layer, size, method="fft")
    assert spectrum.approximate
    assert "approximation" in spectrum.method
    exact = torch.linalg.svdvals(dense(layer, size))
    twin = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular").double()
    twin.weight = layer.weight
    torch.testing.assert_close(spectrum.singular_values, torch.linalg.svdvals(dense(twin, size)), rtol=1e-9, atol=1e-12)
    measured = (spectrum.singular_values[:10] / exact[:10] - 1).abs()
    torch.testing.assert_close(spectrum.error[:10], measured, rtol=1e-6, atol=1e-12)
    assert measured.max() > 1e-3
    assert spectrum.error[10:].isnan().all()
    periodic, size = CIRCULAR["plain"]
    assert not gs.convolution_spectrum(periodic, size, method="fft").approximate


def test_strided_layers_are_approximated_too():
    layer, size = nn.Conv2d(3, 4, 3, padding=1, stride=2), (3, 7, 8)
    spectrum = gs.convolution_spectrum(layer, size, method="fft", k=5)
    assert spectrum.singular_values.shape == (5,)
    assert 1e-6 < spectrum.error.max() < 0.3


def test_64_channels_of_32_by_32_take_seconds():
    layer = nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular")
    spectrum = gs.convolution_spectrum(layer, (64, 32, 32))
    assert len(spectrum.singular_values) == 65536
    want = 32 * 32 * layer.weight.detach().double().square().sum().item()
    assert spectrum.singular_values.square().sum().item() == pytest.approx(want, rel=1e-12)


def test_what_cannot_be_measured_is_named():
    layer = nn.Conv2d(3, 4, 3, padding=1)

    class Standardised(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) - 1

    for wrong in (nn.ConvTranspose2d(3, 4, 3), nn.Linear(3, 3), Standardised(3, 4, 3), nn.LazyConv2d(4, 3)):
        with pytest.raises(errors.UnsupportedModuleError):
            gs.convolution_spectrum(wrong, (3, 8, 8))
    with pytest.raises(errors.UnsupportedModuleError, match="transposed"):
        gs.convolution_spectrum(nn.ConvTranspose1d(3, 4, 3), (3, 8))
    for size in ((8, 8), (4, 8, 8), (3, 8), (1, 3, 8, 8), (3, 0, 8), (3, -8, 8)):
        with pytest.raises(errors.InputShapeError):
            gs.convolution_spectrum(layer, size)
    with pytest.raises(errors.InputShapeError, match="refuses"):
        gs.convolution_spectrum(nn.Conv2d(3, 4, 5), (3, 4, 4))
    for k in (0, -1, 3 * 64 + 1):
        with pytest.raises(errors.LinkRangeError):
            gs.convolution_spectrum(layer, (3, 8, 8), k=k)
    with pytest.raises(errors.OptionError):
        gs.convolution_spectrum(layer, (3, 8, 8), method="FFT")
    with pytest.raises(errors.DTypeError):
        gs.convolution_spectrum(nn.Conv2d(3, 4, 3).half(), (3, 8, 8))
    with torch.no_grad():
        layer.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(errors.NonFiniteError):
        gs.convolution_spectrum(layer, (3, 8, 8))


def test_too_many_values_of_a_large_operator_are_refused_with_the_memory_they_need():
    layer = nn.Conv2d(16, 16, 3, padding=1)
    with pytest.raises(errors.TooLargeError, match=r"2\.15 GB"):  # 16,384 squared, 8 bytes each
        gs.convolution_spectrum(layer, (16, 32, 32), k=16 * 32 * 32)


def test_the_layer_and_the_generator_are_left_alone():
    layer = nn.Conv2d(3, 4, 3, padding=1)
    before, random = [p.clone() for p in layer.parameters()], torch.random.get_rng_state()
    gs.convolution_spectrum(layer, (3, 5, 5))
    gs.convolution_spectrum(layer, (3, 40, 40), k=3)
    assert all(
        torch.equal(p, b) and p.grad is None and p.requires_grad
        for p, b in zip(layer.parameters(), before, strict=True)
    )
    assert torch.equal(torch.random.get_rng_state(), random)


def test_the_result_is_a_table_a_plot_and_a_line():
    layer = nn.Conv2d(2, 2, 3, padding=1)
    spectrum = gs.convolution_spectrum(layer, (2, 4, 4))
    assert list(spectrum.to_frame().columns) == ["index", "singular_value", "error"]
    assert list(spectrum.to_frame(log10=True).columns) == ["index", "log10_singular_value", "error"]
    ax = spectrum.plot(Figure().subplots())
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), spectrum.singular_values)
    assert ax.get_lines()[0].get_xdata()[0] == 1
    assert "all 32" in repr(spectrum)
    approximate = gs.convolution_spectrum(layer, (2, 4, 4), method="fft")
    assert "measured error" in repr(approximate)
    assert "approximation" in approximate.plot(Figure().subplots()).get_legend_handles_labels()[1][0]

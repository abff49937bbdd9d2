"""Singular values of a convolution layer as the linear map of whole images that it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.chains.checks import check_index
from gradstudy.errors import OptionError, TooLargeError
from gradstudy.measure.convolution import Convolution, convolution
from gradstudy.measure.deflated_lanczos import largest_singular_values
from gradstudy.measure.result import Result, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Up to so many numbers per input image all values are taken from the dense matrix: half a minute on one thread.
_DENSE = 4096
# Values asked for by default of larger operators, and compared by default with an approximation.
_FEW = 10
# k values of n come from products alone if n > _SMALL and _MUCH k <= n; else the dense matrix is quicker.
_SMALL, _MUCH = 512, 16
# Numbers held at once: rows of a dense matrix, or blocks of frequencies; 256 MB in float64.
_TOGETHER = 2**25
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class ConvolutionSpectrum(Result):
    """Singular values of a convolution as a map from images to images.

    Args:
        singular_values: descending, `(k,)`, float64.
        error: bound on each one's relative error, `(k,)`; infinite where a value is not told from 0. Of an
            approximation it is the measured relative error against the exact values, NaN where none was computed.
        complete: whether these are all min(n_out, n_in) values.
        approximate: whether they are those of another convolution (circular padding in place of the layer's own).
        input_size: (channels, *sizes) of one input image.
        output_size: the same of its output.
    """

    singular_values: Float[Tensor, " k"]
    error: Float[Tensor, " k"]
    complete: bool
    approximate: bool
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a value: `index`, `singular_value` (or its log10), `error` (relative)."""
        values = self.singular_values.log10() if log10 else self.singular_values
        frame = tidy(values, ("index",), "log10_singular_value" if log10 else "singular_value")
        return frame.assign(error=self.error.cpu().numpy())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Singular values by rank, the largest first."""
        from gradstudy.plot.convolution_spectrum import plot

        return plot(self.to_frame(), ax, approximate=self.approximate)

    def _summary(self) -> str:
        high, low = self.singular_values[0].item(), self.singular_values[-1].item()
        count = f"all {len(self.singular_values)}" if self.complete else f"the {len(self.singular_values)} largest"
        known = self.error[~self.error.isnan()].max().item()
        error = f"measured error up to {known:.1e}" if self.approximate else f"relative error <= {known:.1e}"
        return f"{self.input_size} -> {self.output_size}, {count} values from {low:.4g} to {high:.4g}, {error}"


def convolution_spectrum(
    module: torch.nn.Module, input_size: tuple[int, ...], k: int | None = None, method: str = "exact"
) -> ConvolutionSpectrum:
    """Singular values of the linear map x -> convolution of x, from images of `input_size` to their outputs.

    The bias shifts and does not count. The weights are read as they are and everything is computed in float64. Three
    ways, chosen by what the layer is:

    - *Frequencies.* Where the output is that of an image repeated without end (circular padding, or none needed, and
      an output of input size / stride), the discrete Fourier transform makes the map block diagonal: one small matrix
      a frequency, `(c_out, c_in * strides)`. All values, to rounding.
    - *Dense.* Any other layer (zero, reflecting or replicating padding, or a stride that leaves a rest), up to 4,096
      numbers an input image: SVD of the matrix. All values, to rounding.
    - *Lanczos.* Above that, or for a small k: the k largest (10 by default) from products with the layer and its
      transpose, to 1e-6 relative or better (see `.error`).

    Args:
        module: nn.Conv1d, Conv2d or Conv3d, with any stride, padding, padding_mode, dilation and groups.
        input_size: (channels, *sizes) of one image, such as (64, 32, 32).
        k: keep the k largest; by default all, or 10 of an operator of more than 4,096 inputs that has no closed form.
        method: "exact", or "fft" for the values by frequencies whatever the padding. Where these are not exact they
            are those of the same kernel with circular padding, on images enlarged to a multiple of the stride;
            `.approximate` is then True and `.error` holds their measured error against the exact largest.

    Returns:
        ConvolutionSpectrum with `.singular_values` descending, `.error` and `.complete`.

    Raises:
        UnsupportedModuleError: a transposed or other module, or a convolution with a forward of its own.
        InputShapeError: input_size is not one image that the module takes.
        LinkRangeError: k is not between 1 and min(n_out, n_in).
        TooLargeError: more values asked for than products alone give, of more than 4,096 inputs.
        OptionError: another method.
        DTypeError, NonFiniteError: weights that cannot be measured.

    Cost: 64 to 64 channels on 32 x 32, one thread: all 65,536 values by frequencies 1 s; with zero padding the 10
    largest some 5 s. A dense matrix of n inputs takes O(n^3).

    Source: Sedghi, Gupta and Long 2019, The singular values of convolutional layers (stride 1); a stride folds the
    frequencies that it makes equal into one block.

    Example:
        >>> import torch, gradstudy as gs
        >>> layer = torch.nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
        >>> spectrum = gs.convolution_spectrum(layer, (3, 16, 16))
        >>> len(spectrum.singular_values), spectrum.complete, bool(spectrum.error[0] < 1e-12)
        (768, True, True)
        >>> layer = torch.nn.Conv2d(8, 16, 3, stride=2, padding=1)
        >>> len(gs.convolution_spectrum(layer, (8, 32, 32)).singular_values)
        10
    """
    if method not in ("exact", "fft"):
        raise OptionError(
            f"method={method!r}",
            needed="'exact' or 'fft'",
            why="the values by FFT are those of circular padding, which may be another map than the layer",
            remedy="leave method out for the layer's own values",
        )
    operator = convolution(module, input_size)
    count = min(operator.inputs, operator.outputs)
    if k is not None:
        check_index("k", k, 1, count, f"the operator has {count} singular values; leave k out for its default")
    with torch.no_grad():
        if operator.periodic:
            values = _by_frequency(operator)
            return _result(operator, values[:k], _rounding(values)[:k], "by frequencies")
        if method == "fft":
            return _approximation(operator, k)
        return _exact(operator, k)


def _exact(operator: Convolution, k: int | None) -> ConvolutionSpectrum:
    """By Lanczos where that is cheaper or the only way, else from the dense matrix."""
    count, small = min(operator.inputs, operator.outputs), operator.inputs <= _DENSE
    if k is None:
        k = count if small else min(_FEW, count)
    if count > _SMALL and _MUCH * k <= count:
        found = largest_singular_values(operator.gram, count, k)
        if not small or found.error.max() <= _TOLERANCE:
            return _result(
                operator, torch.from_numpy(found.values), torch.from_numpy(found.error), "Lanczos with deflation"
            )
    if not small:
        raise _too_large(operator, k)
    values = _dense(operator)
    return _result(operator, values[:k], _rounding(values)[:k], "dense SVD")


def _approximation(operator: Convolution, k: int | None) -> ConvolutionSpectrum:
    count = min(operator.inputs, operator.outputs)
    values = _by_frequency(operator)[: count if k is None else k]
    exact = _exact(operator, min(_FEW, count, len(values))).singular_values
    error = torch.full_like(values, torch.nan)
    error[: len(exact)] = (values[: len(exact)] / exact.to(values.device) - 1).abs()
    how = f"approximation by circular padding, error measured on the {len(exact)} largest"
    return _result(operator, values, error, how, approximate=True)


def _result(
    operator: Convolution, values: Tensor, error: Tensor, how: str, approximate: bool = False
) -> ConvolutionSpectrum:
    complete = len(values) == min(operator.inputs, operator.outputs)
    sizes = operator.input_size, operator.output_size
    return ConvolutionSpectrum(how, torch.float64, values, error, complete, approximate, *sizes)


def _rounding(values: Tensor) -> Tensor:
    """Bound on the relative error that rounding leaves in descending values: eps sigma_1, times a root of the size."""
    absolute = 4 * len(values) ** 0.5 * torch.finfo(values.dtype).eps * values[0]
    return torch.where(values > 0, absolute / values, torch.where(values[0] > 0, torch.inf, 0.0))


def _by_frequency(operator: Convolution) -> Tensor:
    """All singular values of the periodic convolution: those of one block a coarse frequency, conjugates once."""
    frequencies, copies = operator.coarse_frequencies()
    step = max(1, _TOGETHER // operator.block_numbers)
    found = []
    for some, repeats in zip(frequencies.split(step), copies.split(step), strict=True):
        values = torch.linalg.svdvals(operator.blocks(some)).flatten(1)
        found.append(values.repeat_interleave(repeats, dim=0).flatten())
    return torch.cat(found).sort(descending=True).values


def _dense(operator: Convolution) -> Tensor:
    """All singular values of the matrix, whose longer side is folded into a triangular factor piece by piece."""
    tall = operator.outputs > operator.inputs
    long, short = max(operator.outputs, operator.inputs), min(operator.outputs, operator.inputs)
    apply = operator.transposed if tall else operator.apply
    step = max(short, _TOGETHER // short)
    factor = operator.unit_vectors(0, 0, long)[:, :0].new_zeros(0, short)
    for start in range(0, long, step):
        rows = apply(operator.unit_vectors(start, min(start + step, long), long))
        factor = torch.cat([factor, rows])
        if step < long:
            factor = torch.linalg.qr(factor, mode="r").R
    return torch.linalg.svdvals(factor)


def _too_large(operator: Convolution, k: int) -> TooLargeError:
    gigabytes = operator.inputs * operator.outputs * 8 / 1e9
    most = min(operator.inputs, operator.outputs) // _MUCH
    return TooLargeError(
        f"{k} singular values of an operator of {operator.inputs} inputs and {operator.outputs} outputs",
        needed=f"at most {_DENSE} inputs, or k <= {most}",
        why=f"so many values need the dense matrix, of {gigabytes:.3g} GB in float64, and as much again for its SVD",
        remedy="ask for fewer values, measure a smaller image, or take method='fft' for an approximation",
    )

"""A convolution layer as a linear operator on images: products, transposed products, blocks by frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradstudy.chains.checks import check_module_dtype, refuse_moving_weights, unsupported
from gradstudy.errors import InputShapeError

_KINDS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
# Numbers of the images that go through the layer together.
_TOGETHER = 2**24


@dataclass(frozen=True, eq=False)
class Convolution:
    """The linear part of a convolution layer in float64, on flat images.

    Args:
        layer: a twin of the layer in float64 and without bias.
        input_size, output_size: (channels, *sizes).
    """

    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    @property
    def inputs(self) -> int:
        """Numbers of one input image."""
        return math.prod(self.input_size)

    @property
    def outputs(self) -> int:
        """Numbers of one output image."""
        return math.prod(self.output_size)

    @property
    def periodic(self) -> bool:
        """Whether the outputs are those of the image repeated without end, one a stride."""
        layer = self.layer
        reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        same = layer.padding == "same" and any(reach)
        padded = same or (not isinstance(layer.padding, str) and any(layer.padding))
        whole = all(n == s * m for n, s, m in zip(self.input_size[1:], layer.stride, self.output_size[1:], strict=True))
        return whole and (layer.padding_mode == "circular" or not padded)

    def apply(self, x: Tensor) -> Tensor:
        """The layer's output for flat images, `(b, inputs)` -> `(b, outputs)`."""
        return torch.cat([self.layer(some.unflatten(1, self.input_size)).flatten(1) for some in self._pieces(x)])

    def transposed(self, y: Tensor) -> Tensor:
        """The transposed operator on flat outputs, `(b, outputs)` -> `(b, inputs)`: its vector-Jacobian product."""
        return torch.cat([self._pull(some) for some in self._pieces(y)])

    def gram(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """A^T A, or A A^T where there are fewer outputs, on one vector."""
        one = torch.from_numpy(vector).to(self.layer.weight.device)[None]
        few = self.inputs <= self.outputs
        out = self.transposed(self.apply(one)) if few else self.apply(self.transposed(one))
        return out[0].cpu().numpy()

    def unit_vectors(self, start: int, stop: int, size: int) -> Tensor:
        """Rows start .. stop - 1 of the identity of that size."""
        rows = torch.zeros(stop - start, size, dtype=torch.float64, device=self.layer.weight.device)
        rows[torch.arange(stop - start), torch.arange(start, stop)] = 1
        return rows

    def coarse_frequencies(self) -> tuple[Tensor, Tensor]:
        """Frequencies of the output grid, one of each conjugate pair, `(f, d)`, and how many each stands for, `(f,)`.

        A real kernel has conjugate blocks at opposite frequencies, with the same singular values.
        """
        last = self._grid[-1]
        axes = [torch.arange(m) for m in self._grid[:-1]] + [torch.arange(last // 2 + 1)]
        frequencies = torch.cartesian_prod(*axes).reshape(-1, len(axes)).to(self.layer.weight.device)
        alone = (2 * frequencies[:, -1]) % last == 0
        return frequencies, torch.where(alone, 1, 2)

    @property
    def block_numbers(self) -> int:
        """Numbers of the blocks of one coarse frequency."""
        return self.layer.weight.shape[0] * self.layer.weight.shape[1] * math.prod(self.layer.stride) * 2

    def blocks(self, frequencies: Tensor) -> Tensor:
        """The blocks of the periodic convolution, `(f, groups, c_out / groups, c_in / groups * strides)`, complex.

        At fine frequency q the convolution is the matrix H(q) = sum over taps j of W_j exp(2 pi i q.j dilation / n). A
        stride s keeps every s-th output, so the s fine frequencies q, q + m, q + 2m, ... (m = n / s an axis) come out
        at one, each weighed by 1 / sqrt(s).
        """
        layer, groups = self.layer, self.layer.groups
        out, width = layer.weight.shape[:2]
        aliases = torch.cartesian_prod(*(torch.arange(s) for s in layer.stride)).reshape(-1, len(layer.stride))
        taps = torch.cartesian_prod(*(torch.arange(k) for k in layer.kernel_size)).reshape(-1, len(layer.stride))
        device = layer.weight.device
        dilation, stride, grid = (torch.tensor(v, device=device) for v in (layer.dilation, layer.stride, self._grid))
        sizes = grid * stride
        fine = frequencies[:, None, :] + aliases.to(device) * grid
        # Whole turns are taken off as integers, so that the phases keep all their digits.
        turns = (fine[:, :, None, :] * (taps.to(device) * dilation)) % sizes / sizes.double()
        phases = torch.polar(
            torch.ones(turns.shape[:3], dtype=torch.float64, device=device), 2 * math.pi * turns.sum(-1)
        )
        kernel = layer.weight.flatten(2).flatten(0, 1).T.to(phases.dtype)  # (taps, c_out * c_in / groups)
        blocks = (phases @ kernel).unflatten(-1, (groups, out // groups, width)) / math.sqrt(math.prod(layer.stride))
        return blocks.permute(0, 2, 3, 4, 1).flatten(3)

    @cached_property
    def _grid(self) -> tuple[int, ...]:
        """Sizes of the output of a periodic convolution: input sizes over strides, rounded up."""
        return tuple(-(-n // s) for n, s in zip(self.input_size[1:], self.layer.stride, strict=True))

    def _pieces(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.split(max(1, _TOGETHER // max(self.inputs, self.outputs)))

    def _pull(self, y: Tensor) -> Tensor:
        x, out = self._one if len(y) == 1 else self._graph(len(y))
        (pulled,) = torch.autograd.grad(out, x, y.unflatten(1, self.output_size), retain_graph=len(y) == 1)
        return pulled.flatten(1)

    @cached_property
    def _one(self) -> tuple[Tensor, Tensor]:
        """The graph for one image, kept: hundreds of products are taken along it."""
        return self._graph(1)

    def _graph(self, images: int) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = self.layer.weight.new_zeros(images, *self.input_size).requires_grad_()
            return x, self.layer(x)


def convolution(module: object, input_size: object) -> Convolution:
    """The operator of a layer on images of that size; its weights are copied.

    Raises:
        UnsupportedModuleError: not an nn.Conv1d, Conv2d or Conv3d, or one whose forward is another's.
        InputShapeError: input_size is not one image that the module takes.
        DTypeError, NonFiniteError: weights that cannot be measured.
    """
    kind = _kind(module)
    assert isinstance(module, _KINDS)
    check_module_dtype(module)
    refuse_moving_weights(module)
    size = _checked_size(input_size, module)
    options = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups", "padding_mode")}
    # On the meta device nothing is drawn for the weights that are replaced at once.
    layer = kind(module.in_channels, module.out_channels, module.kernel_size, bias=False, device="meta", **options)  # type: ignore[arg-type]
    layer.weight = nn.Parameter(module.weight.detach().double().clone(), requires_grad=False)
    try:
        with torch.no_grad():
            out = layer(layer.weight.new_zeros(1, *size))
    except RuntimeError as error:
        raise InputShapeError(
            f"input_size={size}, which the module refuses: {error}",
            needed="an image that the kernel and its padding fit",
            why="a layer that does not run on an image has no map of it",
            remedy="give a larger image, or a layer with another padding",
        ) from None
    return Convolution(layer, size, tuple(out.shape[1:]))


def _kind(module: object) -> type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]:
    """Which of torch's layers it is; raises UnsupportedModuleError for what computes something else."""
    for kind in _KINDS:
        if isinstance(module, kind):
            if isinstance(getattr(module, "weight", None), nn.UninitializedParameter):
                raise unsupported("a lazy convolution without weights", "weights", "run the module once on its input")
            plain = type(module).forward is kind.forward and type(module)._conv_forward is kind._conv_forward
            if plain and "forward" not in vars(module):
                return kind
            raise unsupported(
                f"a {type(module).__name__} with a forward of its own",
                f"nn.{kind.__name__} as torch computes it",
                "put the kernel it really uses into a plain convolution, or measure it as a stage of a chain",
            )
    name = type(module).__name__
    transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    remedy = (
        "measure the convolution that it transposes: its singular values are the same"
        if transposed
        else "give one convolution layer, such as model.conv1"
    )
    raise unsupported(f"a {name}" + (", a transposed convolution" * transposed), "nn.Conv1d, Conv2d or Conv3d", remedy)


def _checked_size(input_size: object, module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> tuple[int, ...]:
    spatial = ("length",) if isinstance(module, nn.Conv1d) else ("depth", "height", "width")[-len(module.kernel_size) :]
    sizes = tuple(input_size) if isinstance(input_size, tuple | list) else ()
    fits = len(sizes) == 1 + len(spatial) and all(type(n) is int and n > 0 for n in sizes)
    if not fits or sizes[0] != module.in_channels:
        raise InputShapeError(
            f"input_size={input_size!r}",
            needed=f"(channels, {', '.join(spatial)}) with {module.in_channels} channels, as x[0].shape is",
            why="the operator's size is that of its images",
            remedy="leave the batch axis out and give all sizes as positive integers",
        )
    return sizes

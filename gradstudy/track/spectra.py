"""Singular values of weight matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from gradstudy.track.norms import log
from gradstudy.track.row import Row, size_row


def spectrum_rows(parameters: Mapping[str, nn.Parameter]) -> Iterator[Row]:
    """Singular values of every weight with two axes or more, descending, index from 0.

    A weight of more than two axes (a convolution's kernel) is read as the matrix of its first axis against all others.
    That is the matrix which weight decay and the update see; it is not the operator of the convolution.

    Cost: one singular value decomposition a matrix.
    """
    for name, parameter in parameters.items():
        weight = parameter.detach()
        if weight.dim() < 2 or not weight.numel():
            continue
        matrix = weight.flatten(1)
        matrix = matrix if matrix.dtype == torch.float64 else matrix.float()
        if not torch.isfinite(matrix).all():
            continue  # has no spectrum; the gradients' and the update's counts have named it
        for i, value in enumerate(torch.linalg.svdvals(matrix).tolist()):
            yield size_row("singular_value", name, log(value), i)

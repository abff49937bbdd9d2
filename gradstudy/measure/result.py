"""What every measurement returns: a frozen result that says its method and dtype, as a table, a plot and a line."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LN10 = math.log(10)


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Base of results. Logarithms are natural; `to_frame(log10=True)` converts them.

    Args:
        method: how the number was computed.
        dtype: the dtype the chain was computed in.
    """

    method: str
    dtype: torch.dtype

    @abstractmethod
    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """A tidy table, one number a row."""

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result; makes a figure of its own unless axes are given."""

    @abstractmethod
    def _summary(self) -> str:
        """One line that says what came out."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()}; {self.method}, {self.dtype})"


def tidy(values: Tensor, axes: tuple[str, ...], column: str, log10: bool = False) -> pd.DataFrame:
    """A tensor as a tidy table: one column an axis, the values last; natural logs become log10 on request."""
    grids = torch.meshgrid(*(torch.arange(size) for size in values.shape), indexing="ij")
    columns = {axis: grid.flatten().numpy() for axis, grid in zip(axes, grids, strict=True)}
    numbers = values.detach().cpu().flatten().numpy()
    if log10:
        column, numbers = column.replace("log_", "log10_"), numbers / LN10
    return pd.DataFrame({**columns, column: numbers})

"""Pictures of a tracker's table, by kind."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes

from gradstudy.errors import OptionError
from gradstudy.plot import layer_gradients, layers_over_steps, timesteps_over_steps, weight_spectra

Draw = Callable[[pd.DataFrame, Axes | None], Axes]

KINDS: dict[str, tuple[tuple[str, ...], Draw]] = {
    "flow": (("layer_gradient", "affine_gradient"), layer_gradients.plot),
    "layers": (("layer_gradient",), layers_over_steps.plot),
    "activations": (("activation_gradient",), layers_over_steps.plot),
    "time": (("hidden_gradient",), timesteps_over_steps.plot),
    "spectrum": (("singular_value",), weight_spectra.plot),
    "jacobians": (("jacobian_singular_value",), weight_spectra.plot),
}
"""Kind to the quantities that are drawn and the function that draws them."""


def plot(frame: pd.DataFrame, kind: str, ax: Axes | None = None, name: str | None = None) -> Axes:
    """Draw one kind of picture.

    Args:
        frame: columns `step`, `quantity`, `name`, `index`, `log10_value`.
        kind: one of `KINDS`.
        ax: axes to draw on; a new figure otherwise.
        name: the layer or parameter to draw alone; of "time" the last by default.

    Raises:
        OptionError: another kind, or nothing of it in the table.
    """
    if kind not in KINDS:
        raise _nothing(f"the kind of picture {kind!r}")
    quantities, draw = KINDS[kind]
    rows = frame[frame["quantity"].isin(quantities)]
    if kind == "time" and name is None and len(rows):
        name = rows["name"].iloc[-1]
    if name is not None:
        rows = rows[rows["name"] == name]
    if not len(rows):
        raise _nothing(f"no {quantities[0]}" + ("" if name is None else f" of {name!r}") + " in the table")
    return draw(rows, ax)


def _nothing(came: str) -> OptionError:
    return OptionError(
        came,
        needed=f"one of {', '.join(KINDS)}, of a quantity that was measured",
        why="an empty picture would look like a measurement of nothing",
        remedy="name the quantity in every= and make at least one step",
    )

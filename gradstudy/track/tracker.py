"""The tracker: a context manager around a user's own training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from gradstudy.errors import GradstudyError, LossError, TrackingError
from gradstudy.track.checks import check_model, check_optimizer, check_scaler
from gradstudy.track.diagnosis import Finding, findings
from gradstudy.track.history import History
from gradstudy.track.row import Row, plain_row
from gradstudy.track.schedule import Schedule, make_schedule
from gradstudy.track.session import Session

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LN10 = math.log(10)


class Tracker:
    """What happens to the gradients of a model while a loop trains it; made by `gs.track`.

    Training is bit for bit the same with it and without: it reads, and draws no random number. Its hooks are there only
    session the `with`, those on modules only in steps at which something is due, and are gone afterwards, after an
    exception too. A step is what lies between two calls of `tracker.step`; it may hold several forward and backward
    passes. `tracker.step` comes after `backward()`; whether `optimizer.step()` comes before it or after is the same.

    Quantities that may be scheduled, and the rows they give (`quantity` in the table):

    - `gradient`: `parameter_gradient`, `layer_gradient` (over all parameters of the module that holds them; of one
      that holds vectors only, as a normalisation does, `affine_gradient`), `total_gradient`: Euclidean norms of the
      accumulated gradients as the last `backward()` leaves them, before clipping; `clip_factor`: their total norm at
      the optimizer's step over that.
    - `activation`: `activation_gradient`, the norm of dL/dy over the whole batch at the output y of each leaf module.
      For a fused recurrent layer it is the direct partial only: see `time`.
    - `units`: `dead_fraction`, units of nn.ReLU and nn.ReLU6 that are 0 over the whole batch (a unit is a channel of an
      image, a feature else); `saturated_fraction`, outputs of nn.Tanh beyond +-0.99 and of nn.Sigmoid outside 0.01 ..
      0.99. Functional forms are no modules and not seen.
    - `update`: `parameter_update`, `layer_update`: |W after - W before| / |W before| of the optimizer's step, for
      parameters with a gradient.
    - `time`: `hidden_gradient`, the norm of the total dL/dh_t over the batch, t = 0 .. T, of every nn.RNN, nn.LSTM and
      nn.GRU in the model; an LSTM's has c_t held, and `cell_gradient` is that of dL/dc_t with c_t's path through h_t;
      `gate_saturation`, activations of a gate in the lowest or highest tenth of its range.
    - `spectrum` (only if named in `every`): `singular_value` of each weight, its first axis against all others;
      `jacobian_singular_value` of the one-step Jacobian ds_T/ds_{T-1} of recurrent layers, for the batch's first row.

    With them comes the `loss` given to `step`. The second call of a module in one forward pass is `name#2`; several
    outputs are `name[0]`, `name[1]`; several forward passes in one step count as one larger batch. `tracker.latest`
    holds the rows of the last step, for loggers (without those of an optimizer's step that is still to come).

    Args:
        model: any torch model.
        optimizer: that trains it; with it clip factor and update are known. It may be wrapped, and may take a closure.
        every: steps between two measurements of all quantities but the spectrum, or a mapping of quantities to such
            numbers; what it does not name is not measured.
        scaler: the GradScaler that scales the loss; its scale is taken out of all gradients.
        path: csv file to which every step's rows are appended at once; one that is there is gone on with.
        keep: rows in memory; beyond, the oldest go.

    Raises:
        OptionError: a quantity, interval or `keep` that makes no sense.
        OptimizerError: an optimizer that owns none of the model's parameters, or a scaler without a scale.
        UnsupportedModuleError: a model that cannot be tracked: nothing to train, lazy, or compiled or replicated with
            quantities that need its modules' hooks.
        RecordError, StorageError: `path` holds something else, or cannot be written.

    Cost: gradients one pass over them, activations one pass over each output's gradient, units one over each output of
    a nonlinearity, updates a copy of the weights during the optimizer's step, time the gates and an adjoint recursion.

    Example:
        >>> import torch, gradstudy as gs
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with gs.track(model, optimizer) as tracker:
        ...     for _ in range(3):
        ...         loss = model(torch.ones(8, 3)).pow(2).mean()
        ...         optimizer.zero_grad()
        ...         loss.backward()
        ...         optimizer.step()
        ...         tracker.step(loss=loss)
        >>> sorted(tracker.to_frame()["quantity"].unique())[:4]
        ['activation_gradient', 'clip_factor', 'dead_fraction', 'layer_gradient']
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        every: int | Mapping[str, int] = 1,
        scaler: Any = None,
        path: str | Path | None = None,
        keep: int = 1_000_000,
    ) -> None:
        self.schedule: Schedule = make_schedule(every)
        model = check_model(model, self.schedule)
        check_scaler(scaler)
        optimizer, owned = (None, {}) if optimizer is None else check_optimizer(optimizer, model)
        self.steps = 0
        self.latest: tuple[Row, ...] = ()
        self._history = History(keep, None if path is None else Path(path))
        self._number = 0
        self._refused: dict[str, GradstudyError] = {}
        self._session: Session | None = None
        self._make: Callable[[], Session] | None = lambda: Session(
            model, optimizer, owned, scaler, self.schedule, self._history
        )

    def __enter__(self) -> Self:
        if self._make is None:
            raise TrackingError(
                "a tracker that is entered for the second time",
                needed="one `with` a tracker",
                why="its hooks were set once, or are gone",
                remedy="make another with gs.track(...); with path= it goes on with the same file",
            )
        self._number = self._history.open()
        self._session, self._make = self._make(), None
        try:
            self._session.start(self._number)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        self._history.close()

    def step(self, loss: Tensor | float | None = None) -> None:
        """Keep what was measured since the last call. To be called after `backward()`, once a training step.

        Args:
            loss: of the step, to be kept beside the gradients: a number or a tensor of one.

        Raises:
            TrackingError: outside the `with`, or without a `backward()` since the last call.
            LossError: the loss is not one number.
            StorageError: the disk is full.
        """
        session = self._opened()
        if not session.gradients.heard:
            raise TrackingError(
                f"tracker.step() at step {self._number} without a backward() since the last",
                needed="one call after each loss.backward() that reaches a parameter of this model",
                why="there is no gradient to measure, and an empty step would look like a calm one",
                remedy="call it in the training loop only, behind loss.backward(); check that the loss depends on the "
                "model",
            )
        self.latest = (*_loss_rows(loss), *session.rows())
        self._history.add(self._number, self.latest)
        self._refused = dict(session.time.refused)
        self.steps += 1
        self._number += 1
        session.start(self._number)

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """What was measured as a tidy table, one number a row.

        Columns: `step` from 0; `quantity`; `name` of the parameter, layer or module; `index`: timestep or index of a
        singular value, empty for others; `value`; `log_value`, its natural logarithm for sizes (exact where `value`
        underflows to 0), or `log10_value`; `non_finite`: NaN or infinite entries behind the number. A parameter
        without gradient has the value NaN and no non-finite entries.
        """
        frame = self._history.frame()
        if log10:
            frame["log_value"] /= LN10
            frame = frame.rename(columns={"log_value": "log10_value"})
        return frame

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, the most severe first, each with evidence and remedy; see `gradstudy.track.diagnosis`."""
        refused = tuple(
            Finding("note", f"layer {name} is not measured through time", error.came, error.remedy)
            for name, error in self._refused.items()
        )
        return findings(self._history.frame()) + refused

    def plot(self, kind: str = "flow", ax: Axes | None = None, *, name: str | None = None) -> Axes:
        """Draw one picture of what was measured.

        Args:
            kind: "flow": gradient norm by layer, first to last, with its spread over steps; "layers": the same over
                steps, as a heat map; "activations": that of the gradients at the modules' outputs; "time": |dL/dh_t|
                over timesteps and steps; "spectrum", "jacobians": histograms of the singular values of the weights, and
                of the last links of recurrent layers, at the first and the last measured step.
            ax: axes to draw on; a new figure otherwise.
            name: the layer or weight to draw alone; "time" draws one, by default the last.

        Raises:
            OptionError: another kind, or one for which nothing was measured.
        """
        from gradstudy.plot import tracked

        return tracked.plot(self.to_frame(log10=True), kind, ax, name)

    def __repr__(self) -> str:
        state = "open" if self._session is not None else "closed"
        return f"Tracker({self.steps} steps, {len(self._history)} rows, {state}; {dict(self.schedule.every)})"

    def _opened(self) -> Session:
        if self._session is None:
            raise TrackingError(
                "tracker.step() outside the `with`",
                needed="with gs.track(model, optimizer) as tracker: around the loop",
                why="hooks are set when the block is entered, and removed when it is left",
                remedy="move the loop into the block",
            )
        return self._session


def _loss_rows(loss: Tensor | float | None) -> list[Row]:
    if loss is None:
        return []
    if isinstance(loss, Tensor) and loss.numel() != 1:
        raise LossError(
            f"a loss of shape {tuple(loss.shape)}",
            needed="one number",
            why="the table holds one loss a step",
            remedy="pass the loss that backward() was called on",
        )
    value = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
    return [plain_row("loss", "", value, non_finite=int(not math.isfinite(value)))]

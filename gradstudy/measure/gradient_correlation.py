"""Shattering: how alike the gradients with respect to two inputs are, over networks drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradstudy.chains.checks import unsupported
from gradstudy.errors import InputShapeError, ModelsError, OptionError
from gradstudy.measure.input_gradients import check_model, input_gradients
from gradstudy.measure.result import LN10, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class GradientCorrelation(Result):
    """Correlation over draws of dF/dx at pairs of inputs. Standard errors are by jackknife over the models.

    Args:
        correlation: `(P, P)`, float64; NaN for an input whose gradient is the same in all models.
        correlation_stderr: `(P, P)`; NaN with 2 models.
        log_variance: natural log of the variance over the models of a component of the gradient, mean over the
            components, `(P,)`; -inf for 0.
        log_variance_stderr: its standard error in nats, `(P,)`.
        distance: Euclidean distance of the inputs, `(P, P)`.
        mean_correlation: mean over all pairs i < j.
        mean_correlation_stderr: its standard error, pairs of one model not taken as independent.
        models: number of models.
        coupled: whether in any model a row's output depends on the other rows.
    """

    correlation: Float[Tensor, "inputs inputs"]
    correlation_stderr: Float[Tensor, "inputs inputs"]
    log_variance: Float[Tensor, " inputs"]
    log_variance_stderr: Float[Tensor, " inputs"]
    distance: Float[Tensor, "inputs inputs"]
    mean_correlation: float
    mean_correlation_stderr: float
    models: int
    coupled: bool

    def to_frame(self, log10: bool = False) -> pd.DataFrame:
        """One row a pair i < j: `i`, `j`, `distance`, `correlation`, `stderr`, and both `log_variance_i`, `_j`."""
        i, j = torch.triu_indices(len(self.distance), len(self.distance), 1)
        unit, name = (LN10, "log10_variance") if log10 else (1.0, "log_variance")
        columns = {
            "i": i,
            "j": j,
            "distance": self.distance[i, j],
            "correlation": self.correlation[i, j],
            "stderr": self.correlation_stderr[i, j],
            f"{name}_i": self.log_variance[i] / unit,
            f"{name}_j": self.log_variance[j] / unit,
        }
        return pd.DataFrame({key: value.cpu().numpy() for key, value in columns.items()})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Correlation of each pair against the distance of its inputs, with standard errors."""
        from gradstudy.plot.gradient_correlation import plot

        return plot(self.to_frame(), ax)

    def _summary(self) -> str:
        return (
            f"{len(self.distance)} inputs, {self.models} models, "
            f"mean correlation {self.mean_correlation:.4g} +- {self.mean_correlation_stderr:.2g}"
        )


def gradient_correlation(
    models: Iterable[nn.Module], inputs: Tensor, *, output: Callable[[Any], Tensor] | None = None
) -> GradientCorrelation:
    """Correlation, over independently drawn models, of dF/dx between pairs of inputs.

    With g_i the gradient of the scalar F(x_i) with respect to x_i and Cov the covariance over the models,

        correlation_ij = sum_c Cov(g_ic, g_jc) / sqrt(sum_c Var(g_ic) sum_c Var(g_jc)),

    the sums running over the components c of an input. 1: both inputs see the same gradient; 0: shattered.

    All inputs go through a model as one batch, in the mode it is in. Where rows are coupled, as by BatchNorm in train
    mode, g_i is the gradient of row i's own output with respect to row i's own input, through the batch statistics
    too; the paths from x_i to other rows' outputs do not count. Models are left as they were: parameters, `.grad`,
    running statistics, mode and random state.

    Args:
        models: independently initialised models of one architecture, at least 2; a generator is asked for one at a
            time and may itself draw from torch's generator.
        inputs: `(P, ...)`, P >= 2 inputs.
        output: from what a model returns to one number a row, such as `lambda y: y[:, 0]`; needed unless the model
            itself returns `(P,)` or `(P, 1)`.

    Returns:
        GradientCorrelation.

    Raises:
        ModelsError: fewer than 2 models, models of different shapes, or models that are all the same.
        OutputError: the output is not one number a row, or does not depend on the input.
        InputShapeError: fewer than 2 inputs.
        DTypeError: inputs that are integer, complex, or of another dtype than the model.
        NonFiniteError: a weight, an input, an output or a gradient is NaN or infinite; the model is named.
        UnsupportedModuleError: no torch model, or one that draws random numbers (dropout in train mode).
        OptionError: output is not callable.

    Cost: a model takes one forward pass, a backward pass, and one more (for more than 32 inputs: two) to see whether
    rows are independent; if they are not, P backward passes. All gradients are kept, models * P * d numbers, and
    2 models * P^2 * d operations correlate them.

    Source: Balduzzi, Frean, Leary, Lewis, Ma and McWilliams 2017, The shattered gradients problem (there the gradient
    of one unit, for which covariance and correlation need no centring: over draws its mean is 0).

    Example:
        >>> import torch, gradstudy as gs
        >>> models = (torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        ...           for _ in range(20))
        >>> found = gs.gradient_correlation(models, torch.randn(3, 4))
        >>> tuple(found.correlation.shape), found.models
        ((3, 3), 20)
    """
    if output is not None and not callable(output):
        raise OptionError(
            f"output={output!r}",
            needed="a callable from what a model returns to one number a row",
            why="F has to be one function",
            remedy="leave it out for models of one output, or give for instance lambda y: y[:, 0]",
        )
    _check_inputs(inputs)
    gradients, coupled = _gradients(models, inputs, output)
    how = "one backward pass a row, rows coupled" if coupled else "one backward pass a model"
    points = inputs.detach().reshape(len(inputs), -1).double()
    distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    with torch.no_grad():
        return _statistics(gradients, distance, how, coupled)


def _check_inputs(inputs: object) -> None:
    if not isinstance(inputs, Tensor):
        raise unsupported(f"inputs of type {type(inputs).__name__}", "a tensor", "stack the inputs to one tensor")
    if inputs.dim() == 0 or len(inputs) < 2 or inputs.numel() == 0:
        raise InputShapeError(
            f"inputs of shape {tuple(inputs.shape)}",
            needed="(P, ...) with P of at least 2 inputs",
            why="the correlation is that between pairs of inputs",
            remedy="stack at least two inputs on the first axis",
        )


def _gradients(
    models: Iterable[nn.Module], inputs: Tensor, output: Callable[[Any], Tensor] | None
) -> tuple[Tensor, bool]:
    """The gradients of every model, `(models, P, d)`, and whether rows are coupled in any."""
    if not isinstance(models, Iterable) or (isinstance(models, nn.Module) and not isinstance(models, nn.ModuleList)):
        raise unsupported(
            f"models of type {type(models).__name__}",
            "an iterable of independently initialised models",
            "give a list, or a generator such as (make() for _ in range(100))",
        )
    found, coupled = [], False
    shapes: dict[str, tuple[int, ...]] | None = None
    for number, model in enumerate(models):
        name = f"model {number}"
        check_model(model, name)
        shapes = _shapes(model) if shapes is None else shapes
        if _shapes(model) != shapes:
            raise _different(name, shapes, _shapes(model))
        one = input_gradients(model, inputs, output, name)
        found.append(one.values)
        coupled = coupled or one.coupled
    if len(found) < 2:
        raise ModelsError(
            f"{len(found)} model(s)",
            needed="at least 2 independently initialised models; some hundred for a small standard error",
            why="the correlation is taken over draws of the network",
            remedy="give a list or a generator of models, such as (make() for _ in range(100))",
        )
    gradients = torch.stack(found)
    if gradients.any() and bool((gradients == gradients[0]).all()):
        raise ModelsError(
            f"{len(found)} models with the same gradients",
            needed="models drawn independently of each other",
            why="without variance over the draws there is no correlation",
            remedy="initialise each model anew, and do not set the same seed before each",
        )
    return gradients, coupled


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items() if isinstance(value, Tensor)}


def _different(name: str, first: dict[str, tuple[int, ...]], other: dict[str, tuple[int, ...]]) -> ModelsError:
    where = next(key for key in {**first, **other} if first.get(key) != other.get(key))
    return ModelsError(
        f"{name} with {where} of shape {other.get(where)}, where model 0 has {first.get(where)}",
        needed="models of one architecture",
        why="draws of different networks have no common variance",
        remedy="measure each architecture in a call of its own",
    )


def _statistics(gradients: Tensor, distance: Tensor, how: str, coupled: bool) -> GradientCorrelation:
    """Correlations and variances with their jackknife errors.

    Leaving model k out of the scatter A = sum_k z_k z_k^T of centred gradients leaves A - K / (K - 1) z_k z_k^T.
    """
    count, _, size = gradients.shape
    method, dtype = f"{how}, jackknife over {count} models", gradients.dtype
    peak = gradients.abs().amax((0, 2)).double()  # squares of small gradients would underflow
    centred = gradients.double() / torch.where(peak == 0, 1.0, peak)[:, None]
    centred -= centred.mean(0)
    scatter = torch.einsum("kic,kjc->ij", centred, centred)
    correlation, logs, average = _reading(scatter, count, size)
    errors = [torch.full_like(value, torch.nan) for value in (correlation, logs, average)]
    if count > 2:
        errors = _jackknife(centred, scatter, (correlation, logs, average))
    return GradientCorrelation(
        method,
        dtype,
        correlation,
        errors[0],
        logs + 2 * peak.log(),
        errors[1],
        distance,
        average.item(),
        errors[2].item(),
        count,
        coupled,
    )


def _reading(scatter: Tensor, count: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Correlations, log variances and the mean correlation over pairs, from a scatter matrix of so many models."""
    squares = scatter.diagonal().clamp(min=0)
    roots = squares.sqrt()
    correlation = (scatter / roots[:, None] / roots).clamp(-1, 1)
    first, second = torch.triu_indices(len(scatter), len(scatter), 1, device=scatter.device)
    return correlation, (squares / ((count - 1) * size)).log(), correlation[first, second].mean()


def _jackknife(centred: Tensor, scatter: Tensor, whole: tuple[Tensor, ...]) -> list[Tensor]:
    """Standard errors: root of (K - 1) / K times the squared deviations of the estimates with one model left out."""
    count, _, size = centred.shape
    sums, squares = [torch.zeros_like(v) for v in whole], [torch.zeros_like(v) for v in whole]
    for one in centred:
        left = _reading(scatter - count / (count - 1) * (one @ one.T), count - 1, size)
        for total, square, value, estimate in zip(sums, squares, left, whole, strict=True):
            total += value - estimate
            square += (value - estimate) ** 2
    share = (count - 1) / count
    return [
        (share * (square - total**2 / count)).clamp(min=0).sqrt() for total, square in zip(sums, squares, strict=True)
    ]

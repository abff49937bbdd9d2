"""A suspected witness against the bound on temporal components, recomputed in 50 digits."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
import pandas as pd
from torch import Tensor

from gradstudy.measure.subject import Subject
from gradstudy.models.pascanu import Activation, PascanuRNN

# gamma as exact fractions, once more on purpose: the recomputation shares no code with what it checks.
_GAMMA = {"tanh": (1, 1), "sigmoid": (1, 4), "relu": (1, 1), "linear": (1, 1)}


def margin_in_digits(subject: Subject, lag: int, digits: int = 50) -> float:
    """log |dE_T/dx_{T-lag}| - log |dE_T/dx_T| - lag log(gamma sigma_1(W)), all from the weights in high precision.

    States, slopes, products, sigma_1 and logarithms are computed anew with mpmath from the float64 weights, start and
    drives, read as exact numbers.

    Args:
        subject: what a search left; one row.
        lag: links between the two ends, 1 .. T.
        digits: decimal digits.

    Returns:
        The margin in nats; above 0 the bound is violated.

    Cost: O(T n^2 + n^3) operations in software.
    """
    with mpmath.workdps(digits):
        module = subject.network.module
        assert isinstance(module, PascanuRNN)
        acting = _exact(module.weight_rec.detach())
        slopes = _slopes(module, acting, subject)
        vector = _exact(subject.cotangent.T)
        start = mpmath.log(mpmath.norm(vector))
        for slopes_t in reversed(slopes[len(slopes) - lag :]):
            pulled = acting.T * vector
            vector = mpmath.matrix([s * p for s, p in zip(slopes_t, pulled, strict=True)])
        return float(mpmath.log(mpmath.norm(vector)) - start - lag * _log_bound(subject))


def growth_margin_in_digits(subject: Subject, digits: int = 50) -> float:
    """log sigma_1(J_T ... J_1) - T log(gamma sigma_1(W)), all from the weights in high precision; see above."""
    with mpmath.workdps(digits):
        module = subject.network.module
        assert isinstance(module, PascanuRNN)
        acting = _exact(module.weight_rec.detach())
        product = mpmath.eye(acting.rows)
        for slopes in _slopes(module, acting, subject):
            product = acting * mpmath.diag(slopes) * product
        return float(mpmath.log(_norm(product)) - len(subject.inputs) * _log_bound(subject))


def confirm(subjects: Sequence[Subject], conditions: pd.DataFrame, *, most: int = 3) -> pd.DataFrame:
    """Recompute the suspected witnesses among searched subjects in 50 digits.

    Args:
        subjects: of `random_subjects(..., pre_activation=True)` or `adversarial_subjects`, one row each.
        conditions: their `spectral_conditions`.
        most: how many to recompute of either margin, the largest first.

    Returns:
        The conditions with the columns `component_margin_50_digits` (at the lag where it is largest) and
        `growth_margin_50_digits`, in nats; NaN where the margin is at most 1e-9 (nothing to confirm) or the network is
        not among the largest.
    """
    lags = conditions["component_lag"].tolist()
    recompute = {
        "component_margin": lambda i: margin_in_digits(subjects[i], lags[i]),
        "growth_margin": lambda i: growth_margin_in_digits(subjects[i]),
    }
    columns = {}
    for margin, in_digits in recompute.items():
        chosen = conditions[margin][conditions[margin] > 1e-9].nlargest(most).index
        found = {i: in_digits(i) for i in chosen}
        columns[f"{margin}_50_digits"] = pd.Series(found, index=conditions.index, dtype=float)
    return conditions.assign(**columns)


def _log_bound(subject: Subject) -> mpmath.mpf:
    numerator, denominator = _GAMMA[subject.activation]
    return mpmath.log(mpmath.mpf(numerator) / denominator * _norm(_exact(subject.network.weight)))


def _norm(matrix: mpmath.matrix) -> mpmath.mpf:
    """The largest singular value."""
    return mpmath.sqrt(max(mpmath.eigsy(matrix.T * matrix, eigvals_only=True)))


def _exact(value: Tensor) -> mpmath.matrix:
    return mpmath.matrix(value.tolist())


def _slopes(module: PascanuRNN, acting: mpmath.matrix, subject: Subject) -> list[list[mpmath.mpf]]:
    """gain * phi'(x_{t-1}) of every link, from the states recomputed."""
    gain, state = mpmath.mpf(module.gain), [mpmath.mpf(v) for v in subject.start[0].tolist()]
    found = []
    for drive in _drives(subject).tolist():
        values = [_activate(module.activation, x) for x in state]
        found.append([gain * slope for _, slope in values])
        pushed = acting * mpmath.matrix([gain * value for value, _ in values])
        state = [p + mpmath.mpf(d) for p, d in zip(pushed, drive, strict=True)]
    return found


def _drives(subject: Subject) -> Tensor:
    """W_in u_t + b of every step; exact as long as W_in is the identity and b zero, as a search leaves them."""
    module = subject.network.module
    assert isinstance(module, PascanuRNN)
    return (subject.inputs[:, 0] @ module.weight_in.T + module.bias).detach()


def _activate(name: Activation, x: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
    """phi(x) and phi'(x)."""
    if name == "tanh":
        value = mpmath.tanh(x)
        return value, 1 - value * value
    if name == "sigmoid":
        value = 1 / (1 + mpmath.exp(-x))
        return value, value * (1 - value)
    if name == "relu":
        return max(x, mpmath.mpf(0)), mpmath.mpf(1 if x > 0 else 0)
    return x, mpmath.mpf(1)

"""What is wrong with a training run, by its table: each finding with severity, evidence and remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

LN10 = math.log(10)

# Thresholds. Each is a convention: a level at which one should look, not a law.
VANISHING_TIME = 1e-6
"""|dL/dh_1| / |dL/dh_T| below this vanishes through time: a float32 sum keeps nothing of a term below 6e-8 of it, so
with a factor of 20 in hand the first steps no longer count beside the last in any weight's gradient."""

EXPLODING_TIME = 1e3
"""The same above this explodes: an orthogonal recurrence keeps it at 1, and one clipped by its total norm would have
its last steps' share cut a thousandfold."""

VANISHING_DEPTH = 1e-4
"""Of layers with weight matrices, the smallest |dL/dW| over the largest, below this: with one learning rate for all,
the one layer moves ten thousand times less far than the other."""

EXPLODING_TOTAL = 1e3
"""Total gradient norm above this (as it reaches the optimizer, unscaled): a step of rate 1e-3 moves the weights by 1,
the size of a whole layer's weights."""

VANISHED_TOTAL = 1e-7
"""Total gradient norm below this: with float32 weights of size 1 and a rate of 1 a step is lost in rounding."""

LARGE_UPDATE, SMALL_UPDATE = 1e-1, 1e-5
"""|dW| / |W| a step: around 1e-3 is what well tuned training shows; above 0.1 a layer is replaced in ten steps, below
1e-5 it takes a hundred thousand."""

DEAD = 0.5
"""Fraction of a layer's ReLU units that are zero over the whole batch; half of its width is then lost."""

SATURATED = 0.5
"""Fraction of a layer's tanh or sigmoid outputs (or of a gate's activations) at the flat ends."""

OFTEN = 0.9
"""Fraction of steps that are clipped, above which the threshold, and not the gradient, sets the step's length."""

Severity = Literal["error", "warning", "note"]
_ORDER = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing to look at.

    Args:
        severity: "error": training cannot go on well; "warning": part of the network hardly learns, or a setting is far
            off; "note": something was not measured.
        what: in one line.
        evidence: the numbers, and at which step or over how many.
        remedy: what to try.
    """

    severity: Severity
    what: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.what}\n  evidence: {self.evidence}\n  what to try: {self.remedy}"


def findings(table: pd.DataFrame) -> tuple[Finding, ...]:
    """Findings of a tracker's table, the most severe first.

    A norm is judged by its median over the later half of its measured steps, so that neither the first moments nor one
    outlier decides; what is not finite counts from its first occurrence and at every step.

    Args:
        table: of `tracker.to_frame()`, or read back from disk.
    """
    checks = (_non_finite, _through_time, _depth, _total, _without_gradient, _updates, _units, _clipping)
    found = [finding for check in checks for finding in check(table)]
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.severity)))


def _non_finite(table: pd.DataFrame) -> Iterator[Finding]:
    losses = table[(table["quantity"] == "loss") & ~table["value"].abs().lt(math.inf)]
    if len(losses):
        yield Finding(
            "error",
            f"the loss is {losses['value'].iloc[0]:g}",
            f"first at step {losses['step'].iloc[0]}, at {len(losses)} steps",
            "lower the learning rate; look for logarithms, roots or divisions of 0 in the loss",
        )
    wrong = table[table["non_finite"] > 0]
    for quantity, what in (
        ("parameter_gradient", "gradient of parameter"),
        ("activation_gradient", "gradient at the output of"),
        ("hidden_gradient", "gradient at the states of layer"),
    ):
        rows = wrong[wrong["quantity"] == quantity]
        if len(rows):
            first = rows.iloc[0]
            names = list(dict.fromkeys(rows["name"]))
            yield Finding(
                "error",
                f"non-finite {what} {first['name']}" + (f" and {len(names) - 1} others" if len(names) > 1 else ""),
                f"{first['non_finite']} entries, first at step {first['step']}, at {rows['step'].nunique()} steps",
                "at single steps under a gradient scaler this is how it finds its scale; else lower the learning rate, "
                "clip by norm, or look for an operation whose derivative is infinite",
            )


def _through_time(table: pd.DataFrame) -> Iterator[Finding]:
    rows = table[(table["quantity"] == "hidden_gradient") & (table["index"] >= 1)]
    for name, layer in rows.groupby("name", sort=False):
        by_time = layer.pivot_table(index="step", columns="index", values="log_value", aggfunc="last", dropna=False)
        late = _later(by_time)
        last = late.columns.max()
        ratio = (late[1] - late[last]).median()  # of the logarithms: an exact zero at t = 1 is -inf
        if last == 1 or math.isnan(ratio):
            continue
        evidence = (
            f"|dL/dh_1| is {_power(ratio)} of |dL/dh_{last}| (median over {len(late)} steps, {_rate(ratio, last)})"
        )
        if ratio < math.log(VANISHING_TIME):
            yield Finding(
                "warning",
                f"vanishing through time in layer {name}: {evidence.partition(' (')[0]}",
                evidence,
                "use a gated layer with a forget bias above 0, orthogonal recurrent weights, or shorter sequences; "
                "look at tracker.plot('time')",
            )
        elif ratio > math.log(EXPLODING_TIME):
            yield Finding(
                "warning",
                f"exploding through time in layer {name}: {evidence.partition(' (')[0]}",
                evidence,
                "clip the gradient by its norm, or scale the recurrent weights to a spectral radius of at most 1",
            )


def _depth(table: pd.DataFrame) -> Iterator[Finding]:
    """The layer of the smallest gradient beside that of the largest, of its own kind first; an exact zero counts."""
    medians = {name: value for name, value in _medians(table, "layer_gradient").items() if value < math.inf}
    kinds = [logs for logs in (*_by_kind(medians), medians) if max(logs.values(), default=-math.inf) > -math.inf]
    small = next((logs for logs in kinds if _spread(logs) < math.log(VANISHING_DEPTH)), None)
    if small is None:
        return
    least, most = min(small, key=small.__getitem__), max(small, key=small.__getitem__)
    places = list(medians)
    before = places.index(least) < places.index(most)
    other = (
        ""
        if small is not medians
        else "layers of different kinds may differ by nature (a query's from a head's); else "
    )
    yield Finding(
        "warning",
        f"small gradient in layer {least}: |dL/dW| is {_power(_spread(small))} of that of layer {most}",
        f"medians {_power(small[least])} and {_power(small[most])}; {least} comes {'before' if before else 'after'} "
        f"{most} in the model",
        f"{other}normalise between layers, initialise for the nonlinearity (He for ReLU), or add skip connections; "
        "look at tracker.plot('flow')",
    )


def _spread(logs: dict[str, float]) -> float:
    return min(logs.values()) - max(logs.values())


def _by_kind(medians: dict[str, float]) -> list[dict[str, float]]:
    """Layers with the same last word, digits apart, from the widest spread on: queries are compared with queries."""
    kinds: dict[str, dict[str, float]] = {}
    for name, value in medians.items():
        kinds.setdefault(name.rpartition(".")[2].rstrip("0123456789_"), {})[name] = value
    audible = (logs for logs in kinds.values() if max(logs.values()) > -math.inf)
    return sorted(audible, key=_spread)


def _total(table: pd.DataFrame) -> Iterator[Finding]:
    rows = table[table["quantity"] == "total_gradient"]
    if not len(rows):
        return
    factor = table[table["quantity"] == "clip_factor"].groupby("step")["log_value"].last()
    logs = rows.set_index("step")["log_value"]
    seen = logs + factor.reindex(logs.index).fillna(0.0)
    typical = _later(seen).median()
    if typical > math.log(EXPLODING_TOTAL):
        yield Finding(
            "error",
            f"exploding gradient: a total norm of {_power(typical)} reaches the optimizer",
            f"median over the later half of {len(seen)} steps; largest {_power(seen.max())} at step {seen.idxmax()}",
            "clip the gradient by its norm, lower the learning rate, or check how the loss is averaged",
        )
    elif typical < math.log(VANISHED_TOTAL):
        yield Finding(
            "warning",
            f"vanished gradient: a total norm of {_power(typical)}",
            f"median over the later half of {len(seen)} steps",
            "check that the loss depends on the inputs, and look for saturated units at the output",
        )


def _without_gradient(table: pd.DataFrame) -> Iterator[Finding]:
    rows = table[table["quantity"] == "parameter_gradient"]
    missing = rows["value"].isna() & (rows["non_finite"] == 0)
    never = missing.groupby(rows["name"], sort=False).all()
    names = list(never[never].index)
    if names:
        yield Finding(
            "warning",
            f"parameter without gradient: {_some(names)}",
            f"requires a gradient and got none at any of {rows['step'].nunique()} steps",
            "the loss does not depend on it: use its module in forward, or freeze it with requires_grad_(False)",
        )


def _updates(table: pd.DataFrame) -> Iterator[Finding]:
    logs = _medians(table, "layer_update")
    for off, size, remedy in (
        (lambda x: math.log(LARGE_UPDATE) < x < math.inf, "large", "lower the learning rate, or warm it up"),
        (lambda x: x < math.log(SMALL_UPDATE), "small", "raise the learning rate; look at these layers' gradients"),
    ):
        found = {name: value for name, value in logs.items() if off(value)}
        if found:
            worst = (max if size == "large" else min)(found, key=found.__getitem__)
            yield Finding(
                "warning",
                f"update too {size} in {_layers(list(found))}",
                f"|dW| / |W| is {_power(found[worst])} a step in layer {worst} (median); about 1e-3 is usual",
                remedy,
            )


def _units(table: pd.DataFrame) -> Iterator[Finding]:
    for quantity, most, what, remedy in (
        (
            "dead_fraction",
            DEAD,
            "dead units",
            "lower the learning rate, use a leaky nonlinearity, or normalise before it",
        ),
        ("saturated_fraction", SATURATED, "saturated units", "smaller initial weights, or normalise before it"),
        ("gate_saturation", SATURATED, "a saturated gate", "smaller initial weights, or a smaller learning rate"),
    ):
        rows = table[table["quantity"] == quantity]
        for name, values in rows.groupby("name", sort=False)["value"]:
            typical = _later(values).median()
            if typical > most:
                yield Finding(
                    "note" if quantity == "gate_saturation" else "warning",
                    f"{what} in {name}",
                    f"{typical:.0%} (median over the later half of {len(values)} steps)",
                    remedy,
                )


def _clipping(table: pd.DataFrame) -> Iterator[Finding]:
    factors = table[table["quantity"] == "clip_factor"]["value"]
    clipped = factors < 1 - 1e-4  # gradients below the threshold are multiplied by 1, or by what rounds to it
    if len(factors) and clipped.mean() > OFTEN:
        yield Finding(
            "note",
            "clipping at nearly every step",
            f"{clipped.sum()} of {len(factors)} steps, median factor {factors[clipped].median():.2g}",
            "if this is meant as normalisation of the step, so be it; else raise the threshold above the usual norm",
        )


def _medians(table: pd.DataFrame, quantity: str) -> dict[str, float]:
    """Median over the later half of the steps of each name's logarithm, in the model's order."""
    rows = table[table["quantity"] == quantity]
    by_name = rows.groupby("name", sort=False)["log_value"]
    return {str(name): float(_later(values).median()) for name, values in by_name}


def _later(values: Any) -> Any:
    """The later half of the rows."""
    return values.iloc[len(values) // 2 :]


def _power(log_value: float) -> str:
    """E to the log in digits that a double cannot hold."""
    if not math.isfinite(log_value):
        return "exactly 0" if log_value < 0 else f"{log_value}"
    exponent = math.floor(log_value / LN10)
    mantissa = math.exp(log_value - exponent * LN10)
    if -3 <= exponent < 4:
        return f"{math.exp(log_value):.3g}"
    return f"{mantissa:.1f}e{exponent}" if round(mantissa, 1) < 10 else f"1.0e{exponent + 1}"


def _rate(ratio: float, last: int) -> str:
    return f"{ratio / (last - 1):+.2f} nats a step back" if math.isfinite(ratio) else "exact zeros"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _layers(names: list[str]) -> str:
    return f"layer{'s' if len(names) > 1 else ''} {_some(names)}"

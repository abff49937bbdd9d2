"""Statement L9 of Neychev's lecture, 2019: a GRU is quicker to compute and has fewer parameters than an LSTM."""

from __future__ import annotations

import math

import numpy as np

from gradstudy.claims.claim import Claim, Control, Estimate, Region, Tables, Verdict
from gradstudy.claims.conditions import conditions
from gradstudy.claims.families import Measure, planted
from gradstudy.claims.intervals import mean_estimate

SOURCE = "neychev2019: LSTM and GRU"
# "Exactly" 3/4 leaves no more than this.
EXACT = 0.001
# A GRU that takes more than this part of what an LSTM takes is not quicker.
QUICKER = 0.95
# Rounding of a ratio of two counts.
_ROUNDING = 1e-12


def parameter_ratio(tables: Tables) -> tuple[Estimate, ...]:
    """L9a: parameters of the GRU over those of the LSTM, the size where they are farthest from 3/4; by layout."""
    found = []
    for layout, rows in tables["parameters"].groupby("layout", sort=True):
        ratios = rows["ratio"].to_numpy()
        ratio = float(ratios[np.abs(ratios - 0.75).argmax()])
        found.append(_exact(ratio, len(ratios), "of the LSTM's parameters", str(layout)))
    return tuple(found)


def flop_ratio(match: str) -> Measure:
    """L9b: operations of a GRU's step over those of an LSTM's, one condition a size.

    Args:
        match: units or parameters, which both have as many of.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        rows = tables["flops"]
        rows = rows[rows["match"] == match]
        return tuple(
            _exact(float(part["ratio"].max()), len(part), "of the LSTM's operations", f"{units} units")
            for units, part in rows.groupby("units", sort=True)
        )

    return measure


def time_ratio(match: str, *implementations: str) -> Measure:
    """L9c and L9d: log of the ratio of running times, mean over processes; one condition an implementation and size.

    Args:
        match: units or parameters, which both have as many of.
        implementations: see `training.gated_costs.times`.
    """

    def measure(tables: Tables) -> tuple[Estimate, ...]:
        rows = tables["times"]
        rows = rows[(rows["match"] == match) & rows["implementation"].isin(implementations)]
        found = conditions(rows, ["implementation", "units"])
        return tuple(
            mean_estimate(np.log(part["ratio"]).tolist(), "log ratio", condition=f"{name} units", conditions=len(found))
            for name, part in found
        )

    return measure


def _exact(ratio: float, n: int, unit: str, condition: str) -> Estimate:
    return Estimate(ratio, ratio - _ROUNDING, ratio + _ROUNDING, n, unit, condition)


_STAND_IN = "the GRU's place is taken by the LSTM itself, which works at this part of the steps:"
_WORK = planted("fewer-operations", "as-many-operations", _STAND_IN, ("0.9", "1"))
_TIME = planted(
    "quicker",
    "not-quicker",
    "the GRU's place is taken by the LSTM itself, of whose running time this part is told:",
    ("0.9", "1"),
)
_EQUAL = {
    "units": "As many units in both, 16, 64 and 128; the lecture does not say what is held equal.",
    "parameters": "As many parameters in both (LSTM: 16, 64 and 128 units; GRU: 19, 75 and 149).",
}
_COUNTS = (
    "One step of one sequence, forward, 10 inputs. Operations are counted by closed form, an addition, a "
    "multiplication and a function (sigmoid, tanh) as one each; torch's own counter sees the matrix products, there "
    f"and back, and stands beside them in the table. Quicker means at most {QUICKER:g} times as many. Deterministic: "
    "the interval is the rounding error. "
)
_TIMES = (
    "Forward and backward pass over 20 steps of 20 sequences of 10 inputs, on one thread, GRU and LSTM in turn "
    "within a process, by the process's own clock; a process gives the median ratio over 3 rounds of eleven "
    "passes, once with the GRU first and once with the LSTM, as their geometric mean. The number is "
    f"the logarithm of the ratio, quicker means below log {QUICKER:g}. "
)
_ONE = (
    "Two implementations, each of which runs both cells: gradstudy's populations (float64, backpropagation written "
    "out, two networks side by side), and a loop of nn.LSTMCell or nn.GRUCell with autograd (float32). "
)
_FUSED = "torch's fused nn.LSTM and nn.GRU, on a CPU, float32: what they cost says how well each was written for it. "


def _cost(identity: str, statement: str, setting: str, region: Region, measure: Measure) -> Claim:
    timed = identity[:3] in ("L9c", "L9d")
    return Claim(
        id=identity,
        source=SOURCE,
        source_status="read",
        kind="comparison",
        statement=statement,
        setting=setting,
        region=region,
        replicate="an independent process" if timed else "a size of the layer",
        measure=measure,
        controls=_TIME if timed else _WORK,
    )


_LOG = Region(high=math.log(QUICKER))
CLAIMS = (
    Claim(
        id="L9a",
        source=SOURCE,
        source_status="read",
        kind="equality",
        statement="A GRU has fewer parameters than an LSTM with as many units and inputs: exactly three quarters.",
        setting="Numbers of parameters of the layer, without a read-out, counted on the modules: torch's (two "
        "biases a row), the textbook's with the reset gate before the matrix (one), and those of gradstudy's "
        "populations; 16, 64 and 128 units, 10 inputs. Whatever the layout, the LSTM has four blocks of rows and "
        "the GRU three of the same. The number is that of the size farthest from 3/4. Deterministic.",
        region=Region(0.75 - EXACT, 0.75 + EXACT),
        replicate="a size of the layer",
        measure=parameter_ratio,
        controls=(
            Control("hardly-more-parameters", "the GRU has 0.05 % of the LSTM's parameters more", Verdict.SUPPORTED),
            Control("more-parameters", "the GRU has 0.2 % of the LSTM's parameters more", Verdict.REFUTED),
        ),
    ),
    _cost(
        "L9b1",
        "A GRU needs fewer floating-point operations a step than an LSTM with as many units.",
        _COUNTS + _EQUAL["units"],
        Region(high=QUICKER),
        flop_ratio("units"),
    ),
    _cost(
        "L9b2",
        "A GRU needs fewer floating-point operations a step than an LSTM with as many parameters.",
        _COUNTS + _EQUAL["parameters"],
        Region(high=QUICKER),
        flop_ratio("parameters"),
    ),
    _cost(
        "L9c1",
        "In one and the same implementation a GRU is quicker than an LSTM with as many units, whatever their number.",
        _TIMES + _ONE + _EQUAL["units"],
        _LOG,
        time_ratio("units", "population", "cells"),
    ),
    _cost(
        "L9c2",
        "In one and the same implementation a GRU is quicker than an LSTM with as many parameters.",
        _TIMES + _ONE + _EQUAL["parameters"],
        _LOG,
        time_ratio("parameters", "population", "cells"),
    ),
    _cost(
        "L9d1",
        "torch's fused GRU is quicker than its fused LSTM with as many units.",
        _TIMES + _FUSED + _EQUAL["units"],
        _LOG,
        time_ratio("units", "fused"),
    ),
    _cost(
        "L9d2",
        "torch's fused GRU is quicker than its fused LSTM with as many parameters.",
        _TIMES + _FUSED + _EQUAL["parameters"],
        _LOG,
        time_ratio("parameters", "fused"),
    ),
)

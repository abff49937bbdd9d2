"""What a step of an LSTM and of a GRU costs: parameters, floating-point operations, and time in one implementation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Literal

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gradstudy.measure import baselines
from gradstudy.measure.timing import Action, time_ratios
from gradstudy.models.randomness import generator
from gradstudy.models.textbook_gru import TextbookGRU
from gradstudy.training.backpropagation import gradients, unroll
from gradstudy.training.population import Shape, draw_population

Cell = Literal["lstm", "gru"]
Match = Literal["units", "parameters"]
MATCHES: tuple[Match, ...] = ("units", "parameters")
# Blocks of H rows that multiply the state and the input.
BLOCKS: dict[Cell, int] = {"lstm": 4, "gru": 3}
# Operations a unit and step beside the matrix products, a function (sigmoid, tanh) counted as one, two biases a row:
# LSTM: 12 sums of products and biases, 4 gates, 3 for c, 1 tanh, 1 product; GRU: 9 sums (r W_hn h among them as a sum),
# 3 gates, 1 product with r, 3 for (1 - z) n + z h as n + z (h - n).
ELEMENTWISE: dict[Cell, int] = {"lstm": 12 + 4 + 3 + 1 + 1, "gru": 9 + 3 + 1 + 3}
# Steps of the loop whose operations are counted.
_COUNTED = 20
# Passes of each a round, there and back: odd, so that each follows upon itself, with its memory still warm, as often as
# the other does. With two only the second would. So many that a layer of 16 units, a matter of 3 ms, differs from
# itself by some 1 % (with three passes by some 4 %).
_TURNS = 11


@dataclass(frozen=True)
class Layer:
    """A layer's size and what runs through it.

    Args:
        inputs, units: I and H.
        length, batch: T and B.
        members: networks of a population; the loops of torch's cells and the fused modules run one.
    """

    inputs: int
    units: int
    length: int = 20
    batch: int = 20
    members: int = 2


def layers(sizes: Sequence[int], inputs: int) -> tuple[Layer, ...]:
    """Layers of these numbers of units."""
    return tuple(Layer(inputs, units) for units in sizes)


def parameters(layers: Sequence[Layer], surplus: float | None = None) -> pd.DataFrame:
    """Numbers of parameters of a layer, counted on the modules themselves.

    | layout | LSTM | GRU |
    |---|---|---|
    | torch | `nn.LSTM`, two biases a row | `nn.GRU`, two biases a row |
    | textbook | gradstudy's LSTM, one bias a row | the GRU with the reset gate before the matrix, one bias a row |
    | population | gradstudy's LSTM, one bias a row | gradstudy's GRU, one bias a row |

    Args:
        layers: with H units in both.
        surplus: planted: the GRU has so many parameters more, as a part of the LSTM's.

    Returns:
        One row a layout and size: `layout`, `units`, `lstm`, `gru`, `ratio` of the GRU's to the LSTM's.
    """
    rows = []
    for layer in layers:
        for layout, (lstm, gru) in _counts(layer.inputs, layer.units).items():
            count = gru + round((surplus or 0.0) * lstm)
            rows.append({"layout": layout, "units": layer.units, "lstm": lstm, "gru": count, "ratio": count / lstm})
    return pd.DataFrame(rows)


def flops(layers: Sequence[Layer], stand_in: float | None = None) -> pd.DataFrame:
    """Floating-point operations of a step of one sequence, forward.

    2 G H (I + H) in matrix products, G = 4 or 3 blocks, and `ELEMENTWISE` H beside them. torch's own counter sees the
    matrix products of a loop of `nn.LSTMCell` or `nn.GRUCell`, there and back; what it counted forward must be the
    first number.

    Args:
        layers: with the LSTM's units; the GRU has as many units, or as many parameters.
        stand_in: planted: the GRU's place is taken by the LSTM, which works at this part of the steps alone.

    Returns:
        One row a layer and match: `match`, `units`, `gru_units`, and for `lstm` and `gru`: `_matmul`, `_elementwise`,
        `_counted` (the counter's, forward), `_counted_back` (backward alone); `ratio` of the GRU's sum of the first
        two to the LSTM's, `counted_ratio` of what was counted, there and back.
    """
    rows = []
    for layer in layers:
        for match in MATCHES:
            gru, cell = _rival(layer, match, stand_in is not None)
            steps = round((stand_in or 1.0) * _COUNTED)
            one, other = _operations(layer, "lstm", _COUNTED), _operations(gru, cell, steps)
            total = [sum(found[:2]) for found in (one, other)]
            counted = [sum(found[2:]) for found in (one, other)]
            names = ("matmul", "elementwise", "counted", "counted_back")
            row: dict[str, object] = {"match": match, "units": layer.units, "gru_units": gru.units}
            row |= {f"lstm_{name}": value for name, value in zip(names, one, strict=True)}
            row |= {f"gru_{name}": value for name, value in zip(names, other, strict=True)}
            rows.append(row | {"ratio": total[1] / total[0], "counted_ratio": counted[1] / counted[0]})
    return pd.DataFrame(rows)


def times(layers: Sequence[Layer], rounds: int, seed: int, stand_in: float | None = None) -> pd.DataFrame:
    """Running time of a GRU's pass there and back over an LSTM's, taken in turn in one process, on one thread.

    | implementation | pass |
    |---|---|
    | population | gradstudy's `gradients`, several networks side by side, float64 |
    | cells | a loop of `nn.LSTMCell` or `nn.GRUCell`, autograd, float32 |
    | fused | `nn.LSTM` or `nn.GRU`, autograd, float32 |

    Args:
        layers: with the LSTM's units; the GRU has as many units, or as many parameters.
        rounds: how often each is timed each way, the GRU first and the LSTM first; a way's ratio is the median over
            them, and the ratio told is the geometric mean of both ways.
        seed: of weights and inputs.
        stand_in: planted: the GRU's place is taken by the LSTM, of whose time this part is told. (On fewer steps it
            would not take this part: a pass of a small layer has costs that do not depend on the steps.)

    Returns:
        One row an implementation, layer and match: `implementation`, `match`, `units`, `gru_units`, and the columns of
        `time_ratios` but `baseline`, "ours" being the GRU.
    """
    rows = []
    for layer in layers:
        for match in MATCHES:
            gru, cell = _rival(layer, match, stand_in is not None)
            for name, build in _PASSES.items():
                lstm = partial(build, layer, "lstm", layer.length, seed)
                found = _in_both_places(partial(build, gru, cell, layer.length, seed), lstm, rounds)
                found |= {key: found[key] * (stand_in or 1.0) for key in ("ratio", "low", "high", "milliseconds")}
                of = {"implementation": name, "match": match, "units": layer.units, "gru_units": gru.units}
                rows.append(of | found)
    return pd.DataFrame(rows)


def _in_both_places(ours: Callable[[], Action], others: Callable[[], Action], rounds: int) -> dict[str, float]:
    """Ratio of two actions' times, each built and timed first in half of the rounds.

    Whichever is built first was up to 7 % slower than the same pass built second; in the geometric mean of both ways
    that cancels.
    """
    action, other = ours(), others()
    first = time_ratios(action, {"second": other}, rounds=rounds, times=_TURNS, clock=process_time).iloc[0]
    other, action = others(), ours()
    second = time_ratios(other, {"first": action}, rounds=rounds, times=_TURNS, clock=process_time).iloc[0]
    return {
        "ratio": math.sqrt(first["ratio"] / second["ratio"]),
        "low": math.sqrt(first["low"] / second["high"]),
        "high": math.sqrt(first["high"] / second["low"]),
        "n": 2 * rounds,
        "milliseconds": (first["milliseconds"] + second["baseline_milliseconds"]) / 2,
        "baseline_milliseconds": (first["baseline_milliseconds"] + second["milliseconds"]) / 2,
    }


def matched_units(layer: Layer, match: Match) -> int:
    """Units of the GRU: the LSTM's, or as give a layer (two biases a row) the nearest number of parameters."""
    if match == "units":
        return layer.units
    wanted = 4 * layer.units * (layer.units + layer.inputs + 2)
    return min(range(layer.units, 2 * layer.units + 1), key=lambda n: abs(3 * n * (n + layer.inputs + 2) - wanted))


def _rival(layer: Layer, match: Match, stood_in: bool) -> tuple[Layer, Cell]:
    """The GRU's layer, or the LSTM that stands in for it."""
    if stood_in:
        return layer, "lstm"
    return Layer(layer.inputs, matched_units(layer, match), layer.length, layer.batch, layer.members), "gru"


def _counts(inputs: int, units: int) -> dict[str, tuple[int, int]]:
    def own(cell: Cell) -> int:
        return draw_population(Shape(cell, inputs, units, 1), "default", [0], seed=0).recurrent[0].numel()

    def numbers(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    textbook = TextbookGRU(inputs, units, generator=torch.Generator().manual_seed(0))
    return {
        "torch": (numbers(nn.LSTM(inputs, units, device="meta")), numbers(nn.GRU(inputs, units, device="meta"))),
        "textbook": (own("lstm"), numbers(textbook)),
        "population": (own("lstm"), own("gru")),
    }


def _operations(layer: Layer, cell: Cell, steps: int) -> tuple[float, float, float, float]:
    """Matrix products and the rest, closed form; matrix products there and back, counted. All a step of `_COUNTED`."""
    share = steps / _COUNTED
    matmul = 2 * BLOCKS[cell] * layer.units * (layer.inputs + layer.units)
    module = _module(layer, cell, seed=0)
    inputs = torch.zeros(steps, 1, layer.inputs)
    there, back = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with there:
        last = _stepped(module, cell, inputs)
    with back:
        last.sum().backward()
    counted = there.get_total_flops() / _COUNTED, back.get_total_flops() / _COUNTED
    return share * matmul, share * ELEMENTWISE[cell] * layer.units, *counted


def _stepped(module: nn.RNNBase, cell: Cell, inputs: Tensor) -> Tensor:
    """The last state of a loop of the module's cell."""
    kind = nn.LSTMCell if cell == "lstm" else nn.GRUCell
    stepping = kind(module.input_size, module.hidden_size, device="meta").to_empty(device="cpu")
    stepping.load_state_dict({name.replace("_l0", ""): value for name, value in module.state_dict().items()})
    zero = inputs.new_zeros(inputs.shape[1], module.hidden_size)
    state = (zero, zero) if cell == "lstm" else zero
    for x in inputs:
        state = stepping(x, state)
    return state[0] if isinstance(state, tuple) else state


def _module(layer: Layer, cell: Cell, seed: int) -> nn.RNNBase:
    population = draw_population(
        Shape(cell, layer.inputs, layer.units, 1), "default", [0], seed=seed, dtype=torch.float32
    )
    return population.modules(0)[0]


def _inputs(layer: Layer, steps: int, seed: int, members: int) -> Tensor:
    stream = generator(seed, 0, "inputs to be timed")
    return torch.randn(members, steps, layer.batch, layer.inputs, generator=stream)


def _population(layer: Layer, cell: Cell, steps: int, seed: int) -> Callable[[], object]:
    population = draw_population(Shape(cell, layer.inputs, layer.units, 1), "default", range(layer.members), seed=seed)
    inputs = _inputs(layer, steps, seed, layer.members).double()
    batch = inputs, torch.zeros(layer.members, 1, layer.batch, 1, dtype=torch.float64)
    unrolled = unroll(population.shape, (layer.members, steps, layer.batch))
    return lambda: gradients(population, unrolled, batch, slice(-1, None), "gaussian")


def _cells(layer: Layer, cell: Cell, steps: int, seed: int) -> Callable[[], object]:
    module, inputs = _module(layer, cell, seed), _inputs(layer, steps, seed, 1)[0]
    return lambda: baselines.stepped_cell(module, inputs)


def _fused(layer: Layer, cell: Cell, steps: int, seed: int) -> Callable[[], object]:
    module, inputs = _module(layer, cell, seed), _inputs(layer, steps, seed, 1)[0]
    return lambda: baselines.fused_forward_backward(module, inputs)


_PASSES: dict[str, Callable[[Layer, Cell, int, int], Callable[[], object]]] = {
    "population": _population,
    "cells": _cells,
    "fused": _fused,
}

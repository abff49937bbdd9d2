"""The chains of an untouched `nn.RNN`, `nn.LSTM` or `nn.GRU`: one a layer and direction, links in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from gradstudy.chains.adjoint import Scaled, adjoint
from gradstudy.chains.chain import Chain, independent_loss
from gradstudy.chains.checks import check_states
from gradstudy.chains.closed_form import ClosedFormLinks
from gradstudy.chains.gru import gru_links
from gradstudy.chains.lstm import lstm_links
from gradstudy.chains.recurrent_call import Place, RecurrentCall
from gradstudy.chains.vanilla import VanillaLinks


@dataclass(frozen=True, eq=False)
class Run:
    """One direction of one layer in a call, measured: its states, its links, and the weights its inputs come in by."""

    states: Tensor
    links: ClosedFormLinks
    weight_in: Tensor
    reverse: bool

    def pull_to_inputs(self, total: Scaled) -> Scaled:
        """Gradients at the layer's inputs, in the order of time, from the total gradients at its states."""
        steps, batch, _ = self.links.before.shape
        rows = total.scaled[1:].flatten(0, 1)
        pulled = (self.links.abreast(0, steps).input_deltas(1, rows) @ self.weight_in).unflatten(0, (steps, batch))
        scale = total.log_scale[1:]
        return Scaled(pulled.flip(0), scale.flip(0)) if self.reverse else Scaled(pulled, scale)


Runs = Mapping[Place, Run]


def runs_of(call: RecurrentCall, place: Place | None = None) -> Runs:
    """What a chain of the place needs: its own run and those of all layers above it; all runs for None."""
    last = call.module.num_layers
    above = product(range(0 if place is None else place.layer + 1, last), call.directions)
    places = [Place(*found) for found in above] + ([] if place is None else [place])
    with torch.no_grad():
        return {found: _run(call, found) for found in places}


def _run(call: RecurrentCall, place: Place) -> Run:
    hidden = torch.cat([call.initial(place, 0)[None], call.hidden(place)])
    check_states(hidden)
    weight, weight_in = call.weight("weight_hh", place), call.weight("weight_ih", place)
    mode = call.module.mode
    if mode in ("RNN_TANH", "RNN_RELU"):
        links = VanillaLinks(weight, hidden[:-1], hidden[1:], "tanh" if mode == "RNN_TANH" else "relu")
        return Run(hidden, links, weight_in, place.reverse)
    below = call.layer_inputs[place.layer]
    inputs = below.flip(0) if place.reverse else below
    bias_in, bias = call.bias("bias_ih", place), call.bias("bias_hh", place)
    if mode == "GRU":
        biases = None if bias_in is None or bias is None else (bias_in, bias)
        return Run(hidden, gru_links((weight_in, weight), biases, inputs, hidden), weight_in, place.reverse)
    both = None if bias_in is None or bias is None else bias_in + bias
    cell = call.initial(place, 1)
    lstm = lstm_links((weight_in, weight, both), inputs, hidden, cell)
    states = torch.cat([hidden, torch.cat([cell[None], lstm.cells])], -1)
    check_states(states)
    return Run(states, lstm, weight_in, place.reverse)


def recurrent_chain(call: RecurrentCall, place: Place, runs: Runs) -> Chain:
    """The chain of one direction of one layer of a call; the module itself stays as it is."""
    run = runs[place]
    symbol = "(h, c)" if call.module.mode == "LSTM" else "h"
    direction = ", reverse" if place.reverse else ""
    return Chain(
        output=call.output,
        states=run.states,
        links=run.links,
        names=tuple(f"{symbol}_{t}" for t in range(len(run.states))),
        method=f"{call.module.mode.lower()} layer {place.layer}{direction}, closed form",
        partials=_partials(call, place, runs),
        weight=lambda: getattr(call.module, f"weight_hh_{place.suffix}"),
    )


def _partials(call: RecurrentCall, place: Place, runs: Runs) -> Callable[[Tensor], Scaled]:
    """Maps a loss to its direct partials with respect to the place's states."""

    def partials(loss: Tensor) -> Scaled:
        output, *ends = torch.autograd.grad(loss, list(call.targets), retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
        if output is None and all(end is None for end in ends):
            raise independent_loss()
        return direct_partials(call, place, runs, output, ends)

    return partials


def direct_partials(
    call: RecurrentCall, place: Place, runs: Runs, output: Tensor | None, ends: Sequence[Tensor | None]
) -> Scaled:
    """Direct partials with respect to a place's states from the gradients at what the module returned.

    A lower layer's come down through the layers above it, each by its own adjoint recursion in the log domain.

    Args:
        call: of the module.
        place: whose states are meant.
        runs: of the place and of all layers above it.
        output: gradient at the output, in the module's layout; None where nothing came.
        ends: gradients at h_n (and c_n), the same way; may be empty.
    """
    output = torch.zeros_like(call.output) if output is None else output
    direct = Scaled.of(call.to_time_major(output))
    for layer in range(call.module.num_layers - 1, place.layer, -1):
        above = [Place(layer, reverse) for reverse in call.directions]
        totals = [adjoint(runs[at].links, _at_states(call, at, runs[at], direct, ends)) for at in above]
        pulled = [runs[at].pull_to_inputs(total) for at, total in zip(above, totals, strict=True)]
        direct = pulled[0] if len(pulled) == 1 else pulled[0] + pulled[1]
    return _at_states(call, place, runs[place], direct, ends)


def _at_states(call: RecurrentCall, place: Place, run: Run, direct: Scaled, ends: Sequence[Tensor | None]) -> Scaled:
    """Direct partials at the states of a place from those at its layer's output and at the final states."""
    size = call.module.hidden_size
    scaled = run.states.new_empty(run.states.shape)
    scaled[0] = 0
    scaled[1:, :, :size] = call.own_order(place, direct.scaled)
    scaled[1:, :, size:] = 0
    log_scale = direct.log_scale.flip(0) if place.reverse else direct.log_scale
    found = Scaled(scaled, torch.cat([torch.zeros_like(log_scale[:1]), log_scale]))
    if any(end is not None for end in ends):
        last = scaled.new_zeros(scaled[-1:].shape)
        for part, end in enumerate(ends):
            if end is not None:
                last[0, :, part * size : (part + 1) * size] = call.at(place, end)
        total = found[-1:] + Scaled.of(last)
        found.scaled[-1:], found.log_scale[-1:] = total.scaled, total.log_scale
    return found

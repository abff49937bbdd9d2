"""Recurrent modules by architecture and initialisation: the networks whose memory the studies compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradstudy.models.initialisations import recurrence
from gradstudy.models.networks import Network, Recurrent
from gradstudy.models.textbook_gru import TextbookGRU

Architecture = Literal["rnn", "lstm", "gru", "textbook-gru"]
Scheme = Literal["default", "orthogonal", "forget-bias-1", "update-bias-1", "small", "large"]

# Standard deviation of the recurrent entries of "large", times sqrt(n): LSTMs of gain 8 are chaotic in some draws only.
LARGE_GAIN = 12.0


@dataclass(frozen=True)
class Design:
    """Networks that differ only in their draw: one layer, time-major, float64.

    The *retaining gate* is the one that is 1 where the state stays: f of an LSTM, z of torch's GRU, 1 - u of the
    textbook GRU. Its bias b is b_ih + b_hh (torch has two), or -b_u.

    Args:
        architecture: rnn (`nn.RNN`, tanh), lstm, gru (torch's) or textbook-gru.
        initialisation: see `draw_recurrent`.
        size: hidden units n.
        input_size: inputs.
        gate_bias: if given, the retaining gate is pinned: its input and recurrent weights 0, b this number.
        gate_slip: planted: the retaining gate is pinned at e^-slip sigmoid(b), b being the bias it would have had.
        weight_scale: planted: factor on all recurrent weights.
    """

    architecture: Architecture
    initialisation: Scheme
    size: int
    input_size: int
    gate_bias: float | None = None
    gate_slip: float | None = None
    weight_scale: float = 1.0

    def __post_init__(self) -> None:
        gated = {"forget-bias-1": "lstm", "update-bias-1": "gru"}.get(self.initialisation, self.architecture)
        if self.architecture != gated:
            raise ValueError(f"initialisation {self.initialisation!r} is one of {gated}, not of {self.architecture}")
        if self.architecture == "rnn" and not self.gate_bias is self.gate_slip is None:
            raise ValueError("a vanilla RNN has no gate to pin; leave gate_bias and gate_slip out")


def draw_recurrent(design: Design, generator: torch.Generator) -> Network:
    """Draw one network of a design.

    | initialisation | draw |
    |---|---|
    | default | torch's: all weights and biases uniform in +-1/sqrt(n) |
    | orthogonal | default, each n x n recurrent block Haar-distributed orthogonal |
    | forget-bias-1 | (lstm) default with b = b_ih + b_hh = 1 in the forget gate |
    | update-bias-1 | (gru) default with b = 1 in the update gate z, which retains more |
    | small | default with the recurrent weights halved |
    | large | default with recurrent entries N(0, 144/n): an LSTM is chaotic |

    Args:
        design: what all draws share.
        generator: source of the draw; the default draw comes first, so that initialisations share it.

    Returns:
        The network; `.start` is the zero state, `(n,)`, of an LSTM (h, c) = 0, `(2n,)`.
    """
    module = _empty(design)
    bound, size = 1 / math.sqrt(design.size), design.size
    for parameter in module.parameters():
        parameter.detach().uniform_(-bound, bound, generator=generator)
    weight = recurrent_weight(module).detach()
    if design.initialisation == "orthogonal":
        for block in weight.split(size):
            block.copy_(recurrence("orthogonal", size, generator).weight)
    if design.initialisation == "large":
        weight.normal_(0, LARGE_GAIN / math.sqrt(size), generator=generator)
    weight *= design.weight_scale * (0.5 if design.initialisation == "small" else 1.0)
    if design.initialisation in ("forget-bias-1", "update-bias-1"):
        _set_bias(module, torch.ones(size, dtype=torch.float64))
    if design.gate_bias is not None:
        _pin(module, torch.full((size,), design.gate_bias, dtype=torch.float64))
    stated = None if design.architecture == "rnn" else gate_bias(module)
    if design.gate_slip is not None and stated is not None:
        _pin(module, _slipped(stated, design.gate_slip))
    states = size * (2 if design.architecture == "lstm" else 1)
    return Network(module, weight.clone(), torch.zeros(states, dtype=torch.float64), stated)


def recurrent_weight(module: Recurrent) -> nn.Parameter:
    """W_hh of a one-layer module, all its blocks."""
    names = ("weight_hh_l0", "weight_hh", "weight_rec")
    return next(parameter for name, parameter in module.named_parameters() if name in names)


def gate_bias(module: Recurrent) -> Float[Tensor, " n"]:
    """Bias b of the retaining gate; with gate weights 0 the gate is sigmoid(b) at every step."""
    rows = _gate_rows(module)
    biases = [parameter.detach()[rows] for name, parameter in module.named_parameters() if name.startswith("bias")]
    total = torch.stack(biases).sum(0)
    return -total if isinstance(module, TextbookGRU) else total


def _empty(design: Design) -> nn.RNNBase | TextbookGRU:
    if design.architecture == "textbook-gru":
        unused = torch.Generator().manual_seed(0)
        return TextbookGRU(design.input_size, design.size, generator=unused).double()
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[design.architecture]
    # Made on the meta device, so that nothing is drawn from the global generator.
    return kind(design.input_size, design.size, device="meta", dtype=torch.float64).to_empty(device="cpu")


def _gate_rows(module: Recurrent) -> slice:
    """Rows of the retaining gate: the second block of every gated architecture (i f g o; r z n; r u candidate)."""
    return slice(module.hidden_size, 2 * module.hidden_size)


def _set_bias(module: nn.RNNBase | TextbookGRU, bias: Tensor) -> None:
    """Give the retaining gate this bias b."""
    values = {"bias": -bias, "bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
    for name, parameter in module.named_parameters():
        if name in values:
            parameter.detach()[_gate_rows(module)] = values[name]


def _pin(module: nn.RNNBase | TextbookGRU, bias: Tensor) -> None:
    """Hold the retaining gate at sigmoid(bias), whatever the input and the state."""
    _set_bias(module, bias)
    for name, parameter in module.named_parameters():
        if name.startswith("weight"):
            parameter.detach()[_gate_rows(module)] = 0.0


def _slipped(bias: Tensor, slip: float) -> Tensor:
    """The bias whose sigmoid is e^-slip times that of `bias`, to all digits where the gate is nearly 1."""
    log_gate = nn.functional.logsigmoid(bias) - slip
    return log_gate - torch.log(-torch.expm1(log_gate))

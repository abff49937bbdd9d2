"""Recurrent networks built around a given recurrent weight matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gradstudy.models.initialisations import Initialisation, Recurrence, recurrence, scaled
from gradstudy.models.pascanu import STEEPEST, Activation, PascanuRNN
from gradstudy.models.textbook_gru import TextbookGRU

Recurrent = nn.RNNBase | PascanuRNN | TextbookGRU


@dataclass(frozen=True)
class Family:
    """Networks that differ only in their draw.

    Args:
        activation: tanh, relu: `nn.RNN`; sigmoid, linear: `PascanuRNN`.
        initialisation: of W, by name.
        size: hidden units n.
        input_size: inputs.
        scale: factor on W.
        rho: if given, W is rescaled to this spectral radius.
        bound: if given, W is rescaled so that gamma sigma_1(W) has this value.
        slope: planted: the activation is this many times steeper than its name says (PascanuRNN only).
        weight_scale: planted: the network runs with this many times the W it is said to have.
    """

    activation: Activation
    initialisation: Initialisation
    size: int
    input_size: int = 1
    scale: float = 1.0
    rho: float | None = None
    bound: float | None = None
    slope: float = 1.0
    weight_scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Network:
    """A recurrent module and the weight matrix it is said to have.

    Args:
        module: nn.RNN, nn.LSTM, nn.GRU (one layer, time-major), PascanuRNN or TextbookGRU, float64.
        weight: the W_hh that rho and sigma_1 are computed from.
        start: the state around which its initialisation is to be watched, `(n,)`; of an LSTM (h, c), `(2n,)`.
        gate_bias: the bias that its retaining gate is said to have been drawn with, `(n,)`; None without such a gate.
    """

    module: Recurrent
    weight: Tensor
    start: Tensor
    gate_bias: Tensor | None = None


def draw_network(family: Family, generator: torch.Generator, *, pre_activation: bool = False) -> Network:
    """Draw one network of a family.

    Input weights are N(0, 1/input_size), biases zero unless the initialisation brings its own.

    Args:
        family: what all draws share.
        generator: source of the draw.
        pre_activation: use the paper's pre-activation form for tanh and relu as well.
    """
    drawn = recurrence(family.initialisation, family.size, generator)
    sigma_1 = None if family.bound is None else family.bound / STEEPEST[family.activation]
    drawn = scaled(drawn, family.scale, rho=family.rho, sigma_1=sigma_1)
    weight_in = torch.randn(family.size, family.input_size, generator=generator, dtype=torch.float64)
    weight_in = weight_in / family.input_size**0.5
    acting = replace(drawn, weight=family.weight_scale * drawn.weight)
    plain = family.activation in ("tanh", "relu") and not pre_activation and family.slope == 1.0
    module = _rnn(family.activation, acting, weight_in) if plain else _pascanu(family, acting, weight_in)
    return Network(module, drawn.weight, drawn.start)


def as_taken(module: Recurrent, start: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    """A start state `(rows, n)` in the form in which the module takes it."""
    if isinstance(module, nn.LSTM):
        h, c = start.chunk(2, dim=1)
        return h[None], c[None]
    return start[None] if isinstance(module, nn.RNNBase) else start


def outputs(module: Recurrent, inputs: Tensor, start: Tensor | None = None) -> Tensor:
    """Outputs of a module, `(T, rows, n)`; torch's modules return their last state besides."""
    state = None if start is None else as_taken(module, start)
    output = module(inputs, state)
    return output[0] if isinstance(module, nn.RNNBase) else output


def linear_network(rate: float, size: int, input_size: int, generator: torch.Generator) -> Network:
    """A linear network whose W is Haar orthogonal times e^rate: a gradient changes by exactly `rate` nats a link."""
    return draw_network(Family("linear", "orthogonal", size, input_size, scale=math.exp(rate)), generator)


def _rnn(activation: str, drawn: Recurrence, weight_in: Tensor) -> nn.RNN:
    size, input_size = weight_in.shape
    # Made on the meta device, so that nothing is drawn from the global generator.
    module = nn.RNN(input_size, size, nonlinearity=activation, device="meta", dtype=torch.float64)
    weights = {"weight_ih_l0": weight_in, "weight_hh_l0": drawn.weight}
    biases = {"bias_ih_l0": torch.zeros_like(drawn.bias), "bias_hh_l0": drawn.bias}
    module.to_empty(device="cpu").load_state_dict({**weights, **biases})
    return module


def _pascanu(family: Family, drawn: Recurrence, weight_in: Tensor) -> PascanuRNN:
    size, input_size = weight_in.shape
    unused = torch.Generator().manual_seed(0)
    module = PascanuRNN(input_size, size, family.activation, gain=family.slope, generator=unused).double()
    with torch.no_grad():
        module.weight_rec.copy_(drawn.weight)
        module.weight_in.copy_(weight_in)
        module.bias.copy_(drawn.bias)
    return module

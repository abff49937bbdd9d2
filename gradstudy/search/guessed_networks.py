"""Small recurrent networks whose weights are guessed, many at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from gradstudy.models.pascanu import Activation, activate


@dataclass(frozen=True, eq=False)
class Weights:
    """Of G independent networks with n hidden units, i inputs and o outputs, all float64.

    A step computes the hidden units and then, from these, the outputs:

        h_t = phi(W [h_{t-1}, y_{t-1}] + V u_t + b),  y_t = psi(R [h_t, y_{t-1}] + Q u_t + c),  h_0 = y_0 = 0.

    Args:
        hidden: W, `(G, n, n + o)`.
        hidden_in: V, `(G, n, i)`.
        hidden_bias: b, `(G, n, 1)`.
        output: R, `(G, o, n + o)`.
        output_in: Q, `(G, o, i)`.
        output_bias: c, `(G, o, 1)`.
    """

    hidden: Tensor
    hidden_in: Tensor
    hidden_bias: Tensor
    output: Tensor
    output_in: Tensor
    output_bias: Tensor


@dataclass(frozen=True, eq=False)
class GuessedNetworks:
    """Networks that run side by side.

    Args:
        weights: of all of them.
        phi: activation of the hidden units.
        psi: of the outputs.
    """

    weights: Weights
    phi: Activation
    psi: Activation

    def __len__(self) -> int:
        return len(self.weights.hidden)

    def __getitem__(self, which: Tensor) -> GuessedNetworks:
        """The networks with these indices."""
        chosen = Weights(*(getattr(self.weights, field.name)[which] for field in fields(Weights)))
        return GuessedNetworks(chosen, self.phi, self.psi)

    def predictions(self, inputs: Tensor, scored: slice) -> Tensor:
        """What each network predicts at the scored steps, `(steps, G, count, o)`.

        Args:
            inputs: `(time, count, i)`.
            scored: steps of interest.
        """
        w, columns = self.weights, inputs.mT[:, None]
        drives, output_drives = w.hidden_in @ columns + w.hidden_bias, w.output_in @ columns + w.output_bias
        h, y, found = torch.zeros_like(drives[0]), torch.zeros_like(output_drives[0]), []
        for drive, output_drive in zip(drives, output_drives, strict=True):
            h = activate(self.phi, torch.baddbmm(drive, w.hidden, torch.cat([h, y], 1)))
            y = activate(self.psi, torch.baddbmm(output_drive, w.output, torch.cat([h, y], 1)))
            found.append(y)
        return torch.stack(found[scored]).mT


Guesser = Callable[[int, float, torch.Generator], GuessedNetworks]
"""Draws some networks, their weights uniform on +-reach: (how many, reach, source of the draw)."""


def elman(inputs: int, hidden: int, outputs: int, *, psi: Activation = "linear") -> Guesser:
    """Networks of tanh units with a read-out; all weights and biases of both are guessed.

    Args:
        inputs: i, a step.
        hidden: units n.
        outputs: o, a step.
        psi: activation of the outputs.
    """

    def guess(count: int, reach: float, generator: torch.Generator) -> GuessedNetworks:
        def drawn(*shape: int) -> Tensor:
            return _uniform(reach, (count, *shape), generator)

        no_feedback = torch.zeros(count, hidden + outputs, outputs, dtype=torch.float64)
        recurrent = torch.cat([drawn(hidden + outputs, hidden), no_feedback], 2)
        no_shortcut = torch.zeros(count, outputs, inputs, dtype=torch.float64)
        weights = Weights(
            recurrent[:, :hidden],
            drawn(hidden, inputs),
            drawn(hidden, 1),
            recurrent[:, hidden:],
            no_shortcut,
            drawn(outputs, 1),
        )
        return GuessedNetworks(weights, "tanh", psi)

    return guess


def fully_recurrent(hidden: int) -> Guesser:
    """Logistic networks of one input, `hidden` units and an output unit, each connected to all and to itself.

    All weights are guessed, and the biases of the hidden units; the output unit has none. With one hidden unit these
    are 7 parameters, as many as in the network of Bengio, Simard and Frasconi (1994) for parity; this is architecture
    A1 of Schmidhuber, Hochreiter and Bengio (2001). They do not tell the order of a step; that the output sees the
    hidden units of its own step is inferred from their result, one guess in 2,906 that solves parity with weights
    uniform on +-100: in this order it is one in some thousands, in the other none was found.

    Args:
        hidden: units beside the output unit.
    """

    def guess(count: int, reach: float, generator: torch.Generator) -> GuessedNetworks:
        def drawn(*shape: int) -> Tensor:
            return _uniform(reach, (count, *shape), generator)

        weights = Weights(
            drawn(hidden, hidden + 1),
            drawn(hidden, 1),
            drawn(hidden, 1),
            drawn(1, hidden + 1),
            drawn(1, 1),
            torch.zeros(count, 1, 1, dtype=torch.float64),
        )
        return GuessedNetworks(weights, "sigmoid", "sigmoid")

    return guess


def minimal_latch(informative: int) -> Guesser:
    """One tanh unit whose recurrent weight w and drives h_t^p, for t up to `informative` and two classes, are guessed.

    For the inputs of `gradstudy.tasks.latch.Latch`; noise enters with weight 1, and the output is the unit.

    Args:
        informative: steps that show the class.
    """

    def guess(count: int, reach: float, generator: torch.Generator) -> GuessedNetworks:
        drives = _uniform(reach, (count, 1, 2 * informative), generator)
        return latches(_uniform(reach, (count, 1, 1), generator), drives)

    return guess


def latches(weight: Tensor, drives: Tensor) -> GuessedNetworks:
    """Minimal latches with given weights `(G, 1, 1)` and drives `(G, 1, 2 L)`, class 0 first."""
    one, zero = torch.ones_like(weight), torch.zeros_like(weight)
    driven = torch.cat([drives, one], 2)
    weights = Weights(
        torch.cat([weight, zero], 2), driven, zero, torch.cat([one, zero], 2), torch.zeros_like(driven), zero
    )
    return GuessedNetworks(weights, "tanh", "linear")


def fully_connected(units: int) -> Guesser:
    """Tanh units, all connected, whose weights are guessed and nothing else; see `read_at_the_last_unit`.

    With 5 units these are 25 parameters, as many as in the network of Bengio, Simard and Frasconi (1994) for the
    2-sequence problem; how that one was wired is not known here.

    Args:
        units: n.
    """

    def guess(count: int, reach: float, generator: torch.Generator) -> GuessedNetworks:
        return read_at_the_last_unit(_uniform(reach, (count, units, units), generator))

    return guess


def read_at_the_last_unit(weight: Tensor) -> GuessedNetworks:
    """Networks x_t = tanh(W x_{t-1} + e_1 u_t) with given W, `(G, n, n)`, and the output (1 + x_n) / 2."""
    count, units = weight.shape[:2]
    first, last, zero = (torch.zeros(count, n, 1, dtype=weight.dtype) for n in (units, units + 1, 1))
    first[:, 0], last[:, units - 1] = 1.0, 0.5
    no_feedback = torch.zeros(count, units, 1, dtype=weight.dtype)
    weights = Weights(
        torch.cat([weight, no_feedback], 2), first, torch.zeros_like(first), last.mT, zero, torch.full_like(zero, 0.5)
    )
    return GuessedNetworks(weights, "tanh", "linear")


def _uniform(reach: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return reach * (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1)

"""Populations: the weights of many small recurrent networks of one shape, side by side in one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gradstudy.errors import OptionError, UnsupportedModuleError
from gradstudy.models.initialisations import recurrence
from gradstudy.models.randomness import generator
from gradstudy.models.recurrent import Design, draw_recurrent, recurrent_weight

Cell = Literal["tanh", "relu", "sigmoid", "lstm", "gru"]
PaperStart = Literal["sigmoid", "basic-tanh", "smart-tanh"]
Start = PaperStart | Literal["default", "orthogonal", "forget-bias-1", "update-bias-1"]

GATED: dict[Cell, Literal["lstm", "gru"]] = {"lstm": "lstm", "gru": "gru"}
# Blocks of H rows of the recurrent matrix, by the places they have in torch's modules (i f g o; r z n). The LSTM's
# three gates lie together here (o i f g), and so do the three that the gradient of the cell reaches.
BLOCKS: dict[Cell, tuple[int, ...]] = {
    "tanh": (0,),
    "relu": (0,),
    "sigmoid": (0,),
    "lstm": (3, 0, 1, 2),
    "gru": (0, 1, 2),
}
# Standard deviation of the input and output weights that go with the paper's recurrent matrices.
OUTER: dict[PaperStart, float] = {"sigmoid": 0.01, "basic-tanh": 0.1, "smart-tanh": 0.01}


@dataclass(frozen=True)
class Shape:
    """What all members of a population share.

    With u_t = (h_{t-1}, x_t, 1), of K = H + I + 1 components, a cell is one matrix A of G blocks of H rows:

    | cell | G | h_t |
    |---|---|---|
    | tanh, relu, sigmoid | 1 | phi(A u_t): the *post*-activation state, as in Pascanu's released code |
    | lstm | 4 | o tanh(c_t), c_t = f c_{t-1} + i g, as torch's |
    | gru | 3 | (1 - z) n + z h_{t-1}, n = tanh(W_in x_t + b + r (W_hn h_{t-1})), as torch's with b_hh = 0 |

    One bias a row, where torch's modules have two (which doubles a bias' learning rate and its share of the norm).
    States begin at 0. Predictions are R (h_t, 1).

    Args:
        cell: one of the above.
        inputs, hidden, outputs: I, H and the number of predictions a step.
    """

    cell: Cell
    inputs: int
    hidden: int
    outputs: int

    def __post_init__(self) -> None:
        if self.cell not in get_args(Cell):
            raise OptionError(
                f"cell={self.cell!r}",
                needed=f"one of {', '.join(get_args(Cell))}",
                why="a population is trained by hand-written backpropagation, which these have",
                remedy="choose one of them",
            )

    @property
    def width(self) -> int:
        """K = H + I + 1, the columns of A."""
        return self.hidden + self.inputs + 1

    @property
    def rows(self) -> int:
        """G H, the rows of A."""
        return len(BLOCKS[self.cell]) * self.hidden

    @property
    def parameters(self) -> int:
        """Numbers a member."""
        return self.rows * self.width + self.outputs * (self.hidden + 1)


@dataclass(frozen=True, eq=False)
class Population:
    """Members of one shape.

    Args:
        shape: of every member.
        weights: `(members, parameters)`, a row of all numbers of one member. Training changes it in place.
    """

    shape: Shape
    weights: Tensor

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def recurrent(self) -> Tensor:
        """A of every member, `(members, G H, K)`, a view: columns of h_{t-1}, then of x_t, then the bias."""
        return self.weights[:, : self.shape.rows * self.shape.width].view(len(self), self.shape.rows, self.shape.width)

    @property
    def weight_hh(self) -> Tensor:
        """W_hh of every member, `(members, G H, H)`, a view."""
        return self.recurrent[..., : self.shape.hidden]

    @property
    def readout(self) -> Tensor:
        """R of every member, `(members, outputs, H + 1)`, a view: the last column is the bias."""
        return self.weights[:, self.shape.rows * self.shape.width :].view(
            len(self), self.shape.outputs, self.shape.hidden + 1
        )

    def like(self, weights: Tensor) -> Population:
        """Other numbers of the same shape, such as a gradient."""
        return replace(self, weights=weights)

    def take(self, which: Tensor | Sequence[int]) -> Population:
        """Some of the members, copied; `which` are places or a mask."""
        return self.like(self.weights[torch.as_tensor(which)].clone())

    def modules(self, place: int) -> tuple[nn.RNNBase, nn.Linear]:
        """A member as torch's module (one layer, time-major, b_hh = 0) and its read-out, copied.

        Raises:
            UnsupportedModuleError: the cell is "sigmoid", which torch has not.
        """
        if self.shape.cell == "sigmoid":
            raise UnsupportedModuleError(
                "a population of sigmoid networks",
                needed="a cell that torch has: tanh, relu, lstm or gru",
                why="nn.RNN has no sigmoid, and PascanuRNN's state is the pre-activation",
                remedy="use `recurrent` and `readout`, or a callable cell with time_chain",
            )
        return _module(self, place), _linear(self.readout[place])


def draw_population(
    shape: Shape, start: Start, indices: Sequence[int], *, seed: int, dtype: torch.dtype = torch.float64
) -> Population:
    """Draw members by initialisation; a member depends on seed and index alone.

    | start | draw |
    |---|---|
    | sigmoid, basic-tanh, smart-tanh | (cells without gates) the paper's: W_hh as in `models.initialisations`, input |
    | | and output weights N(0, s^2), s = 0.01, 0.1, 0.01 (standard deviations, as in the code), biases 0 |
    | default | all numbers uniform in +-1/sqrt(H) |
    | orthogonal | default, each H x H block of W_hh Haar-distributed orthogonal |
    | forget-bias-1 | (lstm) default with bias 1 in the forget gate |
    | update-bias-1 | (gru) default with bias 1 in the update gate |

    Args:
        shape: of every member.
        start: one of the above.
        indices: of the members; may repeat (members under different conditions may begin alike).
        seed: of the run.
        dtype: float64 or float32; drawn in float64 either way.

    Raises:
        OptionError: an initialisation that is unknown, or not one of the cell.

    Source: Pascanu, Mikolov and Bengio 2013, section 4.1 and released code.

    Example:
        >>> population = draw_population(Shape("tanh", 6, 50, 4), "smart-tanh", range(16), seed=0)
        >>> tuple(population.weight_hh.shape)
        (16, 50, 50)
    """
    _check_start(shape.cell, start)
    drawn = [_draw(shape, start, generator(seed, index, "weights")) for index in indices]
    return Population(shape, torch.stack(drawn).to(dtype))


def starts(cell: Cell) -> tuple[Start, ...]:
    """The initialisations of a cell."""
    if cell == "lstm":
        return ("default", "orthogonal", "forget-bias-1")
    return ("default", "orthogonal", "update-bias-1") if cell == "gru" else (*OUTER, "default", "orthogonal")


def _check_start(cell: Cell, start: str) -> None:
    if start not in starts(cell):
        raise OptionError(
            f"start={start!r} of {cell} networks",
            needed=f"one of {', '.join(starts(cell))}",
            why="the paper's matrices are those of a network without gates, and a bias of 1 is that of a named gate",
            remedy="choose one of them",
        )


def _draw(shape: Shape, start: Start, stream: torch.Generator) -> Tensor:
    if start == "sigmoid" or start == "basic-tanh" or start == "smart-tanh":
        return _draw_paper(shape, start, stream)
    module = draw_recurrent(Design(GATED.get(shape.cell, "rnn"), start, shape.hidden, shape.inputs), stream).module
    weights = dict(module.named_parameters())
    whole = torch.cat(
        [recurrent_weight(module), weights["weight_ih_l0"], weights["bias_ih_l0"][:, None]], dim=1
    ).detach()
    blocks = whole.view(-1, shape.hidden, shape.width)[list(BLOCKS[shape.cell])]
    bound = shape.hidden**-0.5
    readout = torch.empty(shape.outputs, shape.hidden + 1, dtype=torch.float64).uniform_(
        -bound, bound, generator=stream
    )
    return torch.cat([blocks.flatten(), readout.flatten()])


def _draw_paper(shape: Shape, start: PaperStart, stream: torch.Generator) -> Tensor:
    weight_hh = recurrence(start, shape.hidden, stream).weight

    def outer(rows: int, columns: int) -> Tensor:
        return OUTER[start] * torch.randn(rows, columns, generator=stream, dtype=torch.float64)

    recurrent = torch.cat([weight_hh, outer(shape.hidden, shape.inputs), torch.zeros(shape.hidden, 1)], dim=1)
    readout = torch.cat([outer(shape.outputs, shape.hidden), torch.zeros(shape.outputs, 1)], dim=1)
    return torch.cat([recurrent.flatten(), readout.flatten()])


def _module(population: Population, place: int) -> nn.RNNBase:
    shape, kinds = population.shape, {"lstm": nn.LSTM, "gru": nn.GRU}
    options = {} if shape.cell in kinds else {"nonlinearity": shape.cell}
    module = kinds.get(shape.cell, nn.RNN)(
        shape.inputs, shape.hidden, device="meta", dtype=population.weights.dtype, **options
    ).to_empty(device="cpu")
    blocks = population.recurrent[place].view(-1, shape.hidden, shape.width)
    order = torch.tensor(BLOCKS[shape.cell]).argsort()
    weight_hh, weight_ih, bias = blocks[order].flatten(0, 1).split([shape.hidden, shape.inputs, 1], dim=1)
    weights = {"weight_hh_l0": weight_hh, "weight_ih_l0": weight_ih, "bias_ih_l0": bias[:, 0]}
    module.load_state_dict({**weights, "bias_hh_l0": torch.zeros_like(bias[:, 0])})
    return module


def _linear(readout: Tensor) -> nn.Linear:
    head = nn.Linear(readout.shape[1] - 1, readout.shape[0], device="meta", dtype=readout.dtype).to_empty(device="cpu")
    head.load_state_dict({"weight": readout[:, :-1], "bias": readout[:, -1]})
    return head

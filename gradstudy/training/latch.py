"""Populations of small tanh networks that learn to hold one bit, trained side by side by backpropagation through time.

The networks of Bengio, Simard and Frasconi (1994): n units x_t = tanh(W x_{t-1} + e_1 u_t), x_0 = 0, all of W learnt,
the input added to the first unit, the last unit read at the end. In the first L steps the input tells the class; in the
minimal latch (n = 1) these inputs h_t^p are learnt too, in the 2-sequence problem they are 1 or -1. All other inputs
are noise. Members lie along the last dimension of every tensor, so that one operation serves thousands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from gradstudy.models.randomness import generator
from gradstudy.tasks.two_classes import Law, draw_noise

INFORMATIVE = 3
"""Steps L that tell the class."""

# Updates whose random numbers are drawn together, a search at a time: one by one they would cost more than training.
# What is drawn depends on this number, and on nothing else but the search.
_CHUNK = 20


@dataclass(frozen=True)
class Problem:
    """What a population learns.

    Args:
        units: n.
        learnt: the informative inputs are learnt (minimal latch) instead of 1 and -1 (2-sequence).
        target: d; the last unit is to be d at the end for one class, -d for the other.
        margin: a sequence is right if the last unit, times the sign of its target, is above this.
    """

    units: int
    learnt: bool
    target: float
    margin: float


MINIMAL_LATCH = Problem(units=1, learnt=True, target=0.8, margin=0.0)
"""One unit and 2 L inputs, 7 parameters; right if the sign is."""

TWO_SEQUENCE = Problem(units=5, learnt=False, target=1.0, margin=0.6)
"""Five units, 25 parameters. The task's output is (1 + x) / 2, right within 0.2 of 1 or 0: x beyond 0.6."""


@dataclass(frozen=True, eq=False)
class Population:
    """Networks and how each is trained.

    Args:
        search: which search's sequences a member sees, `(members,)`; members of one search differ in the rest.
        rate: learning rate of plain gradient descent, `(members,)`.
        noise: scale of the noise, `(members,)`.
        weight: W, `(n, n, members)`.
        told: the informative inputs of the two classes, `(L, 2, members)`.
    """

    search: Tensor
    rate: Tensor
    noise: Tensor
    weight: Float[Tensor, "n n members"]
    told: Float[Tensor, "L 2 members"]

    def __len__(self) -> int:
        return len(self.search)

    def __getitem__(self, which: Tensor) -> Population:
        """The members with these indices."""
        return Population(*(getattr(self, name)[..., which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Lessons:
    """Sequences of a search: at every update one of each class, independent and never seen before.

    Args:
        lengths: of which each sequence has one, drawn uniformly.
        law: of the noise, whose scale belongs to the member.
        seed: of the run.
        purpose: names the streams, one a search.
    """

    lengths: tuple[int, ...]
    law: Law
    seed: int
    purpose: str


@dataclass(frozen=True)
class Course:
    """How long members are trained, and when they have learnt.

    Args:
        updates: gradient steps after which a member is given up.
        streak: updates in a row at which both sequences must have been right, before the step.
        examine: says of members with such a streak which have indeed learnt; those that have not begin another streak.
            None takes the streak for it.
    """

    updates: int
    streak: int
    examine: Callable[[Population], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of each member.

    Args:
        solved: whether it learnt within the course, `(members,)`; if not, `updates` is censored.
        updates: gradient steps it took, the streak included.
        population: at the end.
    """

    solved: Tensor
    updates: Tensor
    population: Population


def train(population: Population, problem: Problem, lessons: Lessons, course: Course) -> Outcome:
    """Gradient descent on 1/2 sum over the two classes of (x_end - d)^2, each member with its own learning rate.

    Members leave when they have learnt. A search has streams of its own, so that more searches leave the first ones as
    they are; members of one search meet the same sequences. A member that becomes NaN or infinite stays wrong.

    Args:
        population: members at their start.
        problem: what is learnt.
        lessons: on which sequences.
        course: how long.

    Cost: `updates` times T steps forward and backward of n^2 numbers a member still there.
    """
    solved = torch.zeros(len(population), dtype=torch.bool)
    updates = torch.full((len(population),), course.updates)
    streak = torch.zeros(len(population), dtype=torch.int64)
    final, active = population, torch.arange(len(population))
    drawn = _draw(lessons, int(population.search.max()) + 1)
    current = population
    for update in range(1, course.updates + 1):
        outputs, current = _update(current, problem, *next(drawn))
        right = (outputs * _signs(outputs) > problem.margin).all(0)
        streak = torch.where(right, streak + 1, 0)
        done = _learnt(current, streak, course)
        if done.any():
            left = active[done]
            solved[left], updates[left] = True, update
            final = _put(final, left, current[done.nonzero()[:, 0]])
            stay = (~done).nonzero()[:, 0]
            current, streak, active = current[stay], streak[stay], active[stay]
        if not len(active):
            break
    return Outcome(solved, updates, _put(final, active, current))


def backpropagate(
    weight: Float[Tensor, "n n members"],
    drives: Float[Tensor, "T 2 members"],
    lengths: Float[Tensor, "2 members"],
    targets: Float[Tensor, "2 1"],
) -> tuple[Tensor, Tensor, Tensor]:
    """The last unit at each sequence's end, and the gradients of 1/2 sum (x_end - d)^2.

    Args:
        weight: W.
        drives: inputs of the first unit; those behind a sequence's end do not matter.
        lengths: of the sequences, integers.
        targets: d of the two classes.

    Returns:
        Outputs `(2, members)`, gradients with respect to `weight` and to `drives`.
    """
    x = weight.new_zeros(len(weight), *drives.shape[1:])
    states = [x]
    for drive in drives:
        a = (weight[:, :, None] * x).sum(1)
        a[0] += drive
        x = a.tanh()
        states.append(x)
    trajectory = torch.stack(states)
    outputs = trajectory[:, -1].gather(0, lengths[None])[0]
    error, slopes = outputs - targets, 1 - trajectory[1:].square()
    back, adjoint = torch.empty_like(slopes), torch.zeros_like(x)
    transposed, ends = weight.transpose(0, 1)[:, :, None], set(lengths.unique().tolist())
    for t in range(len(drives) - 1, -1, -1):
        if t + 1 in ends:
            adjoint[-1] += torch.where(lengths == t + 1, error, 0.0)
        torch.mul(adjoint, slopes[t], out=back[t])
        adjoint = (transposed * back[t]).sum(1)
    return outputs, torch.einsum("ticm,tjcm->ijm", back, trajectory[:-1]), back[:, 0]


def draw_population(
    problem: Problem, searches: int, rates: Sequence[float], noise: float, *, reach: float, seed: int
) -> Population:
    """Members that start alike within a search and differ in their learning rates, rate by rate.

    Args:
        problem: sets units and inputs.
        searches: independent starts.
        rates: learning rates.
        noise: scale.
        reach: initial parameters are uniform on +-reach.
        seed: of the starts, a generator a search.
    """
    starts = [_start(problem.units, reach, generator(seed, i, "latch start")) for i in range(searches)]
    weight, told = (torch.stack(parts, -1) for parts in zip(*starts, strict=True))
    if not problem.learnt:
        told = torch.tensor([1.0, -1.0], dtype=torch.float64)[None, :, None].expand_as(told)
    every = torch.arange(searches).repeat(len(rates))
    rate = torch.tensor(rates, dtype=torch.float64).repeat_interleave(searches)
    return Population(every, rate, torch.full_like(rate, noise), weight[..., every], told[..., every])


def _start(units: int, reach: float, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    def drawn(*shape: int) -> Tensor:
        return draw_noise("uniform", reach, shape, stream)

    return drawn(units, units), drawn(INFORMATIVE, 2)


def _update(members: Population, problem: Problem, noise: Tensor, lengths: Tensor) -> tuple[Tensor, Population]:
    """One gradient step on one sequence of each class, and what the members said before it."""
    drives = torch.cat([members.told, members.noise * noise[..., members.search]])
    targets = problem.target * _signs(members.weight)
    outputs, weight, drive = backpropagate(members.weight, drives, lengths[:, members.search], targets)
    told = members.told - members.rate * drive[:INFORMATIVE] if problem.learnt else members.told
    return outputs, replace(members, weight=members.weight - members.rate * weight, told=told)


def _learnt(members: Population, streak: Tensor, course: Course) -> Tensor:
    """Which members have learnt; those that fail the examination lose their streak."""
    done = streak >= course.streak
    if course.examine is None or not done.any():
        return done
    which = done.nonzero()[:, 0]
    done[which] = course.examine(members[which])
    streak[which] = 0
    return done


def _draw(lessons: Lessons, searches: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Noise of scale 1, `(T - L, 2, searches)`, and lengths, `(2, searches)`, of each update, without end."""
    steps = max(lessons.lengths) - INFORMATIVE
    streams = [generator(lessons.seed, i, lessons.purpose) for i in range(searches)]
    choices = torch.tensor(lessons.lengths)
    while True:
        noise = [draw_noise(lessons.law, 1.0, (_CHUNK, steps, 2), stream) for stream in streams]
        lengths = [choices[torch.randint(len(choices), (_CHUNK, 2), generator=stream)] for stream in streams]
        yield from zip(torch.stack(noise, -1), torch.stack(lengths, -1), strict=True)


def _signs(like: Tensor) -> Tensor:
    return torch.tensor([[1.0], [-1.0]], dtype=like.dtype)


def _put(whole: Population, which: Tensor, part: Population) -> Population:
    """The population with these members replaced."""
    weight, told = whole.weight.clone(), whole.told.clone()
    weight[..., which], told[..., which] = part.weight, part.told
    return replace(whole, weight=weight, told=told)
